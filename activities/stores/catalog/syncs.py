"""Syncs of sources: their records, states and batches."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.stages import FINAL_STATES, JobStateName
from activities.contracts.sync import RecordSyncInput, SyncReport
from activities.errors import NotFound
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.intake import new_batch
from activities.stores.catalog.mapping import stored_reason
from activities.stores.catalog.records import NewBatch
from activities.stores.catalog.source_records import Sync
from activities.stores.catalog.tables import BatchRow, KnowledgeBaseRow, SourceRow, SyncRow, new_id, now
from activities.stores.catalog.webhooks.announce import announce_sync


@repeats_conflicts
class Syncs:
    """Syncs in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def start(self, source_id: str, occurrence: str, actor: str, *, preview: bool) -> Sync:
        """Records a sync, unless the source has one of this ``occurrence``, or an unfinished one: then that one.

        An empty ``occurrence`` is one of its own, and previews stand beside other syncs. Raises NotFound.
        """
        async with self._engine.write() as session:
            source = await session.get(SourceRow, source_id, with_for_update=True)
            if source is None:
                raise NotFound(kind="source", id=source_id)
            knowledge_base = await session.get_one(KnowledgeBaseRow, source.knowledge_base_id)
            if knowledge_base.deleted_at is not None:
                raise NotFound(kind="knowledge base", id=knowledge_base.name)
            same = SyncRow.occurrence == occurrence
            unfinished = SyncRow.finished_at.is_(None) & ~SyncRow.preview
            query = select(SyncRow).where(SyncRow.source_id == source_id, same if preview else same | unfinished)
            rows = list(await session.scalars(query.order_by(SyncRow.id)))
            row = next((row for row in rows if row.occurrence == occurrence), rows[0] if rows else None)
            if row is None:
                id = new_id()
                row = SyncRow(
                    id=id,
                    source_id=source_id,
                    knowledge_base_id=source.knowledge_base_id,
                    occurrence=occurrence or id,
                    preview=preview,
                    actor=actor,
                )
                session.add(row)
                await session.flush()
                if not preview:
                    session.audit(actor, "sync.start", row.knowledge_base_id, row.id, source=source.name)
        return _record(row, source.name, knowledge_base.name)

    async def get(self, id: str) -> Sync:
        """A sync by id. Raises NotFound."""
        async with self._engine.read() as session:
            found = (await session.execute(_named().where(SyncRow.id == id))).first()
        if found is None:
            raise NotFound(kind="sync", id=id)
        return _record(*found)

    async def page(self, source_id: str, after: str | None, limit: int) -> list[Sync]:
        """At most ``limit`` syncs and previews, newest first, begun before the sync ``after``."""
        query = _named().where(SyncRow.source_id == source_id).order_by(SyncRow.id.desc()).limit(limit)
        query = query.where(SyncRow.id < after) if after else query
        async with self._engine.read() as session:
            return [_record(*row) for row in await session.execute(query)]

    async def unfinished(self, before: datetime, knowledge_base_id: str | None = None) -> list[Sync]:
        """Those that have not finished, last changed before ``before``."""
        query = _named().where(SyncRow.finished_at.is_(None), SyncRow.updated_at < before)
        query = query.where(SyncRow.knowledge_base_id == knowledge_base_id) if knowledge_base_id else query
        async with self._engine.read() as session:
            return [_record(*row) for row in await session.execute(query)]

    async def known(self, ids: Collection[str]) -> set[str]:
        """Those of ``ids`` that are syncs which have not finished."""
        query = select(SyncRow.id).where(SyncRow.id.in_(list(ids)), SyncRow.finished_at.is_(None))
        async with self._engine.read() as session:
            return set(await session.scalars(query))

    async def record(self, input: RecordSyncInput) -> None:
        """Records the state of a sync; one that has finished stays as it is."""
        async with self._engine.write() as session:
            row = await session.get(SyncRow, input.sync_id, with_for_update=True)
            if row is None or row.finished_at is not None:
                return
            row.state, row.stage, row.waiting_for = input.state, input.stage or row.stage, input.waiting_for
            row.done = row.done if input.done is None else input.done
            row.total = row.total if input.total is None else input.total
            row.reason = msgspec.to_builtins(input.reason) if input.reason else None
            row.report = msgspec.to_builtins(input.report) if input.report is not None else row.report
            row.applied = dict(input.applied) if input.applied is not None else row.applied
            row.updated_at = now()
            if input.state in FINAL_STATES:
                row.finished_at = row.updated_at
                if not row.preview:
                    detail = {"state": input.state} | (row.applied or {})
                    detail |= {"code": input.reason.code} if input.reason else {}
                    session.audit(input.actor or row.actor, "sync.finish", row.knowledge_base_id, row.id, **detail)
                    source = await session.get_one(SourceRow, row.source_id)
                    await announce_sync(session, row, source.name)

    async def advance(self, id: str, done: int) -> None:
        """Records that ``done`` changes are applied."""
        async with self._engine.write() as session:
            row = await _locked(session, id)
            row.done = max(row.done, done)

    async def note(self, id: str, actor: str, action: str) -> None:
        """Records what an actor asked of a sync; a cancel counts also for a run that is started again."""
        async with self._engine.write() as session:
            row = await _locked(session, id)
            if action == "cancel":
                row.canceled_by = actor
            elif action == "confirm":
                row.confirmed_by = actor
            session.audit(actor, f"sync.{action}", row.knowledge_base_id, row.id)

    async def open_batch(self, id: str, name: str, parallelism: int) -> str:
        """The id of the open batch that the sync's documents join; a new one if there is none. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _locked(session, id)
            batch = await session.get(BatchRow, row.batch_id, with_for_update=True) if row.batch_id else None
            if batch is None or batch.closed:
                made = NewBatch(name=name[:255], parallelism=parallelism)
                batch = new_batch(session, row.knowledge_base_id, made, row.actor, closed=False)
                session.add(batch)
                await session.flush()
                row.batch_id = batch.id
            return batch.id

    async def leave_batch(self, id: str) -> None:
        """Forgets the batch of a sync, which no document has joined."""
        async with self._engine.write() as session:
            (await _locked(session, id)).batch_id = None


async def latest_of(session: AsyncSession, source_ids: Collection[str]) -> dict[str, Sync]:
    """The newest sync, but for previews, of each source that has one."""
    newest = select(func.max(SyncRow.id)).where(SyncRow.source_id.in_(list(source_ids)), ~SyncRow.preview)
    query = _named().where(SyncRow.id.in_(newest.group_by(SyncRow.source_id)))
    return {row.source_id: _record(row, source, name) for row, source, name in await session.execute(query)}


async def _locked(session: Transaction, id: str) -> SyncRow:
    row = await session.get(SyncRow, id, with_for_update=True)
    if row is None:
        raise NotFound(kind="sync", id=id)
    return row


def _named() -> Select[SyncRow, str, str]:
    return (
        select(SyncRow, SourceRow.name, KnowledgeBaseRow.name)
        .join(SourceRow, SourceRow.id == SyncRow.source_id)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == SyncRow.knowledge_base_id)
    )


def _record(row: SyncRow, source: str, knowledge_base: str) -> Sync:
    return Sync(
        id=row.id,
        source_id=row.source_id,
        source=source,
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        occurrence=row.occurrence,
        preview=row.preview or False,
        state=msgspec.convert(row.state, JobStateName),
        stage=row.stage,
        waiting_for=row.waiting_for,
        done=row.done,
        total=row.total,
        report=msgspec.convert(row.report, SyncReport) if row.report else None,
        applied=dict(row.applied or {}),
        batch_id=row.batch_id,
        reason=stored_reason(row.reason),
        actor=row.actor,
        confirmed_by=row.confirmed_by,
        canceled_by=row.canceled_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
    )
