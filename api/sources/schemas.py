"""Wire types of sources and syncs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from activities.contracts.names import MAX_TAG, MAX_TAGS
from activities.contracts.stages import JobStateName
from activities.contracts.sync import MAX_LOCATION, MAX_SOURCE_NAME, SourceKind
from api.http.schemas import Request, Schema

Name = Annotated[
    str,
    Meta(pattern=r"^\S(.*\S)?$(?!\n)", max_length=MAX_SOURCE_NAME, description="Its name in the knowledge base."),
]
Patterns = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=200)]],
    Meta(max_length=50, description="Patterns of a shell, for a path or a file's name: `*.md`, `drafts/*`."),
]
Share = Annotated[
    float,
    Meta(ge=0, le=1, description="Share of the source's documents that may vanish at once without a confirmation."),
]
Tags = Annotated[list[Annotated[str, Meta(max_length=MAX_TAG)]], Meta(max_length=MAX_TAGS)]


class SourceRequest(Request, frozen=True):
    """A source: ``location`` is a folder of the server, or ``s3://bucket/prefix``.

    Its name is by default the last part of its location. ``tags`` are given to its new documents.
    """

    location: Annotated[str, Meta(min_length=1, max_length=MAX_LOCATION)]
    name: Name | None = None
    include: Patterns = []
    exclude: Patterns = []
    max_delete_share: Share = 0.2
    tags: Tags = []


class SourceChange(Request, frozen=True):
    """Fields that are left out stay as they are."""

    name: Name | None = None
    include: Patterns | None = None
    exclude: Patterns | None = None
    max_delete_share: Share | None = None
    tags: Tags | None = None


class SyncRequest(Request, frozen=True):
    """A ``preview`` says what a sync would do, and changes nothing."""

    preview: bool = False


class ReportInfo(Schema, frozen=True):
    """What the source has against what the knowledge base has of it.

    ``conflicts`` are files with the name of a document that does not belong to the source. ``left_out`` counts by kind
    what is no document. ``names`` has the first ones of each kind; only who manages the source sees them. The deletions
    of a ``guarded`` report have to be confirmed.
    """

    files: int
    documents: int
    added: int
    updated: int
    deleted: int
    unchanged: int
    conflicts: int
    left_out: dict[str, int]
    guarded: bool
    names: dict[str, list[str]]


class SyncInfo(Schema, frozen=True):
    """A sync; ``done`` and ``total`` count changes, ``applied`` those by outcome.

    ``waiting_for`` is ``source``, ``confirmation`` or ``room`` among the pending documents. New versions are indexed as
    a batch, which may go on when the sync has ended.
    """

    id: str
    source_id: str
    source: str
    knowledge_base: str
    occurrence: str
    preview: bool
    state: JobStateName
    stage: str
    stage_number: int
    stage_count: int
    done: int
    total: int | None
    waiting_for: str | None
    reason: str | None
    report: ReportInfo | None
    applied: dict[str, int]
    batch_id: str | None
    actor: str
    confirmed_by: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    workflow_id: str
    status_url: str
    events_url: str


class SourceInfo(Schema, frozen=True):
    """A source; only who manages it sees its ``location``."""

    id: str
    knowledge_base: str
    name: str
    kind: SourceKind
    location: str | None
    include: list[str]
    exclude: list[str]
    max_delete_share: float
    tags: list[str]
    documents: int
    last_sync: SyncInfo | None
    created_by: str
    created_at: datetime
    updated_at: datetime
