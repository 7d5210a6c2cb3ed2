"""The part of schedules that Temporal holds: made, changed, started by hand, looked at. All raise as ``temporal`` does.

A schedule's id in Temporal is its name. It starts ``RunScheduled``, which reads everything else in the catalogue.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleListActionStartWorkflow,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from activities.contracts import addresses, described
from activities.contracts.ids import RUN_SCHEDULED, scheduled_id
from activities.contracts.queues import Queue
from activities.contracts.schedules import ScheduleToRun, TimedSchedule
from activities.contracts.search_attributes import attributes
from activities.errors import ScheduleTaken
from activities.runtime.temporal import RPC_TIMEOUT, RunNotFound, translated

#: What a run of each kind is called in Temporal's UI.
_TITLES = {"reindex": "Scheduled re-index", "retention": "Scheduled retention", "sync": "Scheduled sync"}

#: Schedules of one page of Temporal's list.
PAGE = 500


async def apply(client: Client, timed: TimedSchedule) -> None:
    """Make the schedule, or give it its present form; idempotent. Raises ScheduleTaken for one that is not ours."""
    desired = _schedule(timed)

    def updated(current: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = current.description.schedule
        if not isinstance(schedule.action, ScheduleActionStartWorkflow) or schedule.action.workflow != RUN_SCHEDULED:
            raise ScheduleTaken(name=timed.name)
        schedule.action, schedule.spec = desired.action, desired.spec
        schedule.policy, schedule.state = desired.policy, desired.state
        return ScheduleUpdate(schedule=schedule)

    async with translated():
        try:
            await client.create_schedule(timed.name, desired, rpc_timeout=RPC_TIMEOUT)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(timed.name).update(updated, rpc_timeout=RPC_TIMEOUT)


async def delete(client: Client, name: str) -> None:
    """Delete a schedule; one that does not exist is ignored. What it has started goes on."""
    with suppress(RunNotFound):
        async with translated():
            await client.get_schedule_handle(name).delete(rpc_timeout=RPC_TIMEOUT)


async def trigger(client: Client, name: str) -> None:
    """Start a run now. Raises RunNotFound."""
    async with translated():
        await handle(client, name).trigger(overlap=ScheduleOverlapPolicy.SKIP, rpc_timeout=RPC_TIMEOUT)


async def backfill(client: Client, name: str, start: datetime, end: datetime) -> None:
    """Start the runs of a past time, one after the other. Raises RunNotFound."""
    past = ScheduleBackfill(start_at=start, end_at=end, overlap=ScheduleOverlapPolicy.BUFFER_ALL)
    async with translated():
        await handle(client, name).backfill(past, rpc_timeout=RPC_TIMEOUT)


async def pause(client: Client, name: str, note: str) -> None:
    """Pause a schedule that is not in the catalogue. Raises RunNotFound."""
    async with translated():
        await handle(client, name).pause(note=note, rpc_timeout=RPC_TIMEOUT)


async def resume(client: Client, name: str, note: str) -> None:
    """Resume a schedule that is not in the catalogue. Raises RunNotFound."""
    async with translated():
        await handle(client, name).unpause(note=note, rpc_timeout=RPC_TIMEOUT)


async def describe(client: Client, name: str) -> ScheduleDescription | None:
    """What Temporal says of a schedule; None if it has none."""
    try:
        async with translated():
            return await handle(client, name).describe(rpc_timeout=RPC_TIMEOUT)
    except RunNotFound:
        return None


async def names(client: Client) -> AsyncIterator[str]:
    """The names of all schedules that start ``RunScheduled``."""
    async with translated():
        async for listed in await client.list_schedules(page_size=PAGE, rpc_timeout=RPC_TIMEOUT):
            action = listed.schedule.action if listed.schedule is not None else None
            if isinstance(action, ScheduleListActionStartWorkflow) and action.workflow == RUN_SCHEDULED:
                yield listed.id


def handle(client: Client, name: str) -> ScheduleHandle:
    """The handle of a schedule by its name."""
    return client.get_schedule_handle(name)


def _schedule(timed: TimedSchedule) -> Schedule:
    timing = timed.timing
    every = [ScheduleIntervalSpec(every=timedelta(minutes=timing.every_minutes))] if timing.every_minutes else []
    return Schedule(
        action=ScheduleActionStartWorkflow(
            RUN_SCHEDULED,
            ScheduleToRun(schedule_id=timed.schedule_id, name=timed.name),
            id=scheduled_id(timed.name),  # Temporal adds the time
            task_queue=Queue.WORKFLOWS,
            static_summary=described.summary(
                f"{_TITLES[timed.kind]} of {timed.knowledge_base}: {timed.name}", timed.actor
            ),
            static_details=described.details(addresses.schedule(timed.name), timed.actor),
            typed_search_attributes=attributes(timed.knowledge_base, timed.actor),
        ),
        spec=ScheduleSpec(
            cron_expressions=[timing.cron] if timing.cron else [], intervals=every, time_zone_name=timing.time_zone
        ),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=timing.catch_up_minutes)
        ),
        state=ScheduleState(paused=timed.paused, note=timed.note),
    )
