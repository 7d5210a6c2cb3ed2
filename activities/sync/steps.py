"""The activities of a sync: list the source, compare, apply the difference, record."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast

import msgspec
from temporalio import activity

from activities.contracts.batches import BatchToIngest
from activities.contracts.deletion import DeleteJob
from activities.contracts.stages import FINAL_STATES
from activities.contracts.sync import Applied, ApplyInput, Compared, Listed, RecordSyncInput, SyncInput
from activities.errors import NotFound, SourceUnavailable, WrongState
from activities.runtime import starts
from activities.runtime.heartbeat import heartbeating, report
from activities.settings import Settings
from activities.stores.blob_keys import sync_changes_key, sync_listing_key, sync_prefix
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.source_records import Source, SourceDocument, Sync
from activities.sync.bucket import BucketFiles
from activities.sync.compare import Change, Difference, guard
from activities.sync.folder import FolderFiles
from activities.sync.intake import SyncIntake
from activities.sync.listing import Collector, File, Listing, NotTaken, SourceFiles
from activities.sync.places import Folder, place_of

#: Documents of one query.
PAGE = 1000

#: Changes applied at once, those of one piece, of which an activity loads one, and most seconds in an activity.
GROUP, PIECE, SLICE_SECONDS = 50, 1000, 10.0

#: Share of the pending documents that are allowed which a sync leaves to people.
ROOM = 0.5


class SyncActivities:
    """Runs on the ``cpu`` queue, whose workers can read the sources; ``record_sync`` on the ``store`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog, settings: Settings) -> None:
        self._blobs, self._catalog, self._settings = blobs, catalog, settings
        self._intake = SyncIntake(blobs, catalog, settings.api)

    @activity.defn(name="list_source")
    @heartbeating
    async def list_source(self, input: SyncInput) -> Listed:
        """Lists the source and stores the listing. Raises SyncNotAllowed, TooManyFiles and NotFound."""
        _, source = await self._sync(input.sync_id)
        files = Collector(source.include, source.exclude, self._settings.api.max_upload_bytes)
        try:
            await self._files(source).list(files)
        except SourceUnavailable as exc:
            return Listed(unavailable=exc.reason)
        listing = files.listing()
        await self._blobs.save(sync_listing_key(input.sync_id), listing)
        return Listed(files=len(listing.files))

    @activity.defn(name="compare_source")
    @heartbeating
    async def compare_source(self, input: SyncInput) -> Compared:
        """Compares the listing with the source's documents, and stores the changes in pieces.

        Files are read only if their size is the same, and their time or tag is not.
        """
        _, source = await self._sync(input.sync_id)
        listing = await self._blobs.load(sync_listing_key(input.sync_id), Listing)
        difference, after = Difference(listing, ()), ""
        while page := await self._catalog.sources.documents(source.id, after, PAGE):
            difference.update(page)
            after = page[-1].id
        files, changed = self._files(source), []
        try:
            for done, (file, document) in enumerate(difference.candidates):
                report(done, len(difference.candidates))
                if (change := await self._change(files, file, document)) is not None:
                    changed.append(change)
        except SourceUnavailable as exc:
            return Compared(unavailable=exc.reason)
        names = {file.name for file in difference.new}
        conflicts = await self._catalog.sources.taken(source.knowledge_base_id, names, source.id)
        changes, found = difference.changes(conflicts, changed)
        for start in range(0, len(changes), PIECE):
            await self._blobs.save(sync_changes_key(input.sync_id, start // PIECE), changes[start : start + PIECE])
        guarded = guard(found, source.max_delete_share)
        found = msgspec.structs.replace(found, guarded=guarded is not None)
        return Compared(report=found, changes=len(changes), guarded=guarded)

    async def _change(self, files: SourceFiles, file: File, document: SourceDocument) -> Change | None:
        """The change of a file whose state is another one than that of its document; None if it cannot be read now."""
        update = Change("update", file.name, file.path, file.bytes, document_id=document.id)
        if file.bytes != document.bytes:
            return update
        try:
            content = await files.read(file.path, None, self._settings.api.max_upload_bytes)
        except NotTaken as exc:
            return update if exc.why == "changing" else None
        if content.sha256 != document.sha256:
            return update
        return Change("stamp", file.name, file.path, stamp=content.stamp, document_id=document.id)

    @activity.defn(name="apply_changes")
    @heartbeating
    async def apply_changes(self, input: ApplyInput) -> Applied:
        """Applies changes of one piece for some seconds. Repeating it changes nothing more.

        A document that no longer belongs to the source, and a file that changes while it is read, are left alone.
        """
        sync, source = await self._sync(input.sync_id)
        piece, begin = divmod(input.offset, PIECE)
        changes = (await self._blobs.load(sync_changes_key(input.sync_id, piece), list[Change]))[begin:]
        files, counts, offset = self._files(source), Counter[str](), input.offset
        loop = asyncio.get_running_loop()
        end = loop.time() + SLICE_SECONDS
        while changes and loop.time() < end:
            group = _group(changes)
            try:
                match group[0].kind:
                    case "stamp":
                        await self._catalog.sources.stamp(source.id, [(each.document_id, each.stamp) for each in group])
                    case "delete":
                        counts += await self._delete(sync, files, group)
                    case _:
                        if not await self._has_room():
                            return Applied(next=offset, counts=counts, full=True)
                        counts += await self._take(sync, source, files, group)
            except SourceUnavailable as exc:
                return Applied(next=offset, counts=counts, unavailable=exc.reason)
            changes, offset = changes[len(group) :], offset + len(group)
            report(offset)
            await self._catalog.syncs.advance(sync.id, offset)
        return Applied(next=offset, counts=counts)

    async def _has_room(self) -> bool:
        pending = sum((await self._catalog.intake.pending()).values())
        return pending < self._settings.api.max_pending * ROOM

    async def _take(self, sync: Sync, source: Source, files: SourceFiles, group: list[Change]) -> Counter[str]:
        """Adds or updates documents, as files of the sync's batch, whose run is told."""
        counts, batch_id = await self._intake.take(sync, source, files, group)
        if batch_id is not None:
            await self._tell(sync, batch_id)
        return counts

    async def _tell(self, sync: Sync, batch_id: str) -> None:
        batch = await self._catalog.batches.get(batch_id)
        job = BatchToIngest(
            batch_id=batch.id,
            knowledge_base_id=batch.knowledge_base_id,
            knowledge_base=sync.knowledge_base,
            name=batch.name,
            actor=batch.actor,
            parallelism=batch.parallelism,
        )
        await starts.batch(activity.client(), job, signal="more")
        await self._catalog.batches.dispatched(batch.id)

    async def _delete(self, sync: Sync, files: SourceFiles, group: list[Change]) -> Counter[str]:
        """Deletes documents as a person would, unless their files are there again."""
        counts = Counter[str]()
        for change in group:
            if await files.exists(change.path):
                counts["missed"] += 1
            elif await self._catalog.sources.delete_document(sync.source_id, change.document_id, sync.actor):
                job = DeleteJob(
                    knowledge_base_id=sync.knowledge_base_id,
                    knowledge_base=sync.knowledge_base,
                    document_id=change.document_id,
                    document_name=change.name,
                    actor=sync.actor,
                )
                await starts.delete_document(activity.client(), job)
                counts["deleted"] += 1
        return counts

    @activity.defn(name="record_sync")
    @heartbeating
    async def record_sync(self, input: RecordSyncInput) -> None:
        """Records the state of a sync; at its end, closes its batch and deletes what was stored for it."""
        if input.state in FINAL_STATES:
            try:
                sync = await self._catalog.syncs.get(input.sync_id)
            except NotFound:
                return
            if sync.batch_id is not None:
                await self._close_batch(sync, sync.batch_id)
            for key in await self._blobs.list(sync_prefix(input.sync_id)):
                await self._blobs.delete(key)
        await self._catalog.syncs.record(input)

    async def _close_batch(self, sync: Sync, batch_id: str) -> None:
        if await self._catalog.batches.discard(batch_id):
            await self._catalog.syncs.leave_batch(sync.id)
            return
        try:
            batch = await self._catalog.batches.get(batch_id)
        except NotFound:
            return  # of a deleted knowledge base
        if not batch.closed:
            await self._catalog.batches.close(batch_id)
            await self._tell(sync, batch_id)

    async def _sync(self, id: str) -> tuple[Sync, Source]:
        """A sync that goes on, and its source. Raises WrongState and NotFound."""
        sync = await self._catalog.syncs.get(id)
        if sync.finished_at is not None:
            raise WrongState(state=sync.state)
        return sync, await self._catalog.sources.get(sync.source_id)

    def _files(self, source: Source) -> SourceFiles:
        """Raises SyncNotAllowed if the settings do not allow the place, whatever they did when it was recorded."""
        place = place_of(source.location, self._settings.sync)
        return FolderFiles(place) if isinstance(place, Folder) else cast(SourceFiles, BucketFiles(place))


def _group(changes: list[Change]) -> list[Change]:
    """The first changes of one kind, that are few and small enough to be made at once."""
    group: list[Change] = []
    total = 0
    for change in changes[:GROUP]:
        total += change.bytes
        if group and (change.kind != group[0].kind or total > SyncIntake.GROUP_BYTES):
            break
        group.append(change)
    return group
