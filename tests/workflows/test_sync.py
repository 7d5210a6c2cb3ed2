"""Syncs of a folder: exactly the difference, nothing by accident, and everything once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contracts.deletion import StopRunsInput
from activities.contracts.ids import delete_id, sync_workflow_id
from activities.contracts.reconcile import ScanInput
from activities.contracts.sync import ApplyInput, SyncInput
from activities.ingest.deletion import DeletionActivities
from activities.reconcile.blobs import BlobRepairActivities
from activities.reconcile.runs import RunRepairActivities
from activities.runtime.temporal import describe
from activities.settings import TemporalSettings
from activities.stores.blob_keys import original_key, sync_listing_key, sync_prefix
from activities.stores.catalog.source_records import Sync
from activities.stores.milvus import Milvus
from activities.sync import steps
from activities.sync.steps import SyncActivities
from tests.conftest import steps_of
from tests.s3 import serving_s3
from tests.workflows.following import Following, following

COUNT = 60


@pytest.fixture
async def synced(temporal_server: TemporalSettings, tmp_path: Path) -> AsyncIterator[Following]:
    """A knowledge base that follows a folder with ``COUNT`` files, and has them."""
    async with following(temporal_server, tmp_path) as found:
        for number in range(COUNT):
            found.write(f"part {number % 3}/{number}.txt", f"Text number {number}.")
        first = await found.sync()
        assert first.applied == {"added": COUNT}
        yield found


async def test_exactly_the_difference_is_applied(synced: Following) -> None:
    """Of all files, those that changed, are new or are gone; the others are not even opened."""
    before = await synced.documents()
    for number in range(0, 8):
        synced.write(f"part {number % 3}/{number}.txt", f"Changed text {number}.", at=2e9)
    for number in range(8, 12):
        (synced.root / f"part {number % 3}/{number}.txt").unlink()
    for number in range(3):
        synced.write(f"new/{number}.txt", f"New text {number}.")
    os.utime(synced.root / "part 0/12.txt", (2e9, 2e9))  # touched: the same content
    done = await synced.sync()
    assert done.applied == {"updated": 8, "added": 3, "deleted": 4}
    assert done.report is not None
    assert (done.report.unchanged, done.report.conflicts, done.report.left_out) == (COUNT - 12, 0, {})
    after = await synced.documents()
    assert after.keys() - before.keys() == {"new/0.txt", "new/1.txt", "new/2.txt"}
    assert len(before.keys() - after.keys()) == 4
    assert sum(after[name].version == 2 for name in after) == 8
    assert {after[name].version for name in after if name not in before} == {1}
    assert after["new/0.txt"].tags == ["synced"]
    changed = after["part 0/0.txt"]
    assert await synced.blobs.get(original_key(changed.sha256)) == b"Changed text 0."
    (gone,) = [document for document in before.values() if document.name == "part 2/8.txt"]
    assert await describe(synced.client, delete_id(gone.id)) is not None
    batch = await synced.catalog.batches.get(done.batch_id or "")
    assert (batch.closed, batch.name) == (True, "handbook")
    assert await synced.catalog.batches.counts(batch.id) == {"queued": 11}
    assert await synced.blobs.list("syncs") == []
    events = {event.action for event in await synced.catalog.audit.page(None, 500, knowledge_base=synced.kb.name)}
    assert {"source.create", "sync.start", "sync.finish", "document.upload", "document.delete"} <= events

    again = await synced.sync()
    assert (again.applied, again.total, again.batch_id) == ({}, 0, None)


async def test_an_unchanged_source_costs_one_listing(synced: Following) -> None:
    """No file is read: another content with the same size and time is not noticed. Nothing is applied."""
    for number in range(COUNT):
        synced.write(f"part {number % 3}/{number}.txt", f"text Number {number}.")
    done = await synced.sync()
    assert done.report is not None
    assert done.report.unchanged == COUNT
    steps = await steps_of(synced.client, sync_workflow_id(done.source_id, done.occurrence))
    assert [step for step in steps if step != "record_sync"] == ["list_source", "compare_source"]


async def test_documents_of_people_are_left_alone(synced: Following) -> None:
    """Those that had the name first, and those that a person has replaced: never changed, never deleted."""
    documents = synced.catalog.documents
    await documents.accept(synced.kb.id, "mine.txt", "1" * 64, 5, "bob")
    await documents.accept(synced.kb.id, "part 0/0.txt", "2" * 64, 5, "bob")  # was the source's
    synced.write("mine.txt", "The source's.")
    synced.write("part 0/0.txt", "Changed.", at=2e9)
    done = await synced.sync()
    assert done.report is not None
    assert (done.report.conflicts, done.applied) == (2, {})
    for name in ("mine.txt", "part 0/0.txt"):
        (synced.root / name).unlink()
    assert (await synced.sync()).applied == {}
    found = await synced.documents()
    assert (found["mine.txt"].sha256, found["part 0/0.txt"].sha256) == ("1" * 64, "2" * 64)


async def test_a_document_that_a_person_deleted_comes_back(synced: Following) -> None:
    """The knowledge base follows the source: what is in it is there."""
    document = (await synced.documents())["part 1/1.txt"]
    await synced.catalog.documents.delete(document.id, "bob")
    assert (await synced.sync()).applied == {"added": 1}


async def test_an_empty_folder_deletes_nothing_unasked(synced: Following) -> None:
    """As of one that is not mounted: the sync waits for a person, and changes nothing when canceled."""
    before = await synced.documents()
    synced.root.rename(synced.root.with_name("elsewhere"))
    synced.root.mkdir()
    asks = await synced.reaches(await synced.start(), "waiting")
    assert (asks.waiting_for, asks.stage) == ("confirmation", "confirm")
    assert asks.reason is not None
    assert f"{COUNT} of {COUNT} documents are gone" in asks.reason.render()
    same = await synced.start(occurrence="another")
    assert same.id == asks.id  # one at a time: it joins the one that waits
    await synced.signal(asks, "cancel")
    assert (await synced.reaches(asks, "canceled")).applied == {}
    assert await synced.documents() == before


async def test_confirmed_deletions_are_made(synced: Following) -> None:
    """But for files that are there again by then."""
    synced.root.rename(synced.root.with_name("elsewhere"))
    synced.root.mkdir()
    asks = await synced.reaches(await synced.start(), "waiting")
    synced.write("part 0/0.txt", "It is there again.")
    await synced.signal(asks, "confirm")
    done = await synced.reaches(asks, "ready")
    assert done.applied == {"deleted": COUNT - 1, "missed": 1}
    assert (await synced.documents()).keys() == {"part 0/0.txt"}


async def test_a_folder_that_is_missing_is_waited_for(synced: Following) -> None:
    """With its reason; when it is back, the sync goes on by itself, and nothing was deleted."""
    away = synced.root.with_name("away")
    synced.root.rename(away)
    waits = await synced.reaches(await synced.start(), "waiting")
    assert (waits.waiting_for, waits.stage) == ("source", "list")
    assert waits.reason is not None
    assert "not mounted" in waits.reason.render()
    assert str(synced.root) not in waits.reason.render()
    away.rename(synced.root)
    assert (await synced.reaches(waits, "ready")).applied == {}
    assert len(await synced.documents()) == COUNT


async def test_a_preview_changes_nothing(synced: Following) -> None:
    """It says what a sync would do, with the first names, also beside one that waits for a person."""
    synced.write("new.txt", "New.")
    synced.write("part 0/3.txt", "Changed.", at=2e9)
    for number in range(20, 40):
        (synced.root / f"part {number % 3}/{number}.txt").unlink()
    asks = await synced.reaches(await synced.start(), "waiting")
    preview = await synced.sync(preview=True)
    assert preview.id != asks.id
    assert preview.report is not None
    assert (preview.report.added, preview.report.updated, preview.report.deleted) == (1, 1, 20)
    assert preview.report.guarded
    assert preview.report.names["added"] == ["new.txt"]
    assert len(preview.report.names["deleted"]) == 10
    assert preview.applied == {}
    assert "new.txt" not in await synced.documents()
    await synced.signal(asks, "cancel")
    await synced.reaches(asks, "canceled")


async def test_starting_twice_is_starting_once(synced: Following) -> None:
    """Of one occurrence, also after its end; at the same time, of any."""
    first = await synced.sync(occurrence="2026-11-29T10:00:00Z")
    assert (await synced.start(occurrence="2026-11-29T10:00:00Z")).id == first.id
    some = await asyncio.gather(*(synced.start(occurrence=str(number)) for number in range(5)))
    assert len({sync.id for sync in some}) <= 5
    unfinished = {sync.id for sync in some if sync.finished_at is None}
    for id in unfinished:
        await synced.reaches(await synced.catalog.syncs.get(id), "ready")


async def test_a_paused_sync_changes_nothing_until_it_is_resumed(synced: Following) -> None:
    """Here it is paused while it waits for its folder; a cancel ends it from there as well."""
    away = synced.root.with_name("away")
    synced.root.rename(away)
    sync = await synced.reaches(await synced.start(), "waiting")
    await synced.signal(sync, "pause")
    await synced.reaches(sync, "paused")
    away.rename(synced.root)
    synced.write("new.txt", "New.")
    await synced.signal(sync, "resume")
    assert (await synced.reaches(sync, "ready")).applied == {"added": 1}


async def test_a_slice_that_is_applied_again_changes_nothing_more(synced: Following) -> None:
    """A worker may end after its changes, and before anybody hears of them."""
    synced.write("new.txt", "New.")
    synced.write("part 0/3.txt", "Changed.", at=2e9)
    (synced.root / "part 1/4.txt").unlink()
    asks, activities, environment = await compared(synced)
    first = await environment.run(activities.apply_changes, ApplyInput(sync_id=asks.id, offset=0))
    before = await synced.documents()
    again = await environment.run(activities.apply_changes, ApplyInput(sync_id=asks.id, offset=0))
    assert first == again
    assert first.counts == {"added": 1, "updated": 1, "deleted": 1}
    assert await synced.documents() == before


async def test_a_document_that_is_deleted_meanwhile_is_added_anew(synced: Following) -> None:
    """Also if its file has changed: with the source's tags, as its file were new; the tags of others stay theirs."""
    before = await synced.documents()
    for name in ("part 0/0.txt", "part 1/1.txt"):
        synced.write(name, f"Changed {name}.", at=2e9)
        await synced.catalog.documents.tag(before[name].id, ["mine"], "bob")
    sync, activities, environment = await compared(synced)
    await synced.catalog.documents.delete(before["part 0/0.txt"].id, "bob")
    applied = await environment.run(activities.apply_changes, ApplyInput(sync_id=sync.id, offset=0))
    assert applied.counts == {"added": 1, "updated": 1}
    after = await synced.documents()
    again, changed = after["part 0/0.txt"], after["part 1/1.txt"]
    assert (again.id != before["part 0/0.txt"].id, again.version, again.tags) == (True, 1, ["synced"])
    assert (changed.version, changed.tags) == (2, ["mine"])


