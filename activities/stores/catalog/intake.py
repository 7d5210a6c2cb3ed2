"""Accepts uploads, many in one transaction, and serves as the outbox of versions that have no run yet.

A version's run is started from its row, after the transaction that accepted it. An upload is thus confirmed as soon as
it is durable, and after any crash the dispatcher finds the row and starts the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Select, Update, delete, func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.documents import Chunking
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.stages import PENDING
from activities.errors import ContentBeingRemoved, HoldfastError, NotFound
from activities.stores.catalog import transitions
from activities.stores.catalog.engine import Engine, Transaction
from activities.stores.catalog.mapping import document_record, latest, set_tags
from activities.stores.catalog.records import Accepted, Upload
from activities.stores.catalog.tables import (
    ContentRow,
    DocumentRow,
    IdempotencyRow,
    KnowledgeBaseRow,
    VersionRow,
    new_id,
    now,
)
from activities.stores.catalog.transitions import BY_DISPATCHER

#: Attempts at a transaction that conflicts with another writer of the same names (PostgreSQL only).
TRIES = 4


class Intake:
    """Uploads from their acceptance until they have a run, and idempotency keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def accept(self, uploads: Sequence[Upload]) -> list[Accepted | HoldfastError]:
        """Accepts each upload as the next version of the document of its name; all in one transaction.

        Content equal to that of the latest version makes no new version, unless that version failed or was canceled. A
        pending older version is superseded. The result has one entry per upload, in order; for a rejected upload it is
        the error: NotFound (the knowledge base does not exist) or ContentBeingRemoved (for some seconds after the last
        document with this content was deleted). The other uploads are accepted nevertheless.
        """
        for _ in range(TRIES - 1):
            try:
                async with self._engine.write() as session:
                    return await _accept(session, uploads)
            except IntegrityError:
                continue  # another writer created the same name or content concurrently; the next attempt finds it
        async with self._engine.write() as session:
            return await _accept(session, uploads)

    async def undispatched(self, limit: int) -> list[DocumentToIngest]:
        """Queued versions that have no run yet, oldest first; excludes versions that their batch starts."""
        by_dispatcher = VersionRow.batch_id.is_(None) | (VersionRow.batch_page == BY_DISPATCHER)
        query = queued_versions().where(by_dispatcher, VersionRow.dispatched_at.is_(None))
        async with self._engine.read() as session:
            rows = await session.execute(query.order_by(VersionRow.created_at).limit(limit))
            return [document_to_ingest(*row) for row in rows]

    async def dispatched(self, versions: Iterable[tuple[str, int]]) -> None:
        """Records that the runs of these (document, version) have started."""
        async with self._engine.write() as session:
            await session.execute(transitions.mark_dispatched(list(versions)))

    async def retry(self, document_id: str, version: int, from_step: str | None, actor: str) -> bool:
        """Requeues a failed or canceled version if it is still the latest one; whether it was requeued."""
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, document_id, with_for_update=True)
            row = await session.get(VersionRow, (document_id, version), with_for_update=True)
            if document is None or row is None or document.deleted_at is not None or document.latest_version != version:
                return False
            if not transitions.requeue(row, from_step):
                return False
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
        """Cancels a version that has no run yet; whether it was canceled."""
        change = transitions.cancel_undispatched(document_id, version)
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
        query = select(VersionRow.actor, func.count()).where(VersionRow.state.in_(PENDING)).group_by(VersionRow.actor)
        async with self._engine.read() as session:
            return {row[0]: row[1] for row in await session.execute(query)}

    async def answer_of(self, actor: str, key: str) -> tuple[str, dict[str, object]] | None:
        """The request fingerprint and answer stored for this Idempotency-Key; None if there is none."""
        async with self._engine.read() as session:
            row = await session.get(IdempotencyRow, (actor, key))
        return (row.fingerprint, row.answer) if row else None

    async def keep_answer(self, actor: str, key: str, fingerprint: str, answer: dict[str, object]) -> None:
        """Stores an answer for retries of its request."""
        try:
            async with self._engine.write() as session:
                session.add(IdempotencyRow(actor=actor, key=key, fingerprint=fingerprint, answer=answer))
        except IntegrityError:
            return  # a concurrent duplicate of the request stored the same answer

    async def forget_answers(self, before: datetime) -> None:
        """Deletes the idempotency keys created before ``before``."""
        async with self._engine.write() as session:
            await session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < before))


