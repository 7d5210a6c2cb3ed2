"""What the catalogue answers with: plain, immutable values, no database rows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from activities.contracts import AnswerMode, Chunking, Citation, Source
from activities.errors import Reason

DocumentState = Literal["queued", "running", "waiting", "paused", "ready", "failed", "canceled"]
QuestionState = Literal["running", "ready", "failed", "canceled"]

PENDING: tuple[DocumentState, ...] = ("queued", "running", "waiting", "paused")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the catalogue's answers."""


class Principal(Record, frozen=True):
    """Who a valid key belongs to."""

    subject: str
    role: str
    key_id: str


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
    chunks_key: str | None
    reason: Reason | None
    actor: str
    created_at: datetime
    updated_at: datetime


class Accepted(Record, frozen=True):
    """``created`` is False when the content was already there: nothing new is to be done."""

    document: Document
    created: bool


class LiveDocument(Record, frozen=True):
    """The name and the version of a document that search may show now."""

    name: str
    version: int


class VersionBlobs(Record, frozen=True):
    """The blobs that one version stands on."""

    sha256: str
    parsed_key: str | None
    chunks_key: str | None
    vectors_key: str | None


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
