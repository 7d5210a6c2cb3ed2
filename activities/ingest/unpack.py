"""The unpack activity: turns an uploaded zip archive into the documents of its batch.

The archive is listed and extracted in child processes, a group of members at a time. A member that cannot be
extracted is left out with its reason. A retry (after a worker was killed) accepts no document twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from temporalio import activity

from activities.contracts.batches import Unpacked, UnpackInput
from activities.errors import ContentBeingRemoved, HoldfastError, NotFound, error_of
from activities.ingest.members import Member, extract_members, list_members
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.lanes import Lane
from activities.sandbox import scratch
from activities.sandbox.protocol import Limits
from activities.sandbox.runner import run_isolated
from activities.settings import ParseSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch, LeftOut, Upload

#: Documents that are accepted in one transaction.
GROUP = 50


class UnpackActivities:
    """Runs on the ``cpu`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog, settings: ParseSettings, lane: Lane) -> None:
        self._blobs, self._catalog, self._settings, self._lane = blobs, catalog, settings, lane

    @activity.defn(name="unpack")
    @heartbeating
    async def unpack(self, input: UnpackInput) -> Unpacked:
        """Stores and accepts every file of the archive. Raises a DocumentError when the archive is unusable.

        Continues after the files that earlier attempts have accepted: what became of those since is left alone.
        """
        batch = await self._catalog.batches.get(input.batch_id)
        if batch.unpacked:
            return _unpacked(batch.unpacked_files, batch.skipped)
        return await self._lane.run(input.batch_id, lambda: self._unpack(input, batch))

    async def _unpack(self, input: UnpackInput, batch: Batch) -> Unpacked:
        with scratch.folder("unpack") as folder:
            path = Path(folder) / "archive"
            try:
                await self._blobs.download(original_key(input.sha256), path)
            except KeyError as exc:
                raise NotFound(kind="document", id=batch.name) from exc  # removed since the batch ended
            size = path.stat().st_size
            limits = Limits(seconds=self._settings.seconds(size), memory_mb=self._settings.max_memory_mb)
            listing = await run_isolated(list_members, path, self._settings, limits=limits)
            left_out = [LeftOut(name=name) for name in listing.skipped]
            left_out += [each for each in batch.skipped if each.reason is not None]  # by an earlier attempt
            allowed = self._settings.max_expansion * size  # bytes that may still be unpacked
            done = batch.unpacked_files
            while done < listing.files:
                members = await run_isolated(
                    extract_members, path, Path(folder), done, listing.files, allowed, GROUP, limits=limits
                )
                usable = [member for member in members if member.reason is None]
                await self._take(input, batch, usable, Path(folder))
                left_out += [
                    LeftOut(name=member.name[:200], reason=member.reason) for member in members if member.reason
                ]
                allowed -= sum(member.bytes for member in usable)
                done += len(members)
                await self._catalog.batches.record_unpacked(input.batch_id, done, left_out)
                report(done, listing.files)
        unpacked = _unpacked(done, left_out)
        if not unpacked.documents and left_out and (reason := left_out[-1].reason):
            raise error_of(reason)
        await self._catalog.batches.end_unpacking(input.batch_id, left_out)
        return unpacked

    async def _take(self, input: UnpackInput, batch: Batch, members: list[Member], folder: Path) -> None:
        """Stores and accepts extracted members, and removes their files."""
        for begin in range(0, len(members), GROUP):
            group = members[begin : begin + GROUP]
            # A blob may have been removed with another document before it was accepted.
            await self._store(group, folder)
            await self._accept(
                [
                    Upload(
                        knowledge_base_id=input.knowledge_base_id,
                        name=member.name,
                        sha256=member.sha256,
                        bytes=member.bytes,
                        actor=input.actor,
                        batch_id=input.batch_id,
                        tags=batch.tags,
                    )
                    for member in group
                ]
            )
            await self._store(group, folder)
            for member in group:
                (folder / str(member.number)).unlink()

    async def _store(self, members: list[Member], folder: Path) -> None:
        for member in members:
            key = original_key(member.sha256)
            if not await self._blobs.exists(key):
                with (folder / str(member.number)).open("rb") as file:
                    await self._blobs.put(key, file)

    async def _accept(self, group: list[Upload]) -> None:
        """Accepts all uploads; retries those whose content is currently being removed with another document."""
        while group:
            answers = await self._catalog.intake.accept(group)
            group = [upload for upload, answer in zip(group, answers, strict=True) if
                     isinstance(answer, ContentBeingRemoved)]  # fmt: skip
            for answer in answers:
                if isinstance(answer, HoldfastError) and not isinstance(answer, ContentBeingRemoved):
                    raise answer
            await asyncio.sleep(0.2 if group else 0)


def _unpacked(files: int, left_out: Sequence[LeftOut]) -> Unpacked:
    """The result for so many files of an archive, some of which may be left out with a reason."""
    damaged = sum(each.reason is not None for each in left_out)
    return Unpacked(documents=files - damaged, skipped=len(left_out))
