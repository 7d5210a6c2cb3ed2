"""Histories of ended runs are exported once, with their hash in the audit trail, and deleted after their time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.histories import ExpireInput
from activities.contracts.ids import archive_id
from activities.contracts.queues import Queue
from activities.errors import HistoryLost, HistoryTampered, NotFound
from activities.histories import export, listing
from activities.histories.archive import HistoryActivities
from activities.settings import ArchiveSettings
from activities.stores.catalog.records import AuditEvent
from activities.stores.catalog.runs.archive import hex_of
from activities.stores.catalog.tables import new_id
from tests.activities.histories.conftest import World
from tests.stores.catalog.conftest import sql
from tests.workflows.test_replay import replayer
from workflows.archive import ArchiveHistories
from workflows.contracts import ArchiveJob, ArchiveReport


@pytest.fixture
async def archiving(world: World) -> AsyncIterator[World]:
    """With workers of ArchiveHistories and its activities."""
    activities = HistoryActivities(world.blobs, world.catalog, ArchiveSettings())
    runner = UnsandboxedWorkflowRunner()
    async with (
        Worker(world.ours, task_queue=Queue.WORKFLOWS, workflows=[ArchiveHistories], workflow_runner=runner),
        Worker(
            world.ours,
            task_queue=Queue.STORE,
            activities=[activities.archive_histories, activities.expire_histories],
        ),
    ):
        yield world


async def archived(world: World) -> tuple[str, ArchiveReport]:
    """Run ArchiveHistories; its id and report."""
    id = archive_id(new_id())
    job = ArchiveJob()
    report = await world.ours.execute_workflow(ArchiveHistories.run, job, id=id, task_queue=Queue.WORKFLOWS)
    return id, report


async def events(world: World) -> list[AuditEvent]:
    """The events of runs in the trail."""
    return await world.catalog.audit.page(None, 1000, action="run")


async def test_an_ended_run_is_exported_once(archiving: World) -> None:
    """Whole, with its payloads as they are; a running one is left, and its export replays."""
    ended, running = await archiving.started(), await archiving.started()
    await ended.signal("end")
    await archiving.closed(ended)
    first, _ = await archived(archiving)
    run = await archiving.catalog.run_archive.get(str(ended.first_execution_run_id))
    (event,) = [event for event in await events(archiving) if event.object_id == hex_of(run.run_id)]
    assert (event.actor, event.action) == ("system", "run.archive")
    named = {"workflow": ended.id, "run": run.run_id, "result": "queued", "ended": "completed"}
    assert event.detail | named == event.detail
    data = await export.load(archiving.blobs, run, event.detail["sha256"])
    exported = export.unpack(data)
    assert exported == list((await ended.fetch_history()).events)
    assert (run.events, run.bytes, run.actor) == (len(exported), len(data), "ann")
    assert run.blob_key.startswith(f"histories/{run.closed_at:%Y-%m-%d}/")
    with pytest.raises(NotFound):
        await archiving.catalog.run_archive.get(str(running.first_execution_run_id))
    before = {event.id for event in await events(archiving)}
    again, _ = await archived(archiving)
    new = [event for event in await events(archiving) if event.id not in before]
    assert {event.detail["workflow"] for event in new} <= {first}
    for id in (first, again):
        await replayer().replay_workflow(await archiving.ours.get_workflow_handle(id).fetch_history())


async def test_an_export_that_was_not_recorded_is_made_again(archiving: World) -> None:
    """A worker that dies between the blob and its record loses nothing; the bytes are the same."""
    run = await archiving.started()
    await run.signal("end")
    await archiving.closed(run)
    histories = [export.pack((await run.fetch_history()).events) for _ in range(2)]
    assert histories[0] == histories[1]
    await archived(archiving)
    record = await archiving.catalog.run_archive.get(str(run.first_execution_run_id))
    assert await archiving.blobs.get(record.blob_key) == histories[0]


async def test_a_changed_file_is_noticed(archiving: World) -> None:
    """By the hash in the audit trail; one that is gone too."""
    run = await archiving.started()
    await run.signal("end")
    await archiving.closed(run)
    await archived(archiving)
    record = await archiving.catalog.run_archive.get(str(run.first_execution_run_id))
    sha256 = await archiving.catalog.run_archive.sha256(record)
    whole = export.unpack(await archiving.blobs.get(record.blob_key))
    await archiving.blobs.put(record.blob_key, export.pack(whole[1:]))
    with pytest.raises(HistoryTampered):
        await export.load(archiving.blobs, record, sha256)
    await archiving.blobs.delete(record.blob_key)
    with pytest.raises(HistoryLost):
        await export.load(archiving.blobs, record, sha256)


async def test_histories_go_after_their_time(archiving: World) -> None:
    """None while the setting keeps them for ever; the audit trail says how many went."""
    run = await archiving.started()
    await run.signal("end")
    await archiving.closed(run)
    await archived(archiving)
    record = await archiving.catalog.run_archive.get(str(run.first_execution_run_id))

    async def expired(days: int) -> int:
        settings = ArchiveSettings(keep_days=days)
        activities = HistoryActivities(archiving.blobs, archiving.catalog, settings)
        return (await archiving.call(activities.expire_histories, ExpireInput())).expired

    assert (await expired(0), await expired(1)) == (0, 0)
    ago = (datetime.now(UTC) - timedelta(days=2)).isoformat(sep=" ")
    await sql(archiving.settings, f"UPDATE archived_runs SET closed_at = '{ago}' WHERE run_id = '{record.run_id}'")
    assert (await expired(3), await expired(0), await expired(1)) == (0, 0, 1)
    assert await archiving.catalog.run_archive.known([record.run_id]) == set()
    assert not await archiving.blobs.exists(record.blob_key)
    (event, *_) = await events(archiving)
    assert (event.action, event.detail["runs"]) == ("run.expire", 1)


async def test_pages_of_a_list_go_on_where_they_were(world: World) -> None:
    """By Temporal's token, which a scan hands on."""
    runs = {(await world.started()).id for _ in range(3)}
    found: set[str] = set()
    token = ""
    while not found >= runs:
        page, token = await listing.page(world.ours, listing.OURS, token, size=1)
        found |= {run.id for run in page}
        assert token or found >= runs


def test_a_history_is_read_back() -> None:
    """Also an empty one."""
    assert export.unpack(export.pack([])) == WorkflowHistory("none", []).events
