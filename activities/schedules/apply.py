"""Hands schedules of the catalogue to Temporal, also those of which a request, or Temporal, lost the other half."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from temporalio.client import Client, WorkflowExecutionStatus

from activities.contracts.reconcile import Discrepancies
from activities.contracts.schedules import RecordScheduledInput
from activities.errors import Canceled, NotFound, ScheduleTaken
from activities.runtime import schedules as timers
from activities.runtime import temporal
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.schedule_records import Schedule

#: How often a schedule is applied again that others change at the same time.
ATTEMPTS = 10


async def apply(client: Client, catalog: Catalog, name: str) -> Schedule:
    """Gives Temporal the present form of a schedule, however many change it at once.

    Raises NotFound and ScheduleTaken.
    """
    for _ in range(ATTEMPTS):
        schedule = await catalog.schedules.get(name)
        await timers.apply(client, schedule.timed())
        if await catalog.schedules.applied(schedule.id, schedule.revision):
            return schedule
    return schedule


async def delete(client: Client, catalog: Catalog, schedule: Schedule) -> None:
    """Deletes a schedule, with the record of its runs."""
    await timers.delete(client, schedule.name)
    await catalog.schedules.remove(schedule.id)


async def repair(client: Client, catalog: Catalog, since: datetime, change: bool, discrepancies: Discrepancies) -> None:
    """Makes Temporal and catalogue agree on what did not change after ``since``; ``change`` False only reports."""
    held = [name async for name in timers.names(client)]
    known = await catalog.schedules.all_for_repair()
    for schedule, applied, orphaned in known:
        if schedule.updated_at > since or (applied and not orphaned and schedule.name in held):
            continue
        if change and (orphaned or schedule.is_deleting):
            await delete(client, catalog, schedule)
        elif change:
            with suppress(NotFound, ScheduleTaken):  # deleted meanwhile, or of somebody else's in Temporal
                await apply(client, catalog, schedule.name)
        discrepancies.add("schedules_differ", schedule.name, mended=change)
    for name in set(held) - {schedule.name for schedule, _, _ in known}:
        described = await timers.describe(client, name)
        if described is None or described.info.created_at > since or await _exists(catalog, name):
            continue
        if change:
            await timers.delete(client, name)
        discrepancies.add("schedules_differ", name, mended=change)
    await _end_lost_runs(client, catalog, since, change, discrepancies)


async def _exists(catalog: Catalog, name: str) -> bool:
    try:
        await catalog.schedules.get(name)
    except NotFound:
        return False
    return True


async def _end_lost_runs(
    client: Client, catalog: Catalog, since: datetime, change: bool, discrepancies: Discrepancies
) -> None:
    """Records that runs were canceled that ended without a word, such as one that was terminated by hand."""
    for run in await catalog.schedules.unfinished_runs(since):
        seen = await temporal.describe(client, run.workflow_id, run.run_id)
        if seen is not None and seen.status is WorkflowExecutionStatus.RUNNING:
            continue
        if change:
            canceled = RecordScheduledInput(record_id=run.id, state="canceled", reason=Canceled().reason)
            await catalog.schedules.record_run(canceled)
        discrepancies.add("schedules_differ", run.occurrence, mended=change)
