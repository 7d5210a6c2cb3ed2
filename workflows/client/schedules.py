"""What Temporal starts by itself: `Reconcile`, every so many minutes."""

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
from activities.runtime.temporal import RunNotFound, attributes, translated
from workflows.contracts import ReconcileJob
from workflows.reconcile import Reconcile

#: The schedule's id.
RECONCILE = "reconcile"

#: A start that was missed by longer than this is not made up for: the next one does the same.
CATCH_UP = timedelta(minutes=10)


async def schedule_reconcile(client: Client, minutes: int) -> None:
    """Bring the schedule up to date: made, changed, or, with 0 minutes, removed. Many workers may do it at once.

    A schedule that somebody has paused stays paused. Raises TemporalUnavailable.
    """
    if not minutes:
        with suppress(RunNotFound):
            async with translated():
                await client.get_schedule_handle(RECONCILE).delete()
        return
    async with translated():
        wanted = _schedule(minutes)
        try:
            await client.create_schedule(RECONCILE, wanted)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(RECONCILE).update(lambda found: _updated(found, wanted))


def _schedule(minutes: int) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            Reconcile.run,
            ReconcileJob(),
            id=reconcile_id("scheduled"),  # Temporal adds the time
            task_queue=Queue.WORKFLOWS,
            static_summary="Compare catalogue, blobs, Milvus and Temporal; repair differences",
            typed_search_attributes=attributes(None, "schedule"),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=minutes))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


def _updated(found: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate:
    schedule = found.description.schedule
    schedule.action, schedule.spec, schedule.policy = wanted.action, wanted.spec, wanted.policy
    return ScheduleUpdate(schedule=schedule)
