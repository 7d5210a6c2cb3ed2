"""Wire types of the operations page. A part that cannot be read now is null, and named in ``problems``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from activities.contracts.reindex import GenerationPhase
from activities.contracts.stages import JobKind, JobStateName
from api.http.schemas import Request, Schema

Part = Literal["jobs", "queues", "throughput", "failures", "generations"]

#: ``behind``: the oldest task waits for more than a minute; ``unattended``: no worker asks for tasks.
QueueStateName = Literal["idle", "busy", "behind", "unattended"]


class DependencyHealth(Schema, frozen=True):
    """``since`` is when this process first saw it in this state; ``latency_ms`` is null if it did not answer."""

    name: str
    ready: bool
    since: datetime
    latency_ms: float | None
    detail: str | None


class JobCountInfo(Schema, frozen=True):
    """Jobs of one kind that have not ended. A batch counts as running while its documents wait."""

    kind: JobKind
    total: int
    queued: int
    running: int
    waiting: int
    paused: int


class JobInfo(Schema, frozen=True):
    """A job that has not ended; ``since`` is when it was started or, if ``started`` is false, accepted.

    ``done`` and ``total`` count documents of batches, bulk changes and re-indexes, changes of syncs, knowledge bases
    of re-indexes of many, and the work of a document's stage. A sync has the name of its source. A question has no
    name: operators do not read questions. A re-index of many has no knowledge base.
    """

    kind: JobKind
    id: str
    knowledge_base: str
    name: str
    state: JobStateName
    started: bool
    since: datetime
    stage: str
    stage_number: int
    stage_count: int
    done: int
    total: int | None
    rate_per_minute: float | None
    eta_seconds: float | None
    waiting_for: str | None
    reason: str | None
    workflow_id: str
    temporal_url: str


class NotStartedInfo(Schema, frozen=True):
    """Accepted documents without a run, those of batches included; ``oldest_seconds`` is the wait of the oldest."""

    documents: int
    oldest_seconds: float | None


class JobsInfo(Schema, frozen=True):
    """``items`` are the newest; ``next_cursor`` asks ``/operations/jobs`` for more."""

    counts: list[JobCountInfo]
    not_started: NotStartedInfo
    items: list[JobInfo]
    next_cursor: str | None


class WorkerInfo(Schema, frozen=True):
    """A process that works on a queue; ``seen_at`` is when it last asked for a task."""

    identity: str
    build: str
    seen_at: datetime | None


class QueueInfo(Schema, frozen=True):
    """Tasks of one kind (``workflow`` or ``activity``) in a task queue, as Temporal approximates them."""

    queue: str
    kind: str
    state: QueueStateName
    backlog: int
    age_seconds: float
    added_per_second: float
    dispatched_per_second: float
    workers: list[WorkerInfo]


class MinuteInfo(Schema, frozen=True):
    """What ended in the minute that begins at ``at``; questions count in the minute in which they were asked."""

    at: datetime
    ready: int
    chunks: int
    failed: int
    asked: int
    answered: int
    refused: int
    unanswered: int


class ThroughputInfo(Schema, frozen=True):
    """The last 60 minutes and their sums; ``refused`` questions were told that the documents do not answer them.

    Documents that failed and were retried since count as what became of them.
    The percentiles are those of the time to an answer, of the last 1,000 answers in the hour.
    """

    minutes: list[MinuteInfo]
    ready: int
    chunks: int
    failed: int
    asked: int
    answered: int
    refused: int
    unanswered: int
    p50_seconds: float | None
    p95_seconds: float | None


class AffectedKnowledgeBase(Schema, frozen=True):
    name: str
    documents: int


class FailureInfo(Schema, frozen=True):
    """Documents that failed for reasons of one code; ``text`` is the reason of ``example``, the last one of them.

    ``knowledge_bases`` are the ten with the most.
    """

    code: str
    documents: int
    text: str
    example: str
    knowledge_bases: list[AffectedKnowledgeBase]
    first_at: datetime
    last_at: datetime


class GenerationInfo(Schema, frozen=True):
    """An index that is written, and since when it is in its phase; ``rows`` were counted within half a minute."""

    knowledge_base: str
    generation: int
    phase: GenerationPhase
    model: str | None
    rows: int | None
    since: datetime


class ProblemInfo(Schema, frozen=True):
    """Why a part is missing."""

    part: Part
    detail: str


class OperationsInfo(Schema, frozen=True):
    """The platform at one moment. The parts are read at once, and shared by all readers for two seconds."""

    taken_at: datetime
    temporal_url: str
    dependencies: list[DependencyHealth]
    jobs: JobsInfo | None
    queues: list[QueueInfo] | None
    throughput: ThroughputInfo | None
    failures: list[FailureInfo] | None
    generations: list[GenerationInfo] | None
    problems: list[ProblemInfo]


class RetryRequest(Request, frozen=True):
    """Documents that failed for this reason, in one knowledge base (by name) or in all."""

    reason_code: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}$(?!\n)")]
    knowledge_base: Annotated[str, Meta(max_length=63)] | None = None


class RetryAccepted(Schema, frozen=True):
    """``documents`` failed for this reason by now, and are retried some at a time."""

    reason_code: str
    knowledge_base: str | None
    documents: int
    workflow_id: str
    temporal_url: str
