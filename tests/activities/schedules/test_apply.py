"""Catalogue and Temporal agree on schedules, whatever was lost between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, ScheduleActionStartWorkflow, ScheduleSpec
from temporalio.client import Schedule as TemporalSchedule

from activities.contracts.documents import Chunking
from activities.contracts.ids import RUN_SCHEDULED
from activities.contracts.queues import Queue
from activities.contracts.reconcile import Discrepancies
from activities.contracts.schedules import BeginScheduledInput, Timing
from activities.errors import ScheduleTaken
from activities.runtime import schedules as timers
from activities.runtime.temporal import connect
from activities.schedules.apply import apply, repair
from activities.settings import TemporalSettings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.schedule_records import NewSchedule, Schedule
from activities.stores.catalog.tables import new_id, now
from tests.conftest import assert_eventually

SOON = timedelta(minutes=1)


@pytest.fixture
async def client(temporal_server: TemporalSettings) -> AsyncIterator[Client]:
    """A client of a server that has no schedules at the end."""
    client = await connect(temporal_server)
    yield client
    async for name in timers.names(client):
        await timers.delete(client, name)


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """An empty catalogue."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


async def made(catalog: Catalog) -> Schedule:
    """A schedule that Temporal does not have yet."""
    name = f"s-{new_id()}"
    kb = await catalog.knowledge_bases.create(f"kb-{new_id()}", "", "", Chunking(), "ann")
    return await catalog.schedules.create(
        NewSchedule(
            name=name, kind="reindex", knowledge_base_id=kb.id, options={}, timing=Timing(cron="0 2 1 1 *"),
            paused=True, note="not yet", actor="ann",
        )
    )  # fmt: skip


async def listed(client: Client, name: str, *, there: bool = True) -> None:
    """Wait until Temporal's list, which follows a moment later, has a schedule or has it no more."""

    async def check() -> bool:
        return (name in [each async for each in timers.names(client)]) == there

    await assert_eventually(check, 20)


async def found(client: Client, catalog: Catalog, *, change: bool = True) -> list[str]:
    """What a repair finds, as examples."""
    discrepancies = Discrepancies()
    await repair(client, catalog, now() + SOON, change, discrepancies)
    return [example for each in discrepancies.list() for example in each.examples]


async def test_a_schedule_has_one_form(client: Client, catalog: Catalog) -> None:
    """Applied twice it is there once; a change gives it its new time, its note and its state."""
    schedule = await made(catalog)
    for _ in range(2):
        await apply(client, catalog, schedule.name)
    described = await timers.describe(client, schedule.name)
    assert described is not None
    assert (described.schedule.state.paused, described.schedule.state.note) == (True, "not yet")
    await catalog.schedules.change(schedule.id, "ann", "change", cron="", every_minutes=90, paused=False, note="")
    await apply(client, catalog, schedule.name)
    described = await timers.describe(client, schedule.name)
    assert described is not None
    assert [interval.every for interval in described.schedule.spec.intervals] == [timedelta(minutes=90)]
    assert not described.schedule.spec.calendars
    assert not described.schedule.state.paused


async def test_a_schedule_of_somebody_else_is_left_alone(client: Client, catalog: Catalog) -> None:
    """In the same namespace, with the same name."""
    schedule = await made(catalog)
    action = ScheduleActionStartWorkflow("Theirs", id="theirs", task_queue="theirs")
    theirs = await client.create_schedule(schedule.name, TemporalSchedule(action=action, spec=ScheduleSpec()))
    with pytest.raises(ScheduleTaken):
        await apply(client, catalog, schedule.name)
    await found(client, catalog)
    assert getattr((await theirs.describe()).schedule.action, "workflow", "") == "Theirs"
    await theirs.delete()


async def test_what_temporal_lost_is_made_again(client: Client, catalog: Catalog) -> None:
    """Also what it never had; what agrees is left alone."""
    schedule = await made(catalog)
    assert await found(client, catalog, change=False) == [schedule.name]
    assert await timers.describe(client, schedule.name) is None
    assert await found(client, catalog) == [schedule.name]
    await listed(client, schedule.name)
    assert await found(client, catalog) == []
    await timers.delete(client, schedule.name)
    await listed(client, schedule.name, there=False)
    assert await found(client, catalog) == [schedule.name]
    assert await timers.describe(client, schedule.name) is not None


async def test_what_the_catalogue_does_not_know_is_deleted(client: Client, catalog: Catalog) -> None:
    """Half-made and half-deleted ones, and those of a deleted knowledge base; schedules of others are left alone."""
    lost, gone, half = [await made(catalog) for _ in range(3)]
    for schedule in (lost, gone, half):
        await apply(client, catalog, schedule.name)
        await listed(client, schedule.name)
    await catalog.schedules.remove(lost.id)
    await catalog.knowledge_bases.delete(gone.knowledge_base, "ann")
    await catalog.schedules.change(half.id, "ann", "delete", is_deleting=True)
    assert set(await found(client, catalog)) == {lost.name, gone.name, half.name}
    for schedule in (lost, gone, half):
        assert await timers.describe(client, schedule.name) is None
    assert await catalog.schedules.all_for_repair() == []


async def test_a_run_that_was_terminated_has_ended(client: Client, catalog: Catalog) -> None:
    """One that goes on is left alone."""
    schedule = await made(catalog)
    await apply(client, catalog, schedule.name)
    await listed(client, schedule.name)
    for number in range(2):
        id = f"schedule/{schedule.name}-{number}"
        run = await client.start_workflow(RUN_SCHEDULED, id=id, task_queue=Queue.WORKFLOWS)
        input = BeginScheduledInput(
            schedule_id=schedule.id, occurrence=str(number), at=now(), workflow_id=id, run_id=run.result_run_id or ""
        )
        await catalog.schedules.begin_run(input)
        if number:
            await run.terminate("by hand")
    assert await found(client, catalog) == ["1"]
    states = {run.occurrence: run.state for run in await catalog.schedules.runs(schedule.id, 9)}
    assert states == {"0": "running", "1": "canceled"}
