"""What the API says to workflows: inputs, the state of a job, names of ids, queries and search attributes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from temporalio.common import SearchAttributeKey

from activities.contracts import (
    AnswerMode,
    Contract,
    Dispatch,
    DocumentVersion,
    Priority,
)

JobStateName = Literal["queued", "running", "waiting", "paused", "ready", "failed", "canceled"]

#: States after which nothing more happens to a job.
FINAL_STATES: frozenset[JobStateName] = frozenset({"ready", "failed", "canceled"})

INGEST_STAGES = ("parse", "chunk", "embed", "index", "publish")
DELETE_STAGES = ("stop_runs", "purge_rows", "remove_document")
DELETE_KNOWLEDGE_BASE_STAGES = ("stop_runs", "drop_collections", "remove_documents")
BATCH_STAGES = ("unpack", "ingest")
QUESTION_STAGES = ("retrieve", "generate", "record")

KNOWLEDGE_BASE = SearchAttributeKey.for_keyword("KnowledgeBase")
DOCUMENT = SearchAttributeKey.for_keyword("Document")
OWNER = SearchAttributeKey.for_keyword("Owner")
STAGE = SearchAttributeKey.for_keyword("Stage")


class JobState(Contract, frozen=True):
    """The state of a job (DESIGN §5). ``done`` and ``total`` count the current stage's work."""

    state: JobStateName
    stage: str = ""
    stage_number: int = 0
    stage_count: int = 0
    done: int = 0
    total: int | None = None
    attempt: int = 1
    waiting_for: str | None = None
    reason: str | None = None
    next_attempt_at: datetime | None = None
    eta_seconds: float | None = None
    updated_at: datetime | None = None


class IngestJob(Dispatch, frozen=True):
    """One version of one document, to be made retrievable, and how urgent that is.

    ``quiet`` keeps its stages out of the search attributes, each of which costs the server as much as a step:
    thousands of documents of a batch are looked at in the batch.
    """

    priority: int = Priority.UPLOAD
    quiet: bool = False


class IngestResult(Contract, frozen=True):
    """``live`` is False when a newer version was published first, or the document was deleted meanwhile."""

    live: bool
    chunks: int
    embedded: int
    reused: int
    pages: int | None = None


class BatchJob(Contract, frozen=True):
    """Documents that were added together. The fields from ``in_flight`` on carry over to a run that continues it."""

    batch_id: str
    knowledge_base_id: str
    knowledge_base: str
    name: str
    actor: str
    parallelism: int
    archive_sha256: str | None = None
    in_flight: list[DocumentVersion] = []  # noqa: RUF012 - msgspec copies it
    ahead: list[Dispatch] = []  # noqa: RUF012
    done: int = 0
    paused: bool = False


class BatchResult(Contract, frozen=True):
    """How many documents the run brought to an end, whatever it was."""

    documents: int


class DeleteJob(Contract, frozen=True):
    """A document that was already taken out of every answer; what it left is purged."""

    knowledge_base_id: str
    knowledge_base: str
    document_id: str
    document_name: str
    actor: str


class DeleteKnowledgeBaseJob(Contract, frozen=True):
    """A knowledge base that was already hidden; what it left is purged."""

    knowledge_base_id: str
    knowledge_base: str
    actor: str


class DeleteReceipt(Contract, frozen=True):
    """The proof of a purge: rows before, rows after (0), blobs that nobody else needed."""

    rows_before: int
    rows_after: int
    blobs: int


class QuestionJob(Contract, frozen=True):
    """One question, to be answered from one knowledge base."""

    question_id: str
    knowledge_base_id: str
    knowledge_base: str
    question: str
    mode: AnswerMode
    actor: str


def delete_id(document_id: str) -> str:
    """Workflow id of a document's deletion."""
    return f"delete/{document_id}"


def delete_knowledge_base_id(knowledge_base_id: str) -> str:
    """Workflow id of a knowledge base's deletion."""
    return f"delete-kb/{knowledge_base_id}"


def question_id(question_id: str) -> str:
    """Workflow id of a question."""
    return f"question/{question_id}"
