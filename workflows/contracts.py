"""What the API says to workflows: inputs, the state of a job, names of ids, queries and search attributes."""

from __future__ import annotations

from datetime import datetime

import msgspec

from activities.contracts import Contract
from activities.contracts.answers import AnswerMode
from activities.contracts.batches import DocumentVersion
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.queues import Priority
from activities.contracts.reconcile import Discrepancy
from activities.contracts.search import SearchFilter
from activities.contracts.stages import JobStateName


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


class IngestJob(DocumentToIngest, frozen=True):
    """One version of one document, to be made retrievable, and how urgent that is.

    ``hide_stages`` keeps its stages out of the search attributes, each of which costs the server as much as a step:
    thousands of documents of a batch are looked at in the batch.
    """

    priority: int = Priority.UPLOAD
    hide_stages: bool = msgspec.field(default=False, name="quiet")


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
    ahead: list[DocumentToIngest] = []  # noqa: RUF012
    done: int = 0
    paused: bool = False
    paused_by: str = ""


class BatchResult(Contract, frozen=True):
    """How many documents the run brought to an end, whatever it was."""

    documents: int


class DeleteReceipt(Contract, frozen=True):
    """The proof of a purge: rows before, rows after (0), blobs that nobody else needed."""

    rows_before: int
    rows_after: int
    blobs: int


class QuestionJob(Contract, frozen=True):
    """One question, to be answered from one knowledge base, or from some of its documents.

    ``conversation_id`` and ``history_key`` say what was said before: turns in the catalogue, or a blob with a
    list of ``Turn`` that the client sent itself, which is the one that counts if it is there. ``hide_stages``
    keeps stages that take less than a second out of the search attributes, and ``at_once`` does short steps within the
    workflow's own task (runs that began before there was this do not).
    """

    question_id: str
    knowledge_base_id: str
    knowledge_base: str
    question: str
    mode: AnswerMode
    actor: str
    conversation_id: str | None = None
    history_key: str | None = None
    wait_for_index: bool = False
    documents: list[str] = []  # noqa: RUF012 - msgspec copies it
    filter: SearchFilter | None = None
    hide_stages: bool = msgspec.field(default=False, name="quiet")
    at_once: bool = False


class ReconcileJob(Contract, frozen=True):
    """Compare catalogue, blobs, Milvus and Temporal. ``repair`` mends what disagrees; without it, it is only counted.

    What is younger than the grace is left alone. ``reconcile_id`` is empty when the schedule started it.
    """

    reconcile_id: str = ""
    actor: str = "schedule"
    repair: bool = True
    grace_seconds: float = 300.0
    blob_grace_seconds: float = 3600.0


class ReconcileReport(Contract, frozen=True):
    """What was found, by kind; kinds of which nothing was found are left out."""

    repair: bool
    findings: list[Discrepancy] = []  # noqa: RUF012 - msgspec copies it
