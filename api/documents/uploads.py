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
from activities.errors import ContentBeingRemoved, HoldfastError, NotFound, WrongState
from activities.settings import ApiSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.intake import Intake
from activities.stores.catalog.records import (
    Accepted,
    Answered,
    IdempotencyKey,
    KnowledgeBase,
    NewBatch,
    Upload,
    UploadRequest,
)
from api.background.dispatcher import Dispatcher
from api.documents.schemas import UploadAccepted
from api.documents.views import document_job, upload_accepted
from workflows.client.jobs import Jobs

#: How long an upload waits for a removal of the same content, in seconds.
REMOVAL_SECONDS = 5.0

#: Uploads up to this many bytes are hashed at once; a thread would cost more than the hashing.
SMALL = 1 << 18

#: Uploads of one transaction, unless a single request has more: thousands at once would take longer than one by one.
COMMIT_UPLOADS = 500

log = structlog.get_logger()


@dataclass
class _Commit:
    requests: list[UploadRequest] = field(default_factory=list)
    uploads: int = 0
    results: asyncio.Task[list[Answered | BaseException]] | None = None


class Commits:
    """Requests that come at once are accepted in one transaction: while one is written, the next one fills."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._writing = asyncio.Lock()
        self._filling = _Commit()

    async def accept(self, request: UploadRequest) -> Answered:
        """Accepts a request (``Intake.accept_requests``). Raises its error."""
        if self._filling.requests and self._filling.uploads + len(request.uploads) > COMMIT_UPLOADS:
            self._filling = _Commit()
        commit, at = self._filling, len(self._filling.requests)
        commit.requests.append(request)
        commit.uploads += len(request.uploads)
        if commit.results is None:
            commit.results = asyncio.create_task(self._write(commit))
        results = await asyncio.shield(commit.results)  # a client that goes away takes no other one with it
        result = results[at]
        if isinstance(result, BaseException):
            raise result
        return result

    async def _write(self, commit: _Commit) -> list[Answered | BaseException]:
        async with self._writing:
            if self._filling is commit:
                self._filling = _Commit()
            together = await self._tried(commit.requests)
            if isinstance(together, list):
                return list(together)
            if len(commit.requests) == 1 or isinstance(together, HoldfastError):
                raise together
            # whatever is wrong with one request, the others are accepted
            alone = [await self._tried([request]) for request in commit.requests]
            return [each[0] if isinstance(each, list) else each for each in alone]

    async def _tried(self, requests: list[UploadRequest]) -> list[Answered | HoldfastError] | BaseException:
        (result,) = await asyncio.gather(self._intake.accept_requests(requests), return_exceptions=True)
        return result


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
        is_archive = len(stored) == 1 and batch is None and await asyncio.to_thread(_is_archive, stored[0])
        request = UploadRequest(
            knowledge_base_id=kb.id,
            actor=actor,
            uploads=[] if is_archive else [_upload(kb, each, actor, tags) for each in stored],
            respond=_answer,
            open_batch=batch.id if batch else None,
            new_batch=None if batch else self._new_batch(stored, tags, is_archive=is_archive),
            key=IdempotencyKey(actor=actor, key=key, fingerprint=fingerprint) if key is not None else None,
        )
        answered = await self._accepted(request)
        if answered.repeated:
            return msgspec.convert(answered.answer, UploadAccepted)
        for each in stored:
            if each.was_there or is_archive:  # … and may have been removed with another document meanwhile
                await self._put(each.sha256, each.file)
        if answered.created or is_archive:
            self._dispatcher.hint(answered.batch_id)
        log.info("accepted", documents=len(request.uploads), new=answered.created, batch=answered.batch_id, actor=actor)
        answer: UploadAccepted = answered.answer
        return answer

    def _new_batch(self, stored: Sequence[_Stored], tags: list[str] | None, *, is_archive: bool) -> NewBatch | None:
        """The batch of an archive, or of several files; None for a single file."""
        if is_archive:
            (archive,) = stored
            return NewBatch(
                name=archive.name,
                parallelism=self._settings.batch_parallelism,
                archive_sha256=archive.sha256,
                tags=tags,
            )
        if len(stored) == 1:
            return None
        name = f"{stored[0].name} + {len(stored) - 1}"[:255]
        return NewBatch(name=name, parallelism=self._settings.batch_parallelism)

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

    async def _accepted(self, request: UploadRequest) -> Answered:
        """Accepts a request; while some of its content is being removed elsewhere, waits a little for the end of it."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while True:
            try:
                return await self._commits.accept(request)
            except ContentBeingRemoved:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)


def _upload(kb: KnowledgeBase, stored: _Stored, actor: str, tags: list[str] | None) -> Upload:
    return Upload(
        knowledge_base_id=kb.id,
        name=stored.name,
        sha256=stored.sha256,
        bytes=stored.bytes,
        actor=actor,
        tags=tags,
    )


def _answer(accepted: list[Accepted], batch_id: str | None) -> UploadAccepted:
    return upload_accepted([document_job(each.document, unchanged=not each.created) for each in accepted], batch_id)


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
