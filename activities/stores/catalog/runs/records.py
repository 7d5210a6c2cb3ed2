"""Records of runs: archived ones, and what was done to them around the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from activities.stores.catalog.records import Record

#: How a run ended.
RunStatus = Literal["completed", "failed", "canceled", "terminated", "continued_as_new", "timed_out"]

#: What can be done to a run around the API; each is the audit action ``run.<kind>_outside``.
OutsideKind = Literal["started", "signalled", "updated", "canceled", "terminated", "reset", "changed"]

#: Scans that remember how far they are; ``began`` is when the catalogue got these tables: earlier processes of
#: Holdfast did not name themselves to Temporal.
Mark = Literal["archive", "outside", "began"]


class Run(Record, frozen=True):
    """A run of a workflow; ``stage`` is the state that it ended with, ``actor`` who asked for it."""

    run_id: str
    workflow_id: str
    type: str
    knowledge_base: str | None
    document_id: str | None
    actor: str
    stage: str
    started_at: datetime


class ArchivedRun(Run, frozen=True):
    """A run whose history is the blob ``blob_key`` of ``bytes`` bytes with this SHA-256."""

    status: RunStatus
    closed_at: datetime
    events: int
    bytes: int
    blob_key: str
    sha256: str


class OutsideAction(Record, frozen=True):
    """Something that was done to a run by ``identity``, which is what the requester says of itself.

    ``name`` is that of a signal or an update, ``reason`` what was given as such.
    """

    run: Run
    kind: OutsideKind
    event_id: int
    at: datetime
    identity: str
    name: str = ""
    reason: str = ""


class RunFilter(Record, frozen=True):
    """Which runs are meant; ``since`` and ``until`` are times of their start."""

    workflow_id: str | None = None
    type: str | None = None
    knowledge_base: str | None = None
    document_id: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, run: Run) -> bool:
        """Whether a run is meant."""
        fields = ("workflow_id", "type", "knowledge_base", "document_id", "actor")
        if any(getattr(self, name) not in (None, getattr(run, name)) for name in fields):
            return False
        began = self.since is None or run.started_at >= self.since
        return began and (self.until is None or run.started_at < self.until)


def fields_of(run: Run, kind: type[Run] = Run) -> dict[str, Any]:
    """The fields of a run that ``kind`` has, by name."""
    return {field.name: getattr(run, field.name) for field in msgspec.structs.fields(kind)}
