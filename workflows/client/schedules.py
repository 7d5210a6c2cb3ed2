"""The schedule by which Temporal starts `Reconcile` at an interval."""

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

from activities.contracts.ids import reconcile_id
from activities.contracts.queues import Queue
from activities.contracts.summaries import Summary
from activities.runtime.temporal import RunNotFound, attributes, translated
from workflows.contracts import ReconcileJob
from workflows.reconcile import Reconcile

#: The schedule's id.
RECONCILE = "reconcile"

#: A missed start is caught up within this time; after it, the next scheduled run covers it.
CATCH_UP = timedelta(minutes=10)


async def schedule_reconcile(client: Client, minutes: int) -> None:
    """Create or update the schedule, or remove it for 0 minutes. Safe to call from several workers at once.

    A paused schedule stays paused. Raises TemporalUnavailable.
    """
    if not minutes:
        with suppress(RunNotFound):
            async with translated():
                await client.get_schedule_handle(RECONCILE).delete()
        return
    async with translated():
        desired = _schedule(minutes)
        try:
            await client.create_schedule(RECONCILE, desired)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(RECONCILE).update(lambda current: _updated(current, desired))


def _schedule(minutes: int) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            Reconcile.run,
            ReconcileJob(),
            id=reconcile_id("scheduled"),  # Temporal adds the time
            task_queue=Queue.WORKFLOWS,
            static_summary=Summary("Compare catalogue, blobs, Milvus and Temporal; repair differences"),
            typed_search_attributes=attributes(None, "schedule"),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=minutes))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


def _updated(current: ScheduleUpdateInput, desired: Schedule) -> ScheduleUpdate:
    schedule = current.description.schedule
    schedule.action, schedule.spec, schedule.policy = desired.action, desired.spec, desired.policy
    return ScheduleUpdate(schedule=schedule)
