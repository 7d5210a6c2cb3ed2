"""What the HTTP API takes and gives (DESIGN §6). Optional fields are null, lists are ``{items, next_cursor}``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from litestar.datastructures import UploadFile
from msgspec import Meta

from activities.contracts import AnswerMode, Citation, SearchMode, Source
from activities.errors import Language
from activities.formats import Format
from activities.retrieve import Passage
from activities.stores.catalog.records import Document, DocumentState, KnowledgeBase, Question
from workflows.contracts import JobState, ingest_id, question_id

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


class ChangeKnowledgeBase(Request, frozen=True):
    """Fields that are left out stay as they are."""

    title: Annotated[str, Meta(max_length=200)] | msgspec.UnsetType = msgspec.UNSET
    description: Annotated[str, Meta(max_length=4000)] | msgspec.UnsetType = msgspec.UNSET


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
        )


class Upload(msgspec.Struct):
    """A multipart form with one or many ``files``."""

    files: list[UploadFile]


class DocumentJob(Schema, frozen=True):
    """An accepted document and where to watch it."""

    id: str
    name: str
    version: int
    state: DocumentState
    workflow_id: str
    status_url: str
    events_url: str

    @classmethod
    def of(cls, document: Document) -> DocumentJob:
        """From the catalogue."""
        return cls(
            id=document.id,
            name=document.name,
            version=document.version,
            state=document.state,
            workflow_id=ingest_id(document.id, document.version),
            status_url=f"/api/v1/documents/{document.id}/status",
            events_url=f"/api/v1/documents/{document.id}/events",
        )


class UploadAccepted(Schema, frozen=True):
    documents: list[DocumentJob]
    batch_id: str | None = None


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
    workflow_id: str
    status_url: str
    events_url: str

    @classmethod
    def of(cls, document: Document, language: Language, state: DocumentState | None = None) -> DocumentInfo:
        """From the catalogue; ``state`` is a fresher one from the run, if there is any."""
        job = DocumentJob.of(document)
        return cls(
            id=document.id,
            name=document.name,
            version=document.version,
            live_version=document.live_version,
            state=state or document.state,
            reason=document.reason.render(language) if document.reason else None,
            reason_code=document.reason.code if document.reason else None,
            chunks=document.chunks,
            pages=document.pages,
            bytes=document.bytes,
            media_type=document.media_type,
            actor=document.actor,
            created_at=document.created_at,
            updated_at=document.updated_at,
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


class CitationInfo(Citation, frozen=True, omit_defaults=False):
    """A citation, with every field there."""

    @classmethod
    def whole(cls, citation: Citation) -> CitationInfo:
        """The same citation."""
        return cls(**msgspec.structs.asdict(citation))


class SourceInfo(Source, frozen=True, omit_defaults=False):
    """A source, with every field there."""

    @classmethod
    def whole(cls, source: Source) -> SourceInfo:
        """The same source."""
        return cls(**msgspec.structs.asdict(source))


class JobAccepted(Schema, frozen=True):
    """A job that goes on by itself."""

    id: str
    state: str
    workflow_id: str
    status_url: str | None = None
    events_url: str | None = None


class SearchRequest(Request, frozen=True):
    query: Annotated[str, Meta(min_length=1)]
    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    mode: SearchMode = "hybrid"
    documents: Annotated[list[str], Meta(max_length=100)] = []


class SearchHit(Schema, frozen=True):
    """A passage of a live document; ``score`` (0–1) orders the hits of one search."""

    document_id: str
    document_name: str
    version: int
    chunk_id: str
    page: int | None
    section: str
    text: str
    score: float

    @classmethod
    def of(cls, passage: Passage) -> SearchHit:
        """From retrieval."""
        row = passage.row
        return cls(
            document_id=row.document_id,
            document_name=passage.document_name,
            version=row.version,
            chunk_id=row.id,
            page=row.page or None,
            section=row.section,
            text=row.text,
            score=passage.score,
        )


class IndexState(Schema, frozen=True):
    """``building`` while ``pending`` documents are accepted but not yet searchable."""

    state: Literal["ready", "building"]
    pending: int
    eta_seconds: float | None = None


class SearchResponse(Schema, frozen=True):
    hits: list[SearchHit]
    index: IndexState


class AskRequest(Request, frozen=True):
    question: Annotated[str, Meta(min_length=1)]
    conversation_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    mode: AnswerMode | None = None


class QuestionAccepted(Schema, frozen=True):
    id: str
    conversation_id: str
    state: str
    workflow_id: str
    status_url: str
    events_url: str

    @classmethod
    def of(cls, question: Question) -> QuestionAccepted:
        """From the catalogue."""
        return cls(
            id=question.id,
            conversation_id=question.conversation_id,
            state=question.state,
            workflow_id=question_id(question.id),
            status_url=f"/api/v1/questions/{question.id}",
            events_url=f"/api/v1/questions/{question.id}/events",
        )


class QuestionInfo(Schema, frozen=True):
    """A question and what came of it."""

    id: str
    conversation_id: str
    question: str
    mode: AnswerMode
    state: str
    answer: str | None
    found: bool | None
    citations: list[CitationInfo]
    sources: list[SourceInfo]
    reason: str | None
    actor: str
    created_at: datetime
    finished_at: datetime | None
    workflow_id: str
    events_url: str

    @classmethod
    def of(cls, question: Question, language: Language) -> QuestionInfo:
        """From the catalogue."""
        job = QuestionAccepted.of(question)
        return cls(
            id=question.id,
            conversation_id=question.conversation_id,
            question=question.question,
            mode=question.mode,
            state=question.state,
            answer=question.answer,
            found=question.found,
            citations=[CitationInfo.whole(citation) for citation in question.citations],
            sources=[SourceInfo.whole(source) for source in question.sources],
            reason=question.reason.render(language) if question.reason else None,
            actor=question.actor,
            created_at=question.created_at,
            finished_at=question.finished_at,
            workflow_id=job.workflow_id,
            events_url=job.events_url,
        )


class DependencyState(Schema, frozen=True):
    name: str
    ready: bool
    detail: str | None = None


class Readiness(Schema, frozen=True):
    ready: bool
    dependencies: list[DependencyState]
