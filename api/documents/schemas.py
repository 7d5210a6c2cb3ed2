"""Wire types of documents (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from activities.contracts.ids import ingest_id
from activities.contracts.stages import INGEST_STAGES, DocumentState
from activities.errors import Language
from activities.readers.formats import Format
from activities.stores.catalog.records import Document
from api.batches.schemas import batch_job_accepted
from api.http.schemas import JobAccepted, Request, Schema


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


class ChangeDocument(Request, frozen=True):
    """``tags`` replaces all that the document has; they are kept in lower case."""

    tags: Annotated[list[str], Meta(max_length=100)]


class RetryRequest(Request, frozen=True):
    """``from_step`` is made anew with all that follows; without it, what is done is kept."""

    from_step: Literal["parse", "chunk", "embed", "index", "publish"] | None = None


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
