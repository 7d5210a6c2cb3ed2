"""Records of the operations page."""

from __future__ import annotations

from datetime import datetime

from activities.contracts.reindex import GenerationPhase
from activities.contracts.stages import DocumentState, JobKind, JobStateName
from activities.errors import Reason
from activities.stores.catalog.records import Record


class JobPosition(Record, frozen=True):
    """The place of a job in the list: those that were started come first, each part newest first."""

    started: bool
    at: datetime
    id: str


class CurrentJob(Record, frozen=True):
    """A job that goes on or waits. ``at`` is when it was started or, unless ``started``, accepted.

    A question has no ``name``: operators do not read questions.
    """

    kind: JobKind
    id: str
    knowledge_base: str
    name: str
    state: JobStateName
    started: bool
    at: datetime
    workflow_id: str
    stage: str = ""
    done: int = 0
    total: int | None = None
    eta_seconds: float | None = None
    waiting_for: str | None = None
    reason: Reason | None = None

    @property
    def position(self) -> JobPosition:
        """Where the list goes on after it."""
        return JobPosition(started=self.started, at=self.at, id=self.id)


class NotStarted(Record, frozen=True):
    """Accepted documents that have no run yet, those of batches included, and since when the oldest waits."""

    documents: int
    since: datetime | None


class DocumentTotals(Record, frozen=True):
    """Documents by the state of their latest version, and when the oldest unfinished one was accepted."""

    by_state: dict[DocumentState, int]
    pending_since: datetime | None


class FailureGroup(Record, frozen=True):
    """Documents whose latest version failed for reasons of one code; ``sample`` is the reason of the last one.

    ``knowledge_bases`` are names with counts, most first.
    """

    code: str
    documents: int
    knowledge_bases: list[tuple[str, int]]
    first: datetime
    last: datetime
    sample: Reason
    sample_name: str


class MinuteCount(Record, frozen=True):
    """What ended in the minute that begins at ``at``, and questions asked in it by what became of them."""

    at: datetime
    ready: int = 0
    chunks: int = 0
    failed: int = 0
    asked: int = 0
    answered: int = 0
    refused: int = 0
    unanswered: int = 0


class Throughput(Record, frozen=True):
    """The last hour by minutes, oldest first; ``seconds`` are those of the last answers, shortest first."""

    minutes: list[MinuteCount]
    seconds: list[float]


class CurrentGeneration(Record, frozen=True):
    """An index generation that is written, and since when it is in its phase."""

    knowledge_base: str
    generation: int
    collection: str
    phase: GenerationPhase
    model: str | None
    since: datetime
