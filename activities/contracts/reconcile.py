"""Inputs and results of ``Reconcile`` and its activities: scans, and the discrepancies found and repaired."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from activities.contracts import Contract

DiscrepancyKind = Literal[
    "batches_without_run",
    "documents_without_run",
    "questions_without_run",
    "runs_without_document",
    "unfinished_deletions",
    "reindexes_without_run",
    "schedules_differ",
    "syncs_without_run",
    "unknown_collections",
    "foreign_collections",
    "rows_without_version",
    "wrong_counts",
    "lost_originals",
    "lost_passages",
    "expired_versions",
    "stray_blobs",
    "audit_log_differs",
]

#: Maximum number of examples in a discrepancy, which keeps histories small.
MAX_EXAMPLES = 10


class ScanInput(Contract, frozen=True):
    """``repair`` is False to only report. Changes younger than the grace period are skipped: they may be in progress.

    ``after`` is the cursor ``next`` of the previous call, for activities that scan in slices. ``all_files`` looks for
    the files of all live versions instead of a sample.
    """

    repair: bool
    grace_seconds: float
    after: str = ""
    all_files: bool = False


class Discrepancy(Contract, frozen=True):
    """``count`` discrepancies of a kind: ``mended`` were repaired, ``failed`` could not be (the log has the reason).

    The rest was only reported, or is left to an operator's decision (``foreign_collections``).
    """

    kind: DiscrepancyKind
    count: int
    mended: int = 0
    failed: int = 0
    examples: list[str] = []


class ScanResult(Contract, frozen=True):
    """``next`` is the cursor of the next call; None when the scan is complete."""

    findings: list[Discrepancy]
    next: str | None = None


class RecordReconcileInput(Contract, frozen=True):
    """The result of a whole reconciliation."""

    reconcile_id: str
    actor: str
    repair: bool
    findings: list[Discrepancy]


class Discrepancies:
    """Adds up discrepancies by kind, in order of first occurrence."""

    def __init__(self, discrepancies: Iterable[Discrepancy] = ()) -> None:
        self._by_kind: dict[str, Discrepancy] = {}
        self.merge(discrepancies)

    def add(self, kind: DiscrepancyKind, example: str, *, mended: bool = False, failed: bool = False) -> None:
        """Counts one discrepancy; ``example`` is cut to 200 characters."""
        self.merge([Discrepancy(kind=kind, count=1, mended=int(mended), failed=int(failed), examples=[example[:200]])])

    def merge(self, discrepancies: Iterable[Discrepancy]) -> None:
        """Adds the discrepancies of another scan."""
        for new in discrepancies:
            old = self._by_kind.get(new.kind, Discrepancy(kind=new.kind, count=0))
            self._by_kind[new.kind] = msgspec.structs.replace(
                old,
                count=old.count + new.count,
                mended=old.mended + new.mended,
                failed=old.failed + new.failed,
                examples=[*old.examples, *new.examples][:MAX_EXAMPLES],
            )

    def list(self) -> list[Discrepancy]:
        """One discrepancy for each kind."""
        return list(self._by_kind.values())
