"""Snapshots as the API shows them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import msgspec

from activities.contracts.reindex_all import REINDEX_ALL_STAGES
from activities.contracts.stages import (
    BATCH_STAGES,
    BULK_STAGES,
    DELETE_STAGES,
    INGEST_STAGES,
    QUESTION_STAGES,
    REINDEX_STAGES,
    SYNC_STAGES,
    JobKind,
    number_of,
)
from activities.errors import InvalidRequest, Language
from activities.phrases import Phrase
from activities.settings import TemporalSettings
from activities.stores.catalog.operations.records import (
    CurrentGeneration,
    CurrentJob,
    FailureGroup,
    JobPosition,
    Throughput,
)
from api.batches.views import batch_info
from api.http.temporal_ui import runs_url, workflow_url
from api.operations.monitor import PART_SECONDS, Dependency, JobList, JobsPart, Snapshot
from api.operations.schemas import (
    AffectedKnowledgeBase,
    DependencyHealth,
    FailureInfo,
    GenerationInfo,
    JobCountInfo,
    JobInfo,
    JobsInfo,
    MinuteInfo,
    NotStartedInfo,
    OperationsInfo,
    ProblemInfo,
    QueueInfo,
    QueueStateName,
    ThroughputInfo,
    WorkerInfo,
)
from api.reindexes.views import reindex_info
from workflows.client.queues import QueueState

#: A queue whose oldest task waits for longer is behind.
BEHIND_SECONDS = 60.0

STAGES: dict[JobKind, tuple[str, ...]] = {
    "document": INGEST_STAGES,
    "batch": BATCH_STAGES,
    "deletion": DELETE_STAGES,
    "sync": SYNC_STAGES,
    "bulk_change": BULK_STAGES,
    "reindex": REINDEX_STAGES,
    "reindex_all": REINDEX_ALL_STAGES,
    "question": QUESTION_STAGES,
}

_CURSOR = re.compile(r"([01])\.(\d{1,17})\.([0-9a-f]{32})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def operations_info(snapshot: Snapshot, language: Language, temporal: TemporalSettings) -> OperationsInfo:
    """A snapshot in one language."""
    return OperationsInfo(
        taken_at=snapshot.taken_at,
        temporal_url=runs_url(temporal),
        dependencies=[_dependency(each, language) for each in snapshot.dependencies],
        jobs=_jobs(snapshot.jobs, snapshot.taken_at, language, temporal) if snapshot.jobs else None,
        queues=None if snapshot.queues is None else [_queue(each) for each in snapshot.queues],
        throughput=_throughput(snapshot.throughput) if snapshot.throughput else None,
        failures=None if snapshot.failures is None else [_failure(each, language) for each in snapshot.failures],
        generations=None
        if snapshot.generations is None
        else [_generation(each, rows) for each, rows in snapshot.generations],
        problems=[ProblemInfo(part=part, detail=why.render(language)) for part, why in snapshot.problems.items()],
    )


def steady(info: OperationsInfo) -> OperationsInfo:
    """A snapshot without what differs from the one before though nothing has happened."""
    return msgspec.structs.replace(
        info,
        taken_at=_EPOCH,
        dependencies=[msgspec.structs.replace(each, latency_ms=None) for each in info.dependencies],
        queues=None
        if info.queues is None
        else [
            msgspec.structs.replace(
                queue, workers=[msgspec.structs.replace(worker, seen_at=None) for worker in queue.workers]
            )
            for queue in info.queues
        ],
    )


def job_infos(page: JobList, language: Language, temporal: TemporalSettings) -> list[JobInfo]:
    """The jobs of a page."""
    return [_job(job, page, language, temporal) for job in page.jobs]


def cursor_of(position: JobPosition | None) -> str | None:
    """A cursor that asks for the jobs behind a position."""
    if position is None:
        return None
    microseconds = (position.at - _EPOCH) // (datetime.resolution)
    return f"{int(position.started)}.{microseconds}.{position.id}"


def position_of(cursor: str | None) -> JobPosition | None:
    """The position of a cursor. Raises InvalidRequest."""
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidRequest(detail=Phrase.FOREIGN_CURSOR)
    at = _EPOCH + int(found[2]) * datetime.resolution
    return JobPosition(started=found[1] == "1", at=at, id=found[3])


def _dependency(dependency: Dependency, language: Language) -> DependencyHealth:
    detail = dependency.reason.render(language) if dependency.reason else None
    if not dependency.ready and detail is None:
        detail = Phrase.NO_ANSWER_WITHIN.render(language, seconds=round(PART_SECONDS))
    return DependencyHealth(
        name=dependency.name,
        ready=dependency.ready,
        since=dependency.since,
        latency_ms=dependency.milliseconds,
        detail=detail,
    )


def _jobs(part: JobsPart, taken_at: datetime, language: Language, temporal: TemporalSettings) -> JobsInfo:
    since = part.not_started.since
    return JobsInfo(
        counts=[
            JobCountInfo(
                kind=kind,
                total=sum(states.values()),
                queued=states.get("queued", 0),
                running=states.get("running", 0),
                waiting=states.get("waiting", 0),
                paused=states.get("paused", 0),
            )
            for kind, states in part.counts.items()
        ],
        not_started=NotStartedInfo(
            documents=part.not_started.documents,
            oldest_seconds=max(0.0, round((taken_at - since).total_seconds(), 1)) if since else None,
        ),
        items=job_infos(part.page, language, temporal),
        next_cursor=cursor_of(part.page.more),
    )


def _job(job: CurrentJob, page: JobList, language: Language, temporal: TemporalSettings) -> JobInfo:
    stages = STAGES[job.kind]
    info = JobInfo(
        kind=job.kind,
        id=job.id,
        knowledge_base=job.knowledge_base,
        name=job.name,
        state=job.state,
        started=job.started,
        since=job.at,
        stage=job.stage,
        stage_number=number_of(job.stage, stages),
        stage_count=len(stages),
        done=job.done,
        total=job.total,
        rate_per_minute=None,
        eta_seconds=job.eta_seconds,
        waiting_for=job.waiting_for,
        reason=job.reason.render(language) if job.reason else None,
        workflow_id=job.workflow_id,
        temporal_url=workflow_url(job.workflow_id, temporal),
    )
    known = page.batches.get(job.id)
    if known is not None:
        batch = batch_info(*known, job.knowledge_base, language)
        return msgspec.structs.replace(
            info,
            state=batch.state,
            done=batch.done,
            total=batch.total,
            rate_per_minute=batch.rate_per_minute,
            eta_seconds=batch.eta_seconds,
            waiting_for=batch.waiting_for,
            reason=batch.reason,
        )
    if job.id in page.reindexes:
        now = page.reindexes[job.id]
        reindex = reindex_info(now.reindex, language)
        return msgspec.structs.replace(
            info,
            rate_per_minute=reindex.rate_per_minute,
            eta_seconds=reindex.eta_seconds,
            waiting_for=now.waiting_for,
        )
    return info


def _queue(state: QueueState) -> QueueInfo:
    return QueueInfo(
        queue=state.queue,
        kind=state.kind,
        state=_queue_state(state),
        backlog=state.backlog,
        age_seconds=state.age_seconds,
        added_per_second=state.added_per_second,
        dispatched_per_second=state.dispatched_per_second,
        workers=[WorkerInfo(**msgspec.structs.asdict(worker)) for worker in state.workers],
    )


def _queue_state(state: QueueState) -> QueueStateName:
    if not state.workers:
        return "unattended"
    if not state.backlog:
        return "idle"
    return "behind" if state.age_seconds > BEHIND_SECONDS else "busy"


def _throughput(found: Throughput) -> ThroughputInfo:
    minutes = [MinuteInfo(**msgspec.structs.asdict(minute)) for minute in found.minutes]
    names = ("ready", "chunks", "failed", "asked", "answered", "refused", "unanswered")
    return ThroughputInfo(
        minutes=minutes,
        **{name: sum(getattr(minute, name) for minute in minutes) for name in names},
        p50_seconds=_percentile(found.seconds, 0.5),
        p95_seconds=_percentile(found.seconds, 0.95),
    )


def _percentile(values: list[float], share: float) -> float | None:
    """The nearest rank of sorted values."""
    return round(values[math.ceil(share * len(values)) - 1], 3) if values else None


def _failure(group: FailureGroup, language: Language) -> FailureInfo:
    return FailureInfo(
        code=group.code,
        documents=group.documents,
        text=group.sample.render(language),
        example=group.sample_name,
        knowledge_bases=[AffectedKnowledgeBase(name=name, documents=count) for name, count in group.knowledge_bases],
        first_at=group.first,
        last_at=group.last,
    )


def _generation(generation: CurrentGeneration, rows: int | None) -> GenerationInfo:
    return GenerationInfo(
        knowledge_base=generation.knowledge_base,
        generation=generation.generation,
        phase=generation.phase,
        model=generation.model,
        rows=rows,
        since=generation.since,
    )
