"""Wire types of documents (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from activities.contracts.documents import Remark
from activities.contracts.stages import DocumentState
from api.http.schemas import JobAccepted, Page, Request, Schema


class FormatInfo(Schema, frozen=True):
    """A kind of file that can be read; ``extensions`` are its usual ones, each with its dot."""

    name: str
    media_type: str
    extensions: list[str]
    title: str


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


class UploadAccepted(Schema, frozen=True):
    """``batch`` is where to watch them together, if there are many; an archive's documents come later."""

    documents: list[DocumentJob]
    batch_id: str | None = None
    batch: JobAccepted | None = None


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
    remarks: list[Remark]
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


class DocumentPage(Page[DocumentInfo], frozen=True):
    """``counts`` are all documents by state that meet the other conditions, with their ``total``, if asked for."""

    counts: dict[str, int] | None = None


class ChunkInfo(Schema, frozen=True):
    chunk_id: str
    ordinal: int
    text: str
    tokens: int
    page: int | None
    section: str
