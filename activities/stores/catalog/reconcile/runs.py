"""Finds pending versions, batches and deletions that may have lost their run, and requeues them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Update, and_, func, literal_column, or_, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute, aliased

from activities.contracts.batches import BatchToIngest
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.stages import ACTIVE, PENDING, BatchState, DocumentState
from activities.stores.catalog import transitions
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.intake import document_to_ingest, for_dispatcher
from activities.stores.catalog.mapping import IS_PENDING
from activities.stores.catalog.records import (
    DeletedDocument,
    DeletedKnowledgeBase,
    PendingVersion,
    StalledBatch,
    VersionStatus,
)
from activities.stores.catalog.tables import (
    SYSTEM,
    BatchRow,
    DocumentRow,
    GenerationRow,
    KnowledgeBaseRow,
    QuestionRow,
    VersionRow,
    now,
)
from activities.stores.catalog.transitions import BY_DISPATCHER


@repeats_conflicts
class StalledRuns:
    """Work that may have lost its run; ``before`` excludes rows that changed later."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def versions(self, after: tuple[str, int], limit: int, before: datetime) -> list[PendingVersion]:
        """Pending versions that should have a run, ordered by (document, version), after the pair ``after``.

        Excludes versions that wait for the dispatcher (``unstarted``), for their batch, or for a user to resume them.
        """
        waits = and_(
            VersionRow.dispatched_at.is_(None),
            or_(
                VersionRow.state == "paused",
                (VersionRow.state == "queued")
                & (
                    VersionRow.batch_id.is_(None)
                    | (VersionRow.batch_page == BY_DISPATCHER)
                    | BatchRow.state.in_(ACTIVE)
                ),
            ),
        )
        query = _pending(before).where(
            KnowledgeBaseRow.deleted_at.is_(None),
            tuple_(VersionRow.document_id, VersionRow.version) > tuple_(*after),
            ~func.coalesce(waits, False),
        )
        return await self._versions(query, limit)

    async def unstarted(self, after: tuple[str, int], limit: int, before: datetime) -> list[DocumentToIngest]:
        """Queued versions that the dispatcher should have started, ordered, after the pair (document, version)."""
        query = for_dispatcher().where(
            VersionRow.updated_at < before,
            KnowledgeBaseRow.deleted_at.is_(None),
            tuple_(VersionRow.document_id, VersionRow.version) > tuple_(*after),
        )
        async with self._engine.read() as session:
            rows = await session.execute(query.order_by(VersionRow.document_id, VersionRow.version).limit(limit))
            return [document_to_ingest(*row) for row in rows]

    async def unstarted_batches(self, after: str, limit: int, before: datetime) -> list[BatchToIngest]:
        """Queued batches that the dispatcher should have started, ordered by id, after the id ``after``."""
        has_documents = select(VersionRow.version).where(
            VersionRow.batch_id == BatchRow.id, VersionRow.updated_at < before
        )
        query = (
            select(BatchRow, KnowledgeBaseRow.name)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == BatchRow.knowledge_base_id)
            .where(
                BatchRow.id > after,
                BatchRow.state == "queued",
                BatchRow.dispatched_at.is_(None),
                BatchRow.updated_at < before,
                BatchRow.archive_sha256.is_not(None) | has_documents.exists(),
                KnowledgeBaseRow.deleted_at.is_(None),
            )
        )
        async with self._engine.read() as session:
            return [
                BatchToIngest(
                    batch_id=row.id,
                    knowledge_base_id=row.knowledge_base_id,
                    knowledge_base=knowledge_base,
                    name=row.name,
                    actor=row.actor,
                    parallelism=row.parallelism,
                    archive_sha256=None if row.unpacked else row.archive_sha256,
                )
                for row, knowledge_base in await session.execute(query.order_by(BatchRow.id).limit(limit))
            ]

    async def questions(self, after: str, limit: int, before: datetime) -> list[str]:
        """Ids of questions without an outcome, in order, after the id ``after``."""
        running = QuestionRow.state == literal_column("'running'")  # not a parameter: the index has this condition
        query = select(QuestionRow.id).where(running, QuestionRow.id > after, QuestionRow.created_at < before)
        async with self._engine.read() as session:
            return list(await session.scalars(query.order_by(QuestionRow.id).limit(limit)))

    async def versions_of(self, batch_id: str, after: tuple[str, int], limit: int) -> list[PendingVersion]:
        """Pending versions that the batch has started, ordered by (document, version), after the pair ``after``."""
        query = _pending(now()).where(
            VersionRow.batch_id == batch_id,
            VersionRow.batch_page.is_not(None),
            VersionRow.batch_page != BY_DISPATCHER,
            tuple_(VersionRow.document_id, VersionRow.version) > tuple_(*after),
        )
        return await self._versions(query, limit)

    async def _versions(self, query: Select[VersionRow, str, str], limit: int) -> list[PendingVersion]:
        query = query.order_by(VersionRow.document_id, VersionRow.version).limit(limit)
        async with self._engine.read() as session:
            return [
                PendingVersion(
                    document_id=version.document_id,
                    version=version.version,
                    name=name,
                    state=msgspec.convert(version.state, DocumentState),
                    awaits_batch=batch in ACTIVE and version.batch_page != BY_DISPATCHER and version.state == "queued",
                    updated_at=version.updated_at,
                )
                for version, name, batch in await session.execute(query)
            ]

    async def return_to_queue(
        self, version: PendingVersion, *, by_dispatcher: bool = True, change: bool = True
    ) -> bool:
        """Requeues a version if it is unchanged since it was read; whether it was unchanged.

        With ``by_dispatcher`` the dispatcher starts it (a paused version stays paused), otherwise its batch. ``change``
        False only checks.
        """
        if not change:
            same = select(VersionRow.version).where(transitions.is_as_read(version))
            async with self._engine.read() as session:
                return await session.scalar(same) is not None
        return await self._changed(transitions.return_to_queue(version, by_dispatcher=by_dispatcher))

    async def ingest_again(self, document_id: str, version: int) -> bool:
        """Requeues a live version, to be ingested again from its original; whether it was still live."""
        return await self._changed(transitions.ingest_again(document_id, version))

    async def batches(self, after: str, limit: int, before: datetime) -> list[StalledBatch]:
        """Active batches that were started, ordered by id, after the id ``after``."""
        query = (
            select(BatchRow)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == BatchRow.knowledge_base_id)
            .where(
                BatchRow.id > after,
                BatchRow.state.in_(ACTIVE),
                BatchRow.updated_at < before,
                (BatchRow.state != "queued") | BatchRow.dispatched_at.is_not(None),
                KnowledgeBaseRow.deleted_at.is_(None),
            )
        )
        async with self._engine.read() as session:
            rows = await session.scalars(query.order_by(BatchRow.id).limit(limit))
            return [StalledBatch(id=row.id, name=row.name, updated_at=row.updated_at) for row in rows]

    async def return_batch_to_queue(self, batch: StalledBatch) -> bool:
        """Requeues a batch for the dispatcher if it is unchanged since it was read; whether it was requeued."""
        same = (BatchRow.id == batch.id) & (BatchRow.updated_at == batch.updated_at) & BatchRow.state.in_(ACTIVE)
        change = update(BatchRow).where(same).values(state="queued", dispatched_at=None, updated_at=now())
        return await self._changed(change)

    async def batch_states(self, ids: Collection[str]) -> dict[str, tuple[BatchState, datetime]]:
        """State and time of the last change, by id, of the existing batches among ``ids``."""
        query = (
            select(BatchRow.id, BatchRow.state, BatchRow.updated_at)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == BatchRow.knowledge_base_id)
            .where(BatchRow.id.in_(list(ids)), KnowledgeBaseRow.deleted_at.is_(None))
        )
        async with self._engine.read() as session:
            return {id: (msgspec.convert(state, BatchState), at) for id, state, at in await session.execute(query)}

    async def version_statuses(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], VersionStatus]:
        """The status of the existing versions among these (document, version)."""
        live = aliased(VersionRow)
        query = (
            select(VersionRow, DocumentRow.live_version, DocumentRow.deleted_at, live.published_at)
            .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
            .outerjoin(live, (live.document_id == DocumentRow.id) & (live.version == DocumentRow.live_version))
            .where(transitions.are(list(versions)))
        )
        async with self._engine.read() as session:
            return {
                (row.document_id, row.version): VersionStatus(
                    pending=row.state in PENDING,
                    live=row.version == live_version,
                    deleted=deleted_at is not None,
                    changed_at=max(filter(None, (row.updated_at, published_at, deleted_at))),
                )
                for row, live_version, deleted_at, published_at in await session.execute(query)
            }

    async def deleted_documents(self, after: str, limit: int, before: datetime) -> list[DeletedDocument]:
        """Deleted documents that are not removed yet, ordered by id, after the id ``after``.

        Excludes documents of deleted knowledge bases, which are removed with the knowledge base.
        """
        query = (
            select(DocumentRow, KnowledgeBaseRow.name)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id)
            .where(DocumentRow.id > after, DocumentRow.deleted_at < before, KnowledgeBaseRow.deleted_at.is_(None))
        )
        async with self._engine.read() as session:
            return [
                DeletedDocument(
                    id=row.id,
                    name=row.name,
                    knowledge_base_id=row.knowledge_base_id,
                    knowledge_base=knowledge_base,
                    deleted_by=row.deleted_by or SYSTEM,
                )
                for row, knowledge_base in await session.execute(query.order_by(DocumentRow.id).limit(limit))
            ]

    async def deleted_with_documents(self, before: datetime) -> list[DeletedKnowledgeBase]:
        """Deleted knowledge bases of which documents are left. Their own rows are never removed."""
        return await self._deleted(DocumentRow.id, DocumentRow.knowledge_base_id == KnowledgeBaseRow.id, before)

    async def deleted_with_collections(
        self, collections: Collection[str], before: datetime
    ) -> list[DeletedKnowledgeBase]:
        """Deleted knowledge bases of which one of these ``collections`` (at most 1,000) is left."""
        one_of = GenerationRow.collection.in_(list(collections))
        left = (GenerationRow.knowledge_base_id == KnowledgeBaseRow.id) & one_of
        return await self._deleted(GenerationRow.generation, left, before)

    async def _deleted(
        self, column: InstrumentedAttribute[Any], left: ColumnElement[bool], before: datetime
    ) -> list[DeletedKnowledgeBase]:
        query = select(KnowledgeBaseRow).where(
            KnowledgeBaseRow.deleted_at < before, select(column).where(left).exists()
        )
        async with self._engine.read() as session:
            return [
                DeletedKnowledgeBase(id=row.id, name=row.name, deleted_by=row.deleted_by or SYSTEM)
                for row in await session.scalars(query.order_by(KnowledgeBaseRow.id))
            ]

    async def _changed(self, change: Update) -> bool:
        async with self._engine.write() as session:
            return bool((await session.execute(change)).rowcount)  # type: ignore[attr-defined]


def _pending(before: datetime) -> Select[VersionRow, str, str]:
    return (
        select(VersionRow, DocumentRow.name, BatchRow.state)
        .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id)
        .outerjoin(BatchRow, BatchRow.id == VersionRow.batch_id)
        .where(DocumentRow.deleted_at.is_(None), IS_PENDING, VersionRow.updated_at < before)
    )
