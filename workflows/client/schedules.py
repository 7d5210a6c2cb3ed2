"""The schedules by which Temporal starts `Reconcile` and `ArchiveHistories` at intervals."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from activities.contracts import addresses, described
from activities.contracts.ids import archive_id, reconcile_id
from activities.contracts.queues import Queue
from activities.contracts.search_attributes import attributes
from activities.contracts.summaries import Summary
from activities.runtime.temporal import RunNotFound, translated
from workflows.archive import ArchiveHistories
from workflows.contracts import ArchiveJob, ReconcileJob
from workflows.reconcile import Reconcile

#: The schedules' ids. A schedule of users cannot have the name of the second: names have no slash.
RECONCILE, ARCHIVE = "reconcile", "holdfast/archive"

#: A missed start is caught up within this time; after it, the next scheduled run covers it.
CATCH_UP = timedelta(minutes=10)


async def schedule_reconcile(client: Client, minutes: int) -> None:
    """Create or update Reconcile's schedule, or remove it for 0 minutes. Safe to call from several workers at once.

    A paused schedule stays paused. Raises TemporalUnavailable.
    """
    action = ScheduleActionStartWorkflow(
        Reconcile.run,
        ReconcileJob(),
        id=reconcile_id("scheduled"),  # Temporal adds the time
        task_queue=Queue.WORKFLOWS,
        static_summary=Summary("Compare catalogue, blobs, Milvus and Temporal; repair differences"),
        static_details=described.details(addresses.schedule(RECONCILE), "schedule"),
        typed_search_attributes=attributes(None, "schedule"),
    )
    await _ensure(client, RECONCILE, action, minutes)


async def schedule_archive(client: Client, minutes: int) -> None:
    """The same for the schedule of ArchiveHistories."""
    action = ScheduleActionStartWorkflow(
        ArchiveHistories.run,
        ArchiveJob(),
        id=archive_id("scheduled"),
        task_queue=Queue.WORKFLOWS,
        static_summary=Summary("Export the histories of ended runs to the blob store"),
        static_details=described.details(addresses.RUNS, "schedule"),
        typed_search_attributes=attributes(None, "schedule"),
    )
    await _ensure(client, ARCHIVE, action, minutes)


async def _ensure(client: Client, id: str, action: ScheduleActionStartWorkflow, minutes: int) -> None:
    if not minutes:
        with suppress(RunNotFound):
            async with translated():
                await client.get_schedule_handle(id).delete()
        return
    async with translated():
        desired = _schedule(action, minutes)
        try:
            await client.create_schedule(id, desired)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(id).update(lambda current: _updated(current, desired))


def _schedule(action: ScheduleActionStartWorkflow, minutes: int) -> Schedule:
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=minutes))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


def _updated(current: ScheduleUpdateInput, desired: Schedule) -> ScheduleUpdate:
    schedule = current.description.schedule
    schedule.action, schedule.spec, schedule.policy = desired.action, desired.spec, desired.policy
    return ScheduleUpdate(schedule=schedule)
