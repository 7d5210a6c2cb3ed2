"""What ``Reconcile`` and its activities say to each other: where to look, and what was found and mended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from activities.contracts import Contract

DiscrepancyKind = Literal[
    "batches_without_run",
    "documents_without_run",
    "runs_without_document",
    "unfinished_deletions",
    "unknown_collections",
    "foreign_collections",
    "rows_without_version",
    "wrong_counts",
    "stray_blobs",
]

#: Examples that a finding carries: enough to know what it is about, little enough for a history.
MAX_EXAMPLES = 10


class ScanInput(Contract, frozen=True):
    """``repair`` is False to look only. What is younger than the grace is left alone: somebody is at work on it.

    ``after`` is the ``next`` of the call before, for steps that go on where they stopped.
    """

    repair: bool
    grace_seconds: float
    after: str = ""


class Discrepancy(Contract, frozen=True):
    """``count`` things of a kind disagree: ``mended`` were put right, ``failed`` cannot be, and why is in the log.

    The rest was only looked at, or is for a person to decide (``foreign_collections``).
    """

    kind: DiscrepancyKind
    count: int
    mended: int = 0
    failed: int = 0
    examples: list[str] = []


class ScanResult(Contract, frozen=True):
    """``next`` is where to go on; None at the end."""

    findings: list[Discrepancy]
    next: str | None = None


class RecordReconcileInput(Contract, frozen=True):
    """What a whole comparison came to."""

    reconcile_id: str
    actor: str
    repair: bool
    findings: list[Discrepancy]


class Discrepancies:
    """Counts up findings, by kind, in the order in which they come."""

    def __init__(self, found: Iterable[Discrepancy] = ()) -> None:
        self._found: dict[str, Discrepancy] = {}
        self.merge(found)

    def add(self, kind: DiscrepancyKind, example: str, *, mended: bool = False, failed: bool = False) -> None:
        """One more of a kind."""
        self.merge([Discrepancy(kind=kind, count=1, mended=int(mended), failed=int(failed), examples=[example[:200]])])

    def merge(self, found: Iterable[Discrepancy]) -> None:
        """What another look found."""
        for new in found:
            old = self._found.get(new.kind, Discrepancy(kind=new.kind, count=0))
            self._found[new.kind] = msgspec.structs.replace(
                old,
                count=old.count + new.count,
                mended=old.mended + new.mended,
                failed=old.failed + new.failed,
                examples=[*old.examples, *new.examples][:MAX_EXAMPLES],
            )

    def list(self) -> list[Discrepancy]:
        """All of them."""
        return list(self._found.values())
