"""Accepts uploads, many in one transaction, and serves as the outbox of versions that have no run yet.

A version's run is started from its row, after the transaction that accepted it. An upload is thus confirmed as soon as
it is durable, and after any crash the dispatcher finds the row and starts the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import structs
from sqlalchemy import Select, Update, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.documents import Chunking
from activities.contracts.embedding import embedding_of
from activities.contracts.ingest import DocumentToIngest
from activities.errors import ContentBeingRemoved, HoldfastError, KeyReused, NameOfOther, NotFound, WrongState
from activities.stores.catalog import transitions
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.mapping import (
    FOR_DISPATCHER,
    IS_LIVE_GENERATION,
    IS_PENDING,
    IS_QUEUED,
    by_index,
    document_record,
    lock_latest,
    set_tags,
)
from activities.stores.catalog.records import Accepted, Answered, NewBatch, Upload, UploadRequest
from activities.stores.catalog.tables import (
    BatchRow,
    ContentRow,
    DocumentRow,
    GenerationRow,
    IdempotencyRow,
    KnowledgeBaseRow,
    VersionRow,
    new_id,
    now,
)
from activities.telemetry import carried, origin


@repeats_conflicts
class Intake:
    """Uploads from their acceptance until they have a run, and idempotency keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def accept(self, uploads: Sequence[Upload]) -> list[Accepted | HoldfastError]:
        """Accepts each upload by itself, like ``accept_requests``; all in one transaction."""
        requests = [
            UploadRequest(
                knowledge_base_id=upload.knowledge_base_id,
                actor=upload.actor,
                uploads=[upload],
                respond=lambda accepted, _batch_id: accepted[0],
            )
            for upload in uploads
        ]
        results = await self.accept_requests(requests)
        return [result.answer if isinstance(result, Answered) else result for result in results]

    async def accept_requests(self, requests: Sequence[UploadRequest]) -> list[Answered | HoldfastError]:
        """Accepts each request as a whole, or not at all; all in one transaction.

        An upload becomes the next version of the document of its name. Content equal to that of the latest version
        makes no new version, unless that version failed or was canceled. A pending older version is superseded.

        The result has one entry per request, in order; for a rejected request it is the error: NotFound (the knowledge
        base or the open batch does not exist), WrongState (the batch is closed), KeyReused (another request had the
        key), ContentBeingRemoved (for some seconds after the last document with this content was deleted), or
        NameOfOther (a sync's, for the name of a document that is not its source's).
        """
        async with self._engine.write() as session:
            return await _accept(session, requests)

    async def undispatched(self, limit: int) -> list[DocumentToIngest]:
        """Queued versions that have no run yet, oldest first; excludes versions that their batch starts."""
        async with self._engine.read() as session:
            rows = await session.execute(for_dispatcher().order_by(VersionRow.created_at).limit(limit))
            return [structs.replace(document_to_ingest(*row), request=row[1].request) for row in rows]

    async def dispatched(self, documents: Iterable[DocumentToIngest]) -> None:
        """Records that the runs of these documents have started, unless they have changed since they were read."""
        runs = [(document.document_id, document.version, document.run) for document in documents]
        async with self._engine.write() as session:
            await session.execute(transitions.mark_dispatched(runs))

    async def retry(self, document_id: str, version: int, from_step: str | None, actor: str) -> bool:
        """Requeues a failed or canceled version, or one that waits for its first run; whether it was requeued.

        Only the latest version of a document is requeued.
        """
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, document_id, with_for_update=True)
            row = await session.get(VersionRow, (document_id, version), with_for_update=True)
            if document is None or row is None or document.deleted_at is not None or document.latest_version != version:
                return False
            if not transitions.requeue(row, from_step):
                return False
            row.request = carried.current()
            detail = {"version": version} | ({"from_step": from_step} if from_step else {})
            session.audit(actor, "document.retry", document.knowledge_base_id, document_id, **detail)
        return True

    async def pause(self, document_id: str, version: int, actor: str) -> bool:
        """Pauses a queued version that has no run yet; whether it was paused."""
        change = transitions.pause_undispatched(document_id, version)
        return await self._changed(change, document_id, version, actor, "document.pause")

    async def resume(self, document_id: str, version: int, actor: str) -> bool:
        """Resumes a version that was paused before it had a run; whether it was resumed."""
        change = transitions.resume_undispatched(document_id, version)
        return await self._changed(change, document_id, version, actor, "document.resume")

    async def cancel(self, document_id: str, version: int, actor: str) -> bool:
        """Cancels a pending version that is not published yet, whether or not it has a run; whether it was canceled."""
        change = transitions.cancel(document_id, version)
        return await self._changed(change, document_id, version, actor, "document.cancel")

    async def _changed(self, change: Update, document_id: str, version: int, actor: str, action: str) -> bool:
        async with self._engine.write() as session:
            changed = await session.execute(change)
            document = await session.get(DocumentRow, document_id)
            if not changed.rowcount or document is None:  # type: ignore[attr-defined]
                return False
            session.audit(actor, action, document.knowledge_base_id, document_id, version=version)
        return True

    async def pending(self) -> dict[str, int]:
        """The number of pending versions by uploader."""
        query = select(VersionRow.actor, func.count()).where(IS_PENDING).group_by(VersionRow.actor)
        async with self._engine.read() as session:
            return {row[0]: row[1] for row in await session.execute(query)}

    async def forget_answers(self, before: datetime) -> None:
        """Deletes the idempotency keys created before ``before``."""
        async with self._engine.write() as session:
            await session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < before))


