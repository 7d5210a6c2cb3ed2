"""Files of a source become documents: read in one piece, stored, then accepted as uploads are."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO, NamedTuple, cast

from activities.errors import ContentBeingRemoved, HoldfastError, NameOfOther, WrongState
from activities.sandbox import scratch
from activities.settings import ApiSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Accepted, Answered, SourceFile, Upload, UploadRequest
from activities.stores.catalog.source_records import Source, Sync
from activities.sync.compare import Change
from activities.sync.listing import Content, NotTaken, SourceFiles

#: Files up to this many bytes are held in memory while they are stored.
_SMALL = 1 << 18

#: Files that are read at once.
READ_AT_ONCE = 8

#: Seconds until content that is being removed with another document is tried again.
_REMOVAL_SECONDS = 0.2


class _Taken(NamedTuple):
    change: Change
    content: Content
    file: IO[bytes]


class SyncIntake:
    """Takes files in as documents of a sync's batch."""

    #: Bytes of files that are taken at once, unless a single one is larger.
    GROUP_BYTES = 64 << 20

    def __init__(self, blobs: Blobs, catalog: Catalog, settings: ApiSettings) -> None:
        self._blobs, self._catalog, self._settings = blobs, catalog, settings

    async def take(
        self, sync: Sync, source: Source, files: SourceFiles, changes: Sequence[Change]
    ) -> tuple[Counter[str], str | None]:
        """The counts by outcome, and the batch that has new documents. Raises SourceUnavailable and NotFound."""
        counts = Counter[str]()
        with scratch.folder("sync") as folder, ExitStack() as opened:
            files_of = [opened.enter_context(_spooled(folder)) for _ in changes]
            places = asyncio.Semaphore(READ_AT_ONCE)
            reading = (self._read(files, each, file, places) for each, file in zip(changes, files_of, strict=True))
            contents = await asyncio.gather(*reading, return_exceptions=True)
            taken: list[_Taken] = []
            for change, file, content in zip(changes, files_of, contents, strict=True):
                if isinstance(content, BaseException):
                    raise content
                if content is None:
                    counts["missed"] += 1
                else:
                    taken.append(_Taken(change, content, file))
            if not taken:
                return counts, None
            await self._store(taken)
            accepted, batch_id = await self._accept(sync, source, taken)
            await self._store(taken)  # a blob may have been removed with another document before it was accepted
            return counts + accepted, batch_id

    async def _read(
        self, files: SourceFiles, change: Change, file: IO[bytes], places: asyncio.Semaphore
    ) -> Content | None:
        """Reads a file, once more if it changes meanwhile; None if it is left to the next sync."""
        async with places:
            for attempt in (1, 2):
                file.seek(0)
                file.truncate()
                try:
                    return await files.read(change.path, file, self._settings.max_upload_bytes)
                except NotTaken as exc:
                    if exc.why != "changing" or attempt == 2:
                        return None
        return None

    async def _store(self, taken: Sequence[_Taken]) -> None:
        for each in taken:
            key = original_key(each.content.sha256)
            if not await self._blobs.exists(key):
                each.file.seek(0)
                await self._blobs.put(key, each.file if each.content.bytes > _SMALL else each.file.read())

    async def _accept(self, sync: Sync, source: Source, taken: Sequence[_Taken]) -> tuple[Counter[str], str | None]:
        counts, batch_id, waiting = Counter[str](), None, list(taken)
        while waiting:
            open_batch = await self._catalog.syncs.open_batch(sync.id, source.name, self._settings.batch_parallelism)
            requests = [_request(sync, source, each, open_batch) for each in waiting]
            answers = await self._catalog.intake.accept_requests(requests)
            again: list[_Taken] = []
            for each, answer in zip(waiting, answers, strict=True):
                match answer:
                    case Answered():
                        counts[_outcome(each.change, cast(Accepted, answer.answer))] += 1
                        batch_id = open_batch if answer.created else batch_id
                    case NameOfOther():
                        counts["conflicts"] += 1
                    case ContentBeingRemoved() | WrongState():  # the batch has closed itself
                        again.append(each)
                    case HoldfastError():
                        raise answer
            waiting = again
            await asyncio.sleep(_REMOVAL_SECONDS if again else 0)
        return counts, batch_id


def _spooled(folder: str) -> IO[bytes]:
    """A file in memory while it is small."""
    return cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=_SMALL, dir=folder))


def _request(sync: Sync, source: Source, taken: _Taken, batch_id: str) -> UploadRequest:
    """The upload of one file; a new document gets the source's tags, one that is there keeps its own."""
    upload = Upload(
        knowledge_base_id=sync.knowledge_base_id,
        name=taken.change.name,
        sha256=taken.content.sha256,
        bytes=taken.content.bytes,
        actor=sync.actor,
        source_file=SourceFile(source_id=source.id, stamp=taken.content.stamp, tags=list(source.tags)),
    )
    return UploadRequest(
        knowledge_base_id=sync.knowledge_base_id,
        actor=sync.actor,
        uploads=[upload],
        respond=_first,
        open_batch=batch_id,
    )


def _outcome(change: Change, accepted: Accepted) -> str:
    """What became of a file; one whose document was deleted meanwhile is added again."""
    is_new = accepted.document.version == 1 and (change.kind == "add" or accepted.created)
    return "added" if is_new else "updated"


def _first(accepted: list[Accepted], _batch_id: str | None) -> object:
    return accepted[0]
