"""What the HTTP API takes and gives (DESIGN §6). Optional fields are null, lists are ``{items, next_cursor}``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from activities.contracts import AnswerMode, AnswerSettings, batch_workflow_id, ingest_id
from activities.errors import Language
from activities.formats import Format
from activities.stores.catalog.records import (
    PENDING,
    Batch,
    Document,
    DocumentState,
    KnowledgeBase,
    Tally,
)
from workflows.contracts import INGEST_STAGES, JobState

T = TypeVar("T")

KnowledgeBaseName = Annotated[
    str,
    Meta(
        pattern="^[a-z0-9][a-z0-9-]{0,62}$",
        description="Lower-case letters, digits and hyphens, up to 63, not beginning with a hyphen.",
    ),
]


class Schema(msgspec.Struct, kw_only=True, frozen=True):
    """Base of what the API gives."""


class Request(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Base of what the API takes: a misspelt field is an error, not a default."""


class Page(Schema, Generic[T], frozen=True):
    """One page of a list; ``next_cursor`` asks for the next one and is null at the end."""

    items: list[T]
    next_cursor: str | None = None


class FormatInfo(Schema, frozen=True):
    """A kind of file that can be read; ``extensions`` are its usual ones, each with its dot."""

    name: str
    media_type: str
    extensions: list[str]
    title: str

    @classmethod
    def of(cls, item: Format, language: Language) -> FormatInfo:
        """From the table of formats, called as people call it in ``language``."""
        return cls(
            name=item.name, media_type=item.media_type, extensions=list(item.extensions), title=item.title(language)
        )


class ChunkingSettings(Request, frozen=True):
    """How documents are cut, in tokens of the embedding model."""

    max_tokens: Annotated[int, Meta(ge=32, le=2048)] = 350
    overlap_tokens: Annotated[int, Meta(ge=0, le=512)] = 0


class CreateKnowledgeBase(Request, frozen=True):
    name: KnowledgeBaseName
    title: Annotated[str, Meta(max_length=200)] = ""
    description: Annotated[str, Meta(max_length=4000)] = ""
    chunking: ChunkingSettings = ChunkingSettings()


class AnswerChanges(Request, frozen=True):
    """How questions on a knowledge base are answered; null is as the platform's settings say."""

    mode: AnswerMode | msgspec.UnsetType | None = msgspec.UNSET
    instructions: Annotated[str, Meta(max_length=2000)] | msgspec.UnsetType | None = msgspec.UNSET
    temperature: Annotated[float, Meta(ge=0, le=2)] | msgspec.UnsetType | None = msgspec.UNSET
    top_p: Annotated[float, Meta(gt=0, le=1)] | msgspec.UnsetType | None = msgspec.UNSET
    max_tokens: Annotated[int, Meta(ge=1, le=4096)] | msgspec.UnsetType | None = msgspec.UNSET


class AnswersInfo(AnswerSettings, frozen=True, omit_defaults=False):
    """How questions on a knowledge base are answered, with every field there."""

    @classmethod
    def whole(cls, settings: AnswerSettings) -> AnswersInfo:
        """The same settings."""
        return cls(**msgspec.structs.asdict(settings))


class ChangeKnowledgeBase(Request, frozen=True):
    """Fields that are left out stay as they are."""

    title: Annotated[str, Meta(max_length=200)] | msgspec.UnsetType = msgspec.UNSET
    description: Annotated[str, Meta(max_length=4000)] | msgspec.UnsetType = msgspec.UNSET
    answers: AnswerChanges | msgspec.UnsetType = msgspec.UNSET