def queued_versions() -> Select[DocumentRow, VersionRow, KnowledgeBaseRow, GenerationRow]:
    """Queued versions of documents that are not deleted, as the arguments of ``document_to_ingest``.

    Outer joins, though every version has both: so SQLite starts from the versions, which are few.
    """
    return (
        select(DocumentRow, VersionRow, KnowledgeBaseRow, GenerationRow)
        .select_from(VersionRow)
        .outerjoin(DocumentRow, DocumentRow.id == VersionRow.document_id)
        .outerjoin(KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id)
        .outerjoin(GenerationRow, IS_LIVE_GENERATION)
        .where(IS_QUEUED, DocumentRow.deleted_at.is_(None))
    )


def for_dispatcher() -> Select[DocumentRow, VersionRow, KnowledgeBaseRow, GenerationRow]:
    """Those of them that have no run yet and that the dispatcher starts, not their batch."""
    return by_index(queued_versions(), "ix_versions_outbox").where(FOR_DISPATCHER)


def document_to_ingest(
    document: DocumentRow, version: VersionRow, knowledge_base: KnowledgeBaseRow, generation: GenerationRow
) -> DocumentToIngest:
    """The input of a version's run."""
    return DocumentToIngest(
        knowledge_base_id=knowledge_base.id,
        knowledge_base=knowledge_base.name,
        document_id=document.id,
        document_name=document.name,
        version=version.version,
        sha256=version.sha256,
        bytes=version.bytes,
        chunking=Chunking(max_tokens=knowledge_base.max_tokens, overlap_tokens=knowledge_base.overlap_tokens),
        actor=version.actor,
        batch_id=version.batch_id,
        retry_from=version.retry_from,
        supersedes=version.supersedes,
        generation=knowledge_base.generation,
        run=version.run,
        embedding=embedding_of(generation.model, generation.model_fingerprint),
    )


async def _accept(session: Transaction, requests: Sequence[UploadRequest]) -> list[Answered | HoldfastError]:
    """Accepts requests with one query per table, so that fifty uploads cost hardly more than one."""
    keys = await _keys(session, requests)
    alive = await _alive(session, {request.knowledge_base_id for request in requests})
    batches = await _open_batches(session, {request.open_batch for request in requests if request.open_batch})
    uploads = [upload for request in requests for upload in request.uploads]
    contents = await _contents(session, {sha256 for request in requests for sha256 in _hashes(request)})
    intake = _Acceptance(session, await _known(session, uploads))
    results: list[Answered | HoldfastError] = []
    for request in requests:
        row = None
        if request.key is not None:
            row = keys[request.key.actor, request.key.key]
            if row.answer:
                same = row.fingerprint == request.key.fingerprint
                results.append(Answered(answer=row.answer, repeated=True) if same else KeyReused())
                continue
        refusal = _refusal(request, alive, batches, contents) or intake.refusal(request)
        if refusal is not None:
            results.append(refusal)
            continue
        with origin.of(request.origin):
            answered = intake.accept(request)
        results.append(answered)
        if row is not None and request.key is not None:
            row.fingerprint, row.answer = request.key.fingerprint, msgspec.to_builtins(answered.answer)
    for row in keys.values():
        if not row.answer:  # its request was refused, and may be repeated with the same key
            await session.delete(row)
    await intake.flush()
    return results


