"""What the catalogue answers with: plain, immutable values, no database rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from activities.contracts.answers import AnswerMode, Citation, Fallback, Rating, Source
from activities.contracts.documents import Chunking
from activities.contracts.questions import AnswerSettings
from activities.contracts.stages import BatchState, DocumentState, QuestionState
from activities.errors import Reason
from activities.stores.catalog.roles import Role


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the catalogue's answers."""


class Principal(Record, frozen=True):
    """Who a valid key belongs to."""

    subject: str
    role: Role
    key_id: str


class ApiKey(Record, frozen=True):
    """A key without its secret; ``role`` is the one that counts, ``revoked_at`` when it ceased to be valid."""

    id: str
    subject: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


class Generation(Record, frozen=True):
    """One index of a knowledge base; ``model_fingerprint`` is None until its first document is indexed."""

    knowledge_base_id: str
    generation: int
    collection: str
    model: str | None
    model_fingerprint: str | None


class KnowledgeBase(Record, frozen=True):
    id: str
    name: str
    title: str
    description: str
    chunking: Chunking
    created_by: str
    created_at: datetime
    updated_at: datetime
    answers: AnswerSettings = AnswerSettings()


class Document(Record, frozen=True):
    """A document with its latest version; ``live_version`` is the one that search shows, if any."""

    id: str
    knowledge_base_id: str
    name: str
    live_version: int | None
    version: int
    state: DocumentState
    sha256: str
    bytes: int
    media_type: str
    pages: int | None
    chunks: int
    reason: Reason | None
    actor: str
    created_at: datetime
    updated_at: datetime
    stage: str = ""
    done: int = 0
    total: int | None = None
    attempt: int = 1
    waiting_for: str | None = None
    next_attempt_at: datetime | None = None
    eta_seconds: float | None = None
    batch_id: str | None = None
    tags: list[str] = []


class Upload(Record, frozen=True):
    """Stored bytes that are to become the next version of the document ``name``; ``tags`` None leaves its tags."""

    knowledge_base_id: str
    name: str
    sha256: str
    bytes: int
    actor: str
    batch_id: str | None = None
    tags: list[str] | None = None


class RunProgress(Record, frozen=True):
    """How far a version's run was at a time, as its worker saw it (columns of ``versions``)."""

    document_id: str
    version: int
    at: datetime
    state: DocumentState
    stage: str
    done: int = 0
    total: int | None = None
    attempt: int = 1
    waiting_for: str | None = None
    reason: Reason | None = None
    next_attempt_at: datetime | None = None
    eta_seconds: float | None = None


class Batch(Record, frozen=True):
    id: str
    knowledge_base_id: str
    name: str
    state: BatchState
    closed: bool
    parallelism: int
    archive_sha256: str | None
    tags: list[str] | None
    skipped: list[str]
    reason: Reason | None
    actor: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class Tally(Record, frozen=True):
    """How a batch's documents are doing: by state, how many finished in the last minute, what some wait for."""

    counts: dict[str, int]
    finished_lately: int
    waiting_for: str | None
    reason: Reason | None


class Accepted(Record, frozen=True):
    """``created`` is False when the content was already there: nothing new is to be done."""

    document: Document
    created: bool


class LiveDocument(Record, frozen=True):
    """The name and the version of a document that search may show now."""

    name: str
    version: int


class IndexedVersion(Record, frozen=True):
    """A version in one index generation: what its rows were written from, and how many there are."""

    generation: int
    chunks_key: str
    vectors_key: str
    rows: int


class VersionBlobs(Record, frozen=True):
    """The blobs that one version stands on; chunks and vectors are those of one index generation."""

    sha256: str
    parsed_key: str | None
    chunks_key: str | None
    vectors_key: str | None


class PendingVersion(Record, frozen=True):
    """A version that should have a run; ``awaits_batch`` when the run of its batch may not have begun it yet."""

    document_id: str
    version: int
    name: str
    state: DocumentState
    awaits_batch: bool
    updated_at: datetime


class StalledBatch(Record, frozen=True):
    """A batch whose workflow should go on."""

    id: str
    name: str
    updated_at: datetime


class VersionStatus(Record, frozen=True):
    """What a version is; ``changed_at`` is also when its document was deleted, or another version went live."""

    pending: bool
    live: bool
    deleted: bool
    changed_at: datetime


class LiveVersion(Record, frozen=True):
    """A version that search may show, and what its rows in an index generation are made of; ``chunks`` of them."""

    document_id: str
    version: int
    name: str
    chunks: int
    sha256: str
    parsed_key: str | None
    chunks_key: str | None


class DeletedDocument(Record, frozen=True):
    id: str
    name: str
    knowledge_base_id: str
    knowledge_base: str
    deleted_by: str


class DeletedKnowledgeBase(Record, frozen=True):
    """A deleted knowledge base, whose row stays; ``has_documents`` when some were not removed yet."""

    id: str
    name: str
    created_by: str
    has_documents: bool


class AnswerRecord(Record, frozen=True):
    """How an answer came about; ``milliseconds`` by stage, ``standalone`` what was searched for in a conversation."""

    standalone: str | None
    similarity: float | None
    generation: int | None
    embedding_model: str | None
    embedding_fingerprint: str | None
    language_model: str | None
    prompt_version: str | None
    milliseconds: dict[str, int]
    tokens: int


class Feedback(Record, frozen=True):
    """What the asker thought of an answer."""

    rating: Rating
    comment: str | None = None


class Conversation(Record, frozen=True):
    """Questions that follow each other; ``updated_at`` is when the last one was asked."""

    id: str
    knowledge_base_id: str
    knowledge_base: str
    title: str
    questions: int
    actor: str
    created_at: datetime
    updated_at: datetime


class AuditEvent(Record, frozen=True):
    """Who did what to which object; ``knowledge_base`` is its name, also when it was deleted."""

    id: str
    at: datetime
    actor: str
    action: str
    knowledge_base: str | None
    object_id: str | None
    detail: dict[str, Any]


class Question(Record, frozen=True):
    id: str
    knowledge_base_id: str
    conversation_id: str
    question: str
    mode: AnswerMode
    state: QuestionState
    answer: str | None
    found: bool | None
    citations: list[Citation]
    sources: list[Source]
    reason: Reason | None
    actor: str
    created_at: datetime
    finished_at: datetime | None
    fallback: Fallback | None = None
    withheld: int = 0
    made: AnswerRecord | None = None
    feedback: Feedback | None = None


class PendingDocuments(Record, frozen=True):
    """Documents that are accepted and not yet ready, failed or canceled; ``eta_seconds`` when it can be told."""

    documents: int
    eta_seconds: float | None = None