class KnowledgeBaseInfo(Schema, frozen=True):
    """A knowledge base with its documents counted by state; ``documents.total`` is their sum."""

    name: str
    title: str
    description: str
    chunking: ChunkingSettings
    documents: dict[str, int]
    created_by: str
    created_at: datetime
    updated_at: datetime
    answers: AnswersInfo

    @classmethod
    def of(cls, record: KnowledgeBase, counts: dict[str, int]) -> KnowledgeBaseInfo:
        """From the catalogue."""
        return cls(
            name=record.name,
            title=record.title,
            description=record.description,
            chunking=ChunkingSettings(
                max_tokens=record.chunking.max_tokens, overlap_tokens=record.chunking.overlap_tokens
            ),
            documents={"total": sum(counts.values()), **counts},
            created_by=record.created_by,
            created_at=record.created_at,
            updated_at=record.updated_at,
            answers=AnswersInfo.whole(record.answers),
        )


class DocumentJob(Schema, frozen=True):
    """An accepted document and where to watch it.

    ``unchanged``: this content was there or on its way already, and no work came of the upload.
    """

    id: str
    name: str
    version: int
    state: DocumentState
    workflow_id: str
    status_url: str
    events_url: str
    batch_id: str | None = None
    unchanged: bool = False

    @classmethod
    def of(cls, document: Document, *, unchanged: bool = False) -> DocumentJob:
        """From the catalogue."""
        return cls(
            id=document.id,
            name=document.name,
            version=document.version,
            state=document.state,
            workflow_id=ingest_id(document.id, document.version),
            status_url=f"/api/v1/documents/{document.id}/status",
            events_url=f"/api/v1/documents/{document.id}/events",
            batch_id=document.batch_id,
            unchanged=unchanged,
        )


class JobAccepted(Schema, frozen=True):
    """A job that goes on by itself."""

    id: str
    state: str
    workflow_id: str
    status_url: str | None = None
    events_url: str | None = None