class _Acceptance:
    """The rows that accepted requests make."""

    def __init__(self, session: Transaction, known: dict[tuple[str, str], tuple[DocumentRow, VersionRow]]) -> None:
        """``known`` are the locked documents of the uploads' names."""
        self._session, self._known = session, known
        self._batches: list[BatchRow] = []
        self._documents: list[DocumentRow] = []
        self._versions: list[VersionRow] = []

    def refusal(self, request: UploadRequest) -> NameOfOther | None:
        """The refusal of a sync's upload to a document that is not its source's."""
        for upload in request.uploads:
            pair = self._known.get((upload.knowledge_base_id, upload.name))
            if upload.source_file is not None and pair and pair[0].source_id != upload.source_file.source_id:
                return NameOfOther(name=upload.name)
        return None

    def accept(self, request: UploadRequest) -> Answered:
        """Accepts all uploads of a request; a new batch is made if it has an archive or a new version."""
        batch_id = request.open_batch
        if request.new_batch is not None and (
            request.new_batch.archive_sha256 or not all(map(self._is_unchanged, request.uploads))
        ):
            batch = new_batch(self._session, request.knowledge_base_id, request.new_batch, request.actor)
            batch.request = request.carried
            self._batches.append(batch)
            batch_id = batch.id
        accepted = [self._upload(upload, upload.batch_id or batch_id, request.carried) for upload in request.uploads]
        return Answered(
            answer=request.respond(accepted, batch_id),
            created=sum(each.created for each in accepted),
            batch_id=batch_id,
        )

    async def flush(self) -> None:
        """Inserts the rows, each after those that it refers to."""
        for rows in (self._batches, self._documents, self._versions):
            self._session.add_all(rows)
            await self._session.flush()

    def _is_unchanged(self, upload: Upload) -> bool:
        pair = self._known.get((upload.knowledge_base_id, upload.name))
        return pair is not None and pair[1].sha256 == upload.sha256 and pair[1].state not in ("failed", "canceled")

    def _upload(self, upload: Upload, batch_id: str | None, request: str | None) -> Accepted:
        key = (upload.knowledge_base_id, upload.name)
        unchanged = self._is_unchanged(upload)
        pair = self._known[key] if unchanged else _next_version(upload, batch_id, self._known.get(key))
        if upload.tags is not None:
            set_tags(pair[0], upload.tags)
        file = upload.source_file
        if file is not None and pair[0].latest_version == 1 and not unchanged:
            set_tags(pair[0], file.tags)
        pair[0].source_id, pair[0].source_stamp = (file.source_id, file.stamp) if file else (None, None)
        if not unchanged:
            self._documents += [pair[0]] if pair[0].latest_version == 1 else []
            pair[1].request = request
            self._versions.append(pair[1])
            self._known[key] = pair
            _note(self._session, upload, pair[1])
        return Accepted(document=document_record(*pair), created=not unchanged)


def _refusal(
    request: UploadRequest, alive: set[str], batches: dict[str, BatchRow], contents: dict[str, ContentRow]
) -> HoldfastError | None:
    """Why a request cannot be accepted; None if it can."""
    if request.knowledge_base_id not in alive:
        return NotFound(kind="knowledge base", id=request.knowledge_base_id)
    if request.open_batch is not None:
        batch = batches.get(request.open_batch)
        if batch is None:
            return NotFound(kind="batch", id=request.open_batch)
        if batch.closed:
            return WrongState(state=batch.state)
    if any(contents[sha256].removing_by is not None for sha256 in _hashes(request)):
        return ContentBeingRemoved()
    return None


def _hashes(request: UploadRequest) -> list[str]:
    """The contents that a request brings: files, or an archive."""
    archive = request.new_batch.archive_sha256 if request.new_batch is not None else None
    return [upload.sha256 for upload in request.uploads] + ([archive] if archive is not None else [])


def new_batch(
    session: Transaction, knowledge_base_id: str, batch: NewBatch, actor: str, *, closed: bool = True
) -> BatchRow:
    """The row of a new batch, and its audit event; the caller adds the row."""
    row = BatchRow(
        id=new_id(),
        knowledge_base_id=knowledge_base_id,
        name=batch.name,
        parallelism=batch.parallelism,
        actor=actor,
        closed=closed,
        archive_sha256=batch.archive_sha256,
        tags=batch.tags,
        request=carried.current(),
    )
    session.audit(actor, "batch.create", knowledge_base_id, row.id, name=batch.name)
    return row


