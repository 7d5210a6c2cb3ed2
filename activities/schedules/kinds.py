"""What schedules can start: each kind with its options, their check, and the job of an occurrence.

To add a kind: its name in ``ScheduleKind``, the Struct of its options beside the contracts of its job, and a row here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple, get_args

import msgspec

from activities.contracts import Contract, addresses
from activities.contracts.documents import Chunking
from activities.contracts.ids import (
    APPLY_RETENTION,
    REINDEX_KNOWLEDGE_BASE,
    SYNC_KNOWLEDGE_BASE,
    reindex_workflow_id,
    retention_id,
    sync_workflow_id,
)
from activities.contracts.names import clean_tags
from activities.contracts.reindex import ReindexToRun
from activities.contracts.retention import RetentionToRun
from activities.contracts.schedules import JobToStart, ReindexOptions, RetentionOptions, ScheduleKind, SyncOptions
from activities.errors import InvalidRequest, NotFound, ReindexRuns, WrongState
from activities.ingest.models import ModelOf
from activities.phrases import Phrase
from activities.reindex.window import parse_window
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Reindex
from activities.stores.catalog.schedule_records import Schedule, ScheduleRun


class Occurrence(NamedTuple):
    """A schedule at one of its times, and the record of the run; ``model_of`` is that of `activities.ingest.models`."""

    schedule: Schedule
    run: ScheduleRun
    at: datetime
    model_of: ModelOf


class Kind(NamedTuple):
    """``check`` returns the options as they are stored, and raises InvalidRequest.

    ``start`` makes the record of the job, if it has one, and is repeated with the same run. A Conflict that it raises
    is the reason for which the occurrence is skipped.
    """

    options: type[Contract]
    check: Callable[[Catalog, KnowledgeBase, Any], Awaitable[Contract]]
    start: Callable[[Catalog, Occurrence, Any], Awaitable[JobToStart]]


async def check_options(
    catalog: Catalog, knowledge_base: KnowledgeBase, kind: ScheduleKind, given: dict[str, Any]
) -> dict[str, Any]:
    """The options of a kind, checked, as they are stored.

    Raises InvalidRequest, also for options of another kind, and ValidationError.
    """
    found = KINDS[kind]
    known = {field.encode_name for field in msgspec.structs.fields(found.options)}
    if unknown := sorted(given.keys() - known):
        raise InvalidRequest(detail=Phrase.UNKNOWN_FIELD, field=f"`{unknown[0][:60]}`")
    options = msgspec.convert(given, found.options)
    stored: dict[str, Any] = msgspec.to_builtins(await found.check(catalog, knowledge_base, options))
    return stored


async def start_job(catalog: Catalog, occurrence: Occurrence) -> JobToStart:
    """The job of an occurrence. Raises Conflict and NotFound if it is to be skipped."""
    kind = KINDS[occurrence.schedule.kind]
    return await kind.start(catalog, occurrence, msgspec.convert(occurrence.schedule.options, kind.options))


# --- re-index -------------------------------------------------------------------------------------------------


async def _check_reindex(catalog: Catalog, knowledge_base: KnowledgeBase, options: ReindexOptions) -> ReindexOptions:
    parse_window(options.window)
    return options


async def _start_reindex(catalog: Catalog, occurrence: Occurrence, options: ReindexOptions) -> JobToStart:
    schedule, run, _, model_of = occurrence
    try:
        reindex = await catalog.reindexes.get(run.job_id)
    except NotFound:
        now = (await catalog.knowledge_bases.by_id(schedule.knowledge_base_id)).chunking
        asked = ReindexToRun(
            reindex_id=run.job_id,
            knowledge_base_id=schedule.knowledge_base_id,
            knowledge_base=schedule.knowledge_base,
            generation=0,
            previous=0,
            chunking=Chunking(
                max_tokens=options.max_tokens or now.max_tokens,
                overlap_tokens=now.overlap_tokens if options.overlap_tokens is None else options.overlap_tokens,
            ),
            embedding=await model_of(schedule.knowledge_base_id),
            actor=schedule.actor,
            approve=options.approve,
            parallelism=options.parallelism,
            throttle=options.throttle,
            window=options.window,
            soak_seconds=options.soak_seconds,
        )
        reindex = await _created_once(catalog, asked)
    return _job(
        schedule,
        REINDEX_KNOWLEDGE_BASE,
        reindex_workflow_id(reindex.knowledge_base_id, reindex.generation),
        reindex.to_run(),
        f"Re-index {reindex.knowledge_base} (generation {reindex.generation})",
        addresses.reindex(reindex.id),
    )


async def _created_once(catalog: Catalog, asked: ReindexToRun) -> Reindex:
    """The new re-index, or the one that an earlier attempt has made. Raises ReindexRuns for another one."""
    try:
        return await catalog.reindexes.create(asked)
    except ReindexRuns:
        with suppress(NotFound):
            return await catalog.reindexes.get(asked.reindex_id)
        raise


# --- retention ------------------------------------------------------------------------------------------------


async def _check_retention(
    catalog: Catalog, knowledge_base: KnowledgeBase, options: RetentionOptions
) -> RetentionOptions:
    (tag,) = clean_tags([options.tag]) if options.tag.strip() else ("",)
    return msgspec.structs.replace(options, tag=tag, names=options.names.strip())


async def _start_retention(catalog: Catalog, occurrence: Occurrence, options: RetentionOptions) -> JobToStart:
    schedule, run, at, _ = occurrence
    job = RetentionToRun(
        record_id=run.id,
        schedule=schedule.name,
        knowledge_base_id=schedule.knowledge_base_id,
        knowledge_base=schedule.knowledge_base,
        cutoff=at - timedelta(days=options.days),
        options=options,
        actor=schedule.actor,
    )
    id = retention_id(schedule.knowledge_base_id, run.occurrence)
    summary = f"Delete documents of {schedule.knowledge_base} uploaded more than {options.days} days ago"
    return _job(schedule, APPLY_RETENTION, id, job, summary, addresses.schedule(schedule.name))


# --- sync -----------------------------------------------------------------------------------------------------


async def _check_sync(catalog: Catalog, knowledge_base: KnowledgeBase, options: SyncOptions) -> SyncOptions:
    """The source's id, also for its name. Raises NotFound."""
    source = await catalog.sources.find(knowledge_base.id, options.source_id)
    return SyncOptions(source_id=source.id)


