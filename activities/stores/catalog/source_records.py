"""Records of sources and their syncs."""

from __future__ import annotations

from datetime import datetime

from activities.contracts.stages import JobStateName
from activities.contracts.sync import SourceKind, SyncReport, SyncToRun
from activities.errors import Reason
from activities.stores.catalog.records import Record


class Sync(Record, frozen=True):
    """A sync of a source; ``done`` and ``total`` count changes, ``applied`` those by their outcome."""

    id: str
    source_id: str
    source: str
    knowledge_base_id: str
    knowledge_base: str
    occurrence: str
    preview: bool
    state: JobStateName
    stage: str
    waiting_for: str | None
    done: int
    total: int | None
    report: SyncReport | None
    applied: dict[str, int]
    batch_id: str | None
    reason: Reason | None
    actor: str
    confirmed_by: str | None
    canceled_by: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    def to_run(self) -> SyncToRun:
        """The input of its workflow."""
        return SyncToRun(
            sync_id=self.id,
            source_id=self.source_id,
            occurrence=self.occurrence,
            knowledge_base_id=self.knowledge_base_id,
            knowledge_base=self.knowledge_base,
            source=self.source,
            actor=self.actor,
            preview=self.preview,
            canceled_by=self.canceled_by,
        )


class NewSource(Record, frozen=True):
    """A source to record, under a name that its knowledge base has once."""

    knowledge_base_id: str
    name: str
    kind: SourceKind
    location: str
    include: list[str]
    exclude: list[str]
    max_delete_share: float
    tags: list[str]


class Source(NewSource, frozen=True):
    """A folder or an S3 prefix that a knowledge base follows; ``last_sync`` is the newest that is no preview."""

    id: str
    knowledge_base: str
    documents: int
    last_sync: Sync | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class SourceDocument(Record, frozen=True):
    """A document of a source, and the state of the file that its latest version was made from."""

    id: str
    name: str
    sha256: str
    bytes: int
    stamp: str