def queued_versions() -> Select[DocumentRow, VersionRow, KnowledgeBaseRow]:
    """Queued versions of documents that are not deleted, as the arguments of ``document_to_ingest``."""
    return (
        select(DocumentRow, VersionRow, KnowledgeBaseRow)
        .join(VersionRow, VersionRow.document_id == DocumentRow.id)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id)
        .where(VersionRow.state == "queued", DocumentRow.deleted_at.is_(None))
    )


def document_to_ingest(
    document: DocumentRow, version: VersionRow, knowledge_base: KnowledgeBaseRow
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
    )


async def _accept(session: Transaction, uploads: Sequence[Upload]) -> list[Accepted | HoldfastError]:
    """Accepts uploads with one query per table, so that fifty uploads cost hardly more than one."""
    contents = await _contents(session, {upload.sha256 for upload in uploads})
    alive = await _alive(session, {upload.knowledge_base_id for upload in uploads})
    known = await _known(session, uploads)
    documents: list[DocumentRow] = []
    versions: list[VersionRow] = []
    answers: list[Accepted | HoldfastError] = []
    for upload in uploads:
        if upload.knowledge_base_id not in alive:
            answers.append(NotFound(kind="knowledge base", id=upload.knowledge_base_id))
            continue
        if contents[upload.sha256].removing_by is not None:
            answers.append(ContentBeingRemoved())
            continue
        key = (upload.knowledge_base_id, upload.name)
        pair = known.get(key)
        if pair is not None and pair[1].sha256 == upload.sha256 and pair[1].state not in ("failed", "canceled"):
            if upload.tags is not None:
                set_tags(pair[0], upload.tags)
            answers.append(Accepted(document=document_record(*pair), created=False))
            continue
        pair = known[key] = _next_version(upload, pair)
        if upload.tags is not None:
            set_tags(pair[0], upload.tags)
        documents += [pair[0]] if pair[0].latest_version == 1 else []
        versions.append(pair[1])
        _note(session, upload, pair[1])
        answers.append(Accepted(document=document_record(*pair), created=True))
    session.add_all(documents)
    await session.flush()  # before the versions that refer to them
    session.add_all(versions)
    await session.flush()
    return answers


async def _contents(session: Transaction, hashes: set[str]) -> dict[str, ContentRow]:
    """The locked rows of the contents (see ``content_locks``); missing rows are created."""
    query = select(ContentRow).where(ContentRow.sha256.in_(hashes)).order_by(ContentRow.sha256).with_for_update()
    existing = {row.sha256: row for row in await session.scalars(query)}
    new = {sha256: ContentRow(sha256=sha256) for sha256 in sorted(hashes - existing.keys())}
    session.add_all(new.values())
    await session.flush()  # raises IntegrityError when another writer created one of them concurrently
    return existing | new


async def _alive(session: AsyncSession, ids: set[str]) -> set[str]:
    query = select(KnowledgeBaseRow.id).where(KnowledgeBaseRow.id.in_(ids), KnowledgeBaseRow.deleted_at.is_(None))
    return set(await session.scalars(query))


async def _known(
    session: AsyncSession, uploads: Sequence[Upload]
) -> dict[tuple[str, str], tuple[DocumentRow, VersionRow]]:
    names = sorted({(upload.knowledge_base_id, upload.name) for upload in uploads})
    query = (
        latest()
        .where(tuple_(DocumentRow.knowledge_base_id, DocumentRow.name).in_(names))
        .order_by(DocumentRow.id)
        .with_for_update(of=DocumentRow)
    )
    return {(document.knowledge_base_id, document.name): (document, version) for document, version in
            await session.execute(query)}  # fmt: skip


def _next_version(upload: Upload, pair: tuple[DocumentRow, VersionRow] | None) -> tuple[DocumentRow, VersionRow]:
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
        if transitions.supersede(older):
            supersedes = older.version
    return document, transitions.accept(upload, document.id, document.latest_version, supersedes, moment)


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