async def _keys(session: Transaction, requests: Sequence[UploadRequest]) -> dict[tuple[str, str], IdempotencyRow]:
    """The rows of the requests' idempotency keys; those that are new have no answer yet.

    They are inserted before anything else: a concurrent request with the same key waits here for the other's end, then
    fails with an IntegrityError, and finds its answer at the next attempt.
    """
    keys = {(request.key.actor, request.key.key): request.key for request in requests if request.key is not None}
    if not keys:
        return {}
    query = select(IdempotencyRow).where(tuple_(IdempotencyRow.actor, IdempotencyRow.key).in_(sorted(keys)))
    rows = {(row.actor, row.key): row for row in await session.scalars(query)}
    for name in sorted(keys.keys() - rows.keys()):
        actor, key = name
        rows[name] = IdempotencyRow(actor=actor, key=key, fingerprint=keys[name].fingerprint, answer={})
        session.add(rows[name])
    await session.flush()
    return rows


async def _open_batches(session: AsyncSession, ids: set[str]) -> dict[str, BatchRow]:
    """The batches among ``ids`` that exist; none is closed before the end of the transaction."""
    if not ids:
        return {}
    query = select(BatchRow).where(BatchRow.id.in_(ids)).order_by(BatchRow.id).with_for_update(read=True)
    return {row.id: row for row in await session.scalars(query)}


async def _contents(session: Transaction, hashes: set[str]) -> dict[str, ContentRow]:
    """The locked rows of the contents (see ``content_locks``); missing rows are created."""
    query = select(ContentRow).where(ContentRow.sha256.in_(hashes)).order_by(ContentRow.sha256).with_for_update()
    existing = {row.sha256: row for row in await session.scalars(query)}
    new = {sha256: ContentRow(sha256=sha256) for sha256 in sorted(hashes - existing.keys())}
    session.add_all(new.values())
    await session.flush()  # raises IntegrityError when another writer created one of them concurrently
    return existing | new


async def _alive(session: AsyncSession, ids: set[str]) -> set[str]:
    """The knowledge bases among ``ids`` that are not deleted, nor will be before the end of the transaction."""
    query = select(KnowledgeBaseRow.id).where(KnowledgeBaseRow.id.in_(ids), KnowledgeBaseRow.deleted_at.is_(None))
    return set(await session.scalars(query.order_by(KnowledgeBaseRow.id).with_for_update(read=True)))


async def _known(
    session: AsyncSession, uploads: Sequence[Upload]
) -> dict[tuple[str, str], tuple[DocumentRow, VersionRow]]:
    """The locked documents of the uploads' names, each with its latest version."""
    names: dict[str, set[str]] = defaultdict(set)
    for upload in uploads:
        names[upload.knowledge_base_id].add(upload.name)
    pairs = []
    for knowledge_base_id in sorted(names):
        named = DocumentRow.name.in_(names[knowledge_base_id])
        pairs += await lock_latest(session, DocumentRow.knowledge_base_id == knowledge_base_id, named)
    return {(document.knowledge_base_id, document.name): (document, version) for document, version in pairs}


def _next_version(
    upload: Upload, batch_id: str | None, pair: tuple[DocumentRow, VersionRow] | None
) -> tuple[DocumentRow, VersionRow]:
    moment = now()
    supersedes = None
    if pair is None:
        document = DocumentRow(
            id=new_id(),
            knowledge_base_id=upload.knowledge_base_id,
            name=upload.name,
            latest_version=1,
            created_by=upload.actor,
            created_at=moment,
            tags=[],
        )
    else:
        document, older = pair
        document.latest_version += 1
        older.replaced_at = moment
        if transitions.supersede(older):
            supersedes = older.version
    return document, transitions.accept(upload, document.id, document.latest_version, supersedes, moment, batch_id)


def _note(session: Transaction, upload: Upload, version: VersionRow) -> None:
    session.audit(
        upload.actor,
        "document.upload",
        upload.knowledge_base_id,
        version.document_id,
        name=upload.name,
        version=version.version,
        sha256=upload.sha256,
    )