async def _start_sync(catalog: Catalog, occurrence: Occurrence, options: SyncOptions) -> JobToStart:
    """The sync of this run, or the one that its source is in the middle of. Raises WrongState if that has ended."""
    schedule, run, _, _ = occurrence
    sync = await catalog.syncs.start(options.source_id, run.job_id, schedule.actor, preview=False)
    if sync.finished_at is not None:
        raise WrongState(state=sync.state)
    id = sync_workflow_id(sync.source_id, sync.occurrence)
    summary = f"Sync {sync.knowledge_base} with {sync.source}"
    return _job(schedule, SYNC_KNOWLEDGE_BASE, id, sync.to_run(), summary, addresses.sync(sync.id))


def _job(schedule: Schedule, workflow: str, id: str, input: Contract, summary: str, address: str) -> JobToStart:
    return JobToStart(
        workflow=workflow,
        id=id,
        input=msgspec.to_builtins(input),
        summary=summary,
        knowledge_base=schedule.knowledge_base,
        actor=schedule.actor,
        address=address,
    )


#: The table of kinds.
KINDS: dict[ScheduleKind, Kind] = {
    "reindex": Kind(ReindexOptions, _check_reindex, _start_reindex),
    "retention": Kind(RetentionOptions, _check_retention, _start_retention),
    "sync": Kind(SyncOptions, _check_sync, _start_sync),
}

assert set(KINDS) == set(get_args(ScheduleKind))  # noqa: S101 - both are written by hand