class UploadAccepted(Schema, frozen=True):
    """``batch`` is where to watch them together, if there are many; an archive's documents come later."""

    documents: list[DocumentJob]
    batch_id: str | None = None
    batch: JobAccepted | None = None

    @classmethod
    def of(cls, documents: list[DocumentJob], batch_id: str | None) -> UploadAccepted:
        """From what was accepted."""
        return cls(documents=documents, batch_id=batch_id, batch=batch_job_accepted(batch_id) if batch_id else None)

    @classmethod
    def from_stored(cls, answer: dict[str, object]) -> UploadAccepted:
        """From what ``to_stored`` gave."""
        return msgspec.convert(answer, cls)

    def to_stored(self) -> dict[str, object]:
        """In a form that the catalogue keeps."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


class BatchRequest(Request, frozen=True):
    """A batch that documents are going to be uploaded into (``?batch=``), until it is closed."""

    name: Annotated[str, Meta(max_length=255)] = ""
    parallelism: Annotated[int, Meta(ge=1, le=64)] | None = None


class ParallelismRequest(Request, frozen=True):
    parallelism: Annotated[int, Meta(ge=1, le=64)]


class ChangeDocument(Request, frozen=True):
    """``tags`` replaces all that the document has; they are kept in lower case."""

    tags: Annotated[list[str], Meta(max_length=100)]


class RetryRequest(Request, frozen=True):
    """``from_step`` is made anew with all that follows; without it, what is done is kept."""

    from_step: Literal["parse", "chunk", "embed", "index", "publish"] | None = None


BatchStateName = Literal["queued", "running", "waiting", "paused", "ready", "failed", "canceled"]


class BatchInfo(Schema, frozen=True):
    """A batch: its documents by state, how fast they finish (documents a minute) and when all will be (seconds).

    It is ``ready`` when every document came to its end, also if that was a failure.
    """

    id: str
    name: str
    knowledge_base: str
    state: BatchStateName
    documents: dict[str, int]
    done: int
    total: int
    rate_per_minute: float
    eta_seconds: float | None
    waiting_for: str | None
    reason: str | None
    parallelism: int
    closed: bool
    skipped: list[str]
    actor: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    workflow_id: str
    status_url: str
    events_url: str

    @classmethod
    def of(cls, batch: Batch, tally: Tally, knowledge_base: str, language: Language) -> BatchInfo:
        """From the catalogue."""
        total = sum(tally.counts.values())
        pending = sum(tally.counts.get(state, 0) for state in PENDING)
        over = min(60.0, max(1.0, (datetime.now(UTC) - batch.created_at).total_seconds()))
        rate = tally.finished_lately * 60 / over
        goes_on = batch.state in ("queued", "running")
        waits = goes_on and tally.waiting_for is not None and not tally.counts.get("running")
        reason = batch.reason or (tally.reason if waits else None)
        job = batch_job_accepted(batch.id)
        return cls(
            id=batch.id,
            name=batch.name,
            knowledge_base=knowledge_base,
            state="waiting" if waits else batch.state,
            documents={"total": total, **tally.counts},
            done=total - pending,
            total=total,
            rate_per_minute=round(rate, 1),
            eta_seconds=round(pending / rate * 60) if goes_on and rate and pending and batch.closed else None,
            waiting_for=tally.waiting_for if waits else None,
            reason=reason.render(language) if reason else None,
            parallelism=batch.parallelism,
            closed=batch.closed,
            skipped=batch.skipped,
            actor=batch.actor,
            created_at=batch.created_at,
            updated_at=batch.updated_at,
            finished_at=batch.finished_at,
            workflow_id=job.workflow_id,
            status_url=job.status_url or "",
            events_url=job.events_url or "",
        )


def batch_job_accepted(batch_id: str, state: str = "queued") -> JobAccepted:
    """Where to watch a batch."""
    url = f"/api/v1/batches/{batch_id}"
    return JobAccepted(
        id=batch_id,
        state=state,
        workflow_id=batch_workflow_id(batch_id),
        status_url=url,
        events_url=f"{url}/events",
    )


class DocumentInfo(Schema, frozen=True):
    """A document with its latest version. ``live_version`` is the one that answers come from, if any."""

    id: str
    name: str
    version: int
    live_version: int | None
    state: DocumentState
    reason: str | None
    reason_code: str | None
    chunks: int
    pages: int | None
    bytes: int
    media_type: str
    actor: str
    created_at: datetime
    updated_at: datetime
    stage: str
    stage_number: int
    stage_count: int
    done: int
    total: int | None
    attempt: int
    waiting_for: str | None
    eta_seconds: float | None
    batch_id: str | None
    tags: list[str]
    workflow_id: str
    status_url: str
    events_url: str

    @classmethod
    def of(cls, document: Document, language: Language) -> DocumentInfo:
        """From the catalogue."""
        job = DocumentJob.of(document)
        return cls(
            id=document.id,
            name=document.name,
            version=document.version,
            live_version=document.live_version,
            state=document.state,
            reason=document.reason.render(language) if document.reason else None,
            reason_code=document.reason.code if document.reason else None,
            chunks=document.chunks,
            pages=document.pages,
            bytes=document.bytes,
            media_type=document.media_type,
            actor=document.actor,
            created_at=document.created_at,
            updated_at=document.updated_at,
            stage=document.stage,
            stage_number=INGEST_STAGES.index(document.stage) + 1 if document.stage in INGEST_STAGES else 0,
            stage_count=len(INGEST_STAGES),
            done=document.done,
            total=document.total,
            attempt=document.attempt,
            waiting_for=document.waiting_for,
            eta_seconds=document.eta_seconds,
            batch_id=document.batch_id,
            tags=document.tags,
            workflow_id=job.workflow_id,
            status_url=job.status_url,
            events_url=job.events_url,
        )


class ChunkInfo(Schema, frozen=True):
    chunk_id: str
    ordinal: int
    text: str
    tokens: int
    page: int | None
    section: str


class JobStateInfo(JobState, frozen=True, omit_defaults=False):
    """The state of a job, with every field there."""

    @classmethod
    def whole(cls, state: JobState) -> JobStateInfo:
        """The same state."""
        return cls(**msgspec.structs.asdict(state))


class DependencyState(Schema, frozen=True):
    name: str
    ready: bool
    detail: str | None = None


class Readiness(Schema, frozen=True):
    ready: bool
    dependencies: list[DependencyState]
