"""Taking uploads in: hashed and stored as they are, noted in the catalogue; their runs are started after."""

from __future__ import annotations

import asyncio
import hashlib
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import msgspec
import structlog
from litestar.datastructures import UploadFile

from activities.contracts.names import clean_name
from activities.errors import ContentBeingRemoved, HoldfastError, KeyReused, NotFound, WrongState
from activities.settings import ApiSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.intake import Intake
from activities.stores.catalog.records import Accepted, Batch, KnowledgeBase, Upload
from api.background.dispatcher import Dispatcher
from api.documents.schemas import UploadAccepted
from api.documents.views import document_job, upload_accepted
from workflows.client.jobs import Jobs

#: How long an upload waits for a removal of the same content, in seconds.
REMOVAL_SECONDS = 5.0

#: Uploads up to this many bytes are hashed at once; a thread would cost more than the hashing.
SMALL = 1 << 18

log = structlog.get_logger()


@dataclass
class _Commit:
    uploads: list[Upload] = field(default_factory=list)
    answers: asyncio.Task[list[Accepted | HoldfastError]] | None = None


class Commits:
    """Uploads that come at once are accepted in one transaction: while one is written, the next one fills."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._writing = asyncio.Lock()
        self._filling = _Commit()

    async def accept(self, uploads: Sequence[Upload]) -> list[Accepted | HoldfastError]:
        """``Intake.accept``."""
        commit, start = self._filling, len(self._filling.uploads)
        commit.uploads += uploads
        if commit.answers is None:
            commit.answers = asyncio.create_task(self._write(commit))
        answers = await asyncio.shield(commit.answers)  # a client that goes away takes no other one with it
        return answers[start : start + len(uploads)]

    async def _write(self, commit: _Commit) -> list[Accepted | HoldfastError]:
        async with self._writing:
            self._filling = _Commit()
            return await self._intake.accept(commit.uploads)


@dataclass(frozen=True)
class _Stored:
    """A file of an upload request whose bytes are in the blob store, perhaps since before."""

    name: str
    sha256: str
    bytes: int
    file: UploadFile
    was_there: bool


class Uploads:
    """Accepts files. What is accepted is durable before the client hears of it."""

    def __init__(
        self, blobs: Blobs, catalog: Catalog, jobs: Jobs, dispatcher: Dispatcher, settings: ApiSettings
    ) -> None:
        self._blobs, self._catalog, self._jobs, self._dispatcher = blobs, catalog, jobs, dispatcher
        self._settings = settings
        self._commits = Commits(catalog.intake)

    async def accept(
        self,
        kb: KnowledgeBase,
        files: Sequence[UploadFile],
        actor: str,
        batch_id: str | None,
        key: str | None,
        tags: list[str] | None = None,
    ) -> UploadAccepted:
        """The documents, in order of the files; many files are a batch, and so is a zip archive.

        Names are checked before anything is stored, so that a request is refused as a whole. ``key`` is the
        request's Idempotency-Key. ``tags`` take the place of those that the documents had. ``kb`` may be a second
        old: accepting looks again whether it is still there. Raises NotFound, InvalidName, KeyReused, WrongState
        (the batch is closed) and DependencyErrors.
        """
        names = [clean_name(file.filename) for file in files]
        batch = await self._catalog.batches.get(batch_id) if batch_id else None
        if batch is not None and batch.knowledge_base_id != kb.id:
            raise NotFound(kind="batch", id=batch.id)  # the caller may have no access to where it is
        if batch is not None and batch.closed:
            raise WrongState(state=batch.state)
        await self._jobs.ensure_available()
        stored = [await self._store(name, file) for name, file in zip(names, files, strict=True)]
        asked = (kb.id, [(each.name, each.sha256) for each in stored], *([tags] if tags is not None else []))
        fingerprint = hashlib.sha256(repr(asked).encode()).hexdigest()
        if key is not None and (before := await self._catalog.intake.answer_of(actor, key)) is not None:
            if before[0] != fingerprint:
                raise KeyReused()
            return msgspec.convert(before[1], UploadAccepted)
        if len(stored) == 1 and batch is None and await asyncio.to_thread(_is_archive, stored[0]):
            answer = await self._accept_archive(kb, stored[0], actor, tags)
        else:
            answer = await self._accept_files(kb, stored, actor, batch, tags)
        if key is not None:
            await self._catalog.intake.keep_answer(actor, key, fingerprint, msgspec.to_builtins(answer))
        return answer

    async def _accept_files(
        self, kb: KnowledgeBase, stored: Sequence[_Stored], actor: str, batch: Batch | None, tags: list[str] | None
    ) -> UploadAccepted:
        made = None
        if batch is None and len(stored) > 1:
            name = f"{stored[0].name} + {len(stored) - 1}"[:255]
            made = batch = await self._catalog.batches.create(
                kb.id, name, self._settings.batch_parallelism, actor, closed=True
            )
        uploads = [
            Upload(
                knowledge_base_id=kb.id,
                name=each.name,
                sha256=each.sha256,
                bytes=each.bytes,
                actor=actor,
                batch_id=batch.id if batch else None,
                tags=tags,
            )
            for each in stored
        ]
        accepted = await self._claimed(uploads)
        for each in stored:
            if each.was_there:  # … and may have been removed with another document before it was claimed
                await self._put(each.sha256, each.file)
        new = sum(each.created for each in accepted)
        if made is not None and not new:
            await self._catalog.batches.discard(made.id)
            batch = None
        if new:
            self._dispatcher.hint(batch.id if batch else None)
        log.info("accepted", documents=len(accepted), new=new, batch=batch.id if batch else None, actor=actor)
        documents = [document_job(each.document, unchanged=not each.created) for each in accepted]
        return upload_accepted(documents, batch.id if batch else None)

    async def _accept_archive(
        self, kb: KnowledgeBase, archive: _Stored, actor: str, tags: list[str] | None
    ) -> UploadAccepted:
        batch = await self._catalog.batches.create(
            kb.id,
            archive.name,
            self._settings.batch_parallelism,
            actor,
            closed=True,
            archive_sha256=archive.sha256,
            tags=tags,
        )
        await self._put(archive.sha256, archive.file)  # it may have been removed before it was claimed
        self._dispatcher.hint(batch.id)
        log.info("archive accepted", batch=batch.id, bytes=archive.bytes, actor=actor)
        return upload_accepted([], batch.id)

    async def _store(self, name: str, file: UploadFile) -> _Stored:
        if file.rolled_to_disk or _length(file) > SMALL:
            sha256, size = await asyncio.to_thread(_hash, file)
        else:
            sha256, size = _hash(file)
        return _Stored(name, sha256, size, file, was_there=not await self._put(sha256, file))

    async def _put(self, sha256: str, file: UploadFile) -> bool:
        """Whether the bytes were not there yet."""
        file.file.seek(0)
        key = original_key(sha256)
        if not file.rolled_to_disk:
            return await self._blobs.create(key, file.file.read())
        if await self._blobs.exists(key):
            return False
        await self._blobs.put(key, file.file)
        return True

    async def _claimed(self, uploads: list[Upload]) -> list[Accepted]:
        """Accept; while the same content is being removed elsewhere, wait a little for the end of it."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        accepted: dict[int, Accepted] = {}
        left = list(range(len(uploads)))
        while left:
            answers = await self._commits.accept([uploads[at] for at in left])
            for at, answer in zip(left, answers, strict=True):
                if isinstance(answer, Accepted):
                    accepted[at] = answer
                elif not isinstance(answer, ContentBeingRemoved) or time.monotonic() > deadline:
                    raise answer
            left = [at for at in left if at not in accepted]
            await asyncio.sleep(0.05 if left else 0)
        return [accepted[at] for at in range(len(uploads))]


def _length(file: UploadFile) -> int:
    return file.file.seek(0, 2)


def _hash(file: UploadFile) -> tuple[str, int]:
    """SHA-256 and length of a spooled upload, read in pieces."""
    file.file.seek(0)
    whole = hashlib.sha256()
    while piece := file.file.read(1 << 20):
        whole.update(piece)
    size = file.file.tell()
    file.file.seek(0)
    return whole.hexdigest(), size


def _is_archive(stored: _Stored) -> bool:
    """A zip archive of files, and none of the document formats that are zip archives inside."""
    if PurePosixPath(stored.name.lower()).suffix != ".zip":
        return False
    stored.file.file.seek(0)
    return zipfile.is_zipfile(stored.file.file)