async def test_an_activity_loads_only_its_piece_of_the_changes(
    synced: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are; one that begins in the middle of a piece ends with it, and the last is short."""
    monkeypatch.setattr(steps, "PIECE", 4)
    for number in range(10):
        synced.write(f"new/{number}.txt", f"New text {number}.")
    sync, activities, environment = await compared(synced)
    pieces = [f"{sync_prefix(sync.id)}/changes-{piece}" for piece in range(3)]
    assert set(await synced.blobs.list("syncs")) == {*pieces, sync_listing_key(sync.id)}
    for offset, reached in ((0, 4), (5, 8), (8, 10)):
        applied = await environment.run(activities.apply_changes, ApplyInput(sync_id=sync.id, offset=offset))
        assert applied.next == reached
    assert len(await synced.documents()) == COUNT + 9


async def compared(synced: Following) -> tuple[Sync, SyncActivities, ActivityEnvironment]:
    """A sync without a run that has its changes, and what to apply them with."""
    sync = await synced.catalog.syncs.start(synced.source.id, "by hand", "ann", preview=False)
    activities = SyncActivities(synced.blobs, synced.catalog, synced.settings)
    environment = ActivityEnvironment(client=synced.client)
    await environment.run(activities.list_source, SyncInput(sync_id=sync.id))
    await environment.run(activities.compare_source, SyncInput(sync_id=sync.id))
    return sync, activities, environment


async def test_a_place_that_is_no_longer_allowed_ends_the_sync(
    temporal_server: TemporalSettings, tmp_path: Path
) -> None:
    """The settings count when it runs, not only when the source was made."""
    (tmp_path / "other").mkdir()
    async with following(temporal_server, tmp_path, location=None) as found:
        await found.catalog.sources.change(found.source.id, {"location": "/etc"}, "ann")
        failed = await found.reaches(await found.start(), "failed")
        assert failed.reason is not None
        assert failed.reason.code == "sync-not-allowed"
        assert "/etc" not in failed.reason.render()


async def test_a_file_that_is_being_written_is_never_taken_in_half(synced: Following) -> None:
    """It is left to a later sync while it does not rest; what is taken is what was there at one moment."""
    path, ended = synced.root / "busy.txt", threading.Event()
    path.write_text("a" * 300_000)

    def write_on() -> None:
        while not ended.is_set():
            for letter in "ab":
                with path.open("r+") as file:
                    file.write(letter * 300_000)

    writing = asyncio.create_task(asyncio.to_thread(write_on))
    done = await synced.sync()
    ended.set()
    await writing
    assert done.applied == {"missed": 1}
    assert (await synced.sync()).applied == {"added": 1}
    taken = (await synced.documents())["busy.txt"]
    assert set(await synced.blobs.get(original_key(taken.sha256))) == {ord("b")}


class NoCollections:
    """A vector store without collections."""

    async def collections(self) -> list[str]:
        """None."""
        return []


async def test_reconcile_starts_a_sync_that_has_no_run(synced: Following) -> None:
    """The process that recorded it may have ended before it was started; what is left of others is removed."""
    synced.write("new.txt", "New.")
    await synced.blobs.save(sync_listing_key("0" * 32), [])
    sync = await synced.catalog.syncs.start(synced.source.id, "", "ann", preview=False)
    await synced.blobs.save(sync_listing_key(sync.id), [])
    environment = ActivityEnvironment(client=synced.client)
    blobs = BlobRepairActivities(synced.blobs, synced.catalog, synced.settings.reconcile)
    await environment.run(blobs.repair_blobs, ScanInput(repair=True, grace_seconds=0, after="syncs"))
    assert await synced.blobs.list("syncs") == [sync_listing_key(sync.id)]
    runs = RunRepairActivities(synced.catalog, cast(Milvus, NoCollections()))
    result = await environment.run(runs.repair_deletions, ScanInput(repair=True, grace_seconds=0))
    assert [(each.kind, each.count) for each in result.findings] == [("syncs_without_run", 1)]
    assert (await synced.reaches(sync, "ready")).applied == {"added": 1}


async def test_the_deletion_of_a_knowledge_base_stops_its_sync(synced: Following) -> None:
    """Here one that waits for a person."""
    synced.root.rename(synced.root.with_name("elsewhere"))
    synced.root.mkdir()
    asks = await synced.reaches(await synced.start(), "waiting")
    await synced.catalog.knowledge_bases.delete(synced.kb.name, "bob")

    async def unload() -> None:
        """No model is loaded."""

    deleting = DeletionActivities(synced.blobs, cast(Milvus, NoCollections()), synced.catalog, unload)
    environment = ActivityEnvironment(client=synced.client)
    with pytest.raises(ApplicationError, match="1 runs"):
        await environment.run(deleting.stop_runs, StopRunsInput(knowledge_base_id=synced.kb.id, actor="bob"))
    assert (await synced.reaches(asks, "canceled")).applied == {}


async def test_a_prefix_of_a_bucket_is_followed(temporal_server: TemporalSettings, tmp_path: Path) -> None:
    """As a folder is: exactly the difference; a server that is away, and a bucket that is empty, delete nothing."""
    with serving_s3() as bucket:
        bucket.put({f"handbook/{number % 3}/{number}.txt": f"Text number {number}." for number in range(COUNT)})
        bucket.put({"handbook2/other.txt": "Beside it."})
        async with following(temporal_server, tmp_path, f"s3://{bucket.name}/handbook", f"s3://{bucket.name}") as found:
            assert (await found.sync()).applied == {"added": COUNT}
            bucket.put({f"handbook/{number % 3}/{number}.txt": f"Changed {number}." for number in range(4)})
            bucket.put({f"handbook/{number % 3}/{number}.txt": f"Text number {number}." for number in range(4, 6)})
            bucket.put({"handbook/new.txt": "New."})
            bucket.delete("handbook/0/9.txt", "handbook/1/10.txt")
            done = await found.sync()
            assert done.applied == {"updated": 4, "added": 1, "deleted": 2}
            assert (await found.sync()).total == 0
            names = (await found.documents()).keys()
            assert {"new.txt", "0/0.txt"} <= names
            assert not {"0/9.txt", "1/10.txt", "other.txt"} & names
            bucket.stop()
            waits = await found.reaches(await found.start(), "waiting")
            assert waits.waiting_for == "source"
            await found.signal(waits, "cancel")
            await found.reaches(waits, "canceled")
            assert len(await found.documents()) == COUNT - 1
