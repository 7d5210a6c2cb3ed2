"""Re-indexes of many knowledge bases: the jobs, and their knowledge bases in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.reindex_all import AllSettings, ControlAction, ItemState, ReindexAllToRun
from activities.contracts.stages import FINAL_STATES, JobStateName
from activities.errors import NotFound, Reason
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.mapping import stored_reason
from activities.stores.catalog.records import KnowledgeBase, Record
from activities.stores.catalog.tables import ReindexAllItemRow, ReindexAllRow, now


class ReindexAllItem(Record, frozen=True):
    """A knowledge base of the job; ``reindex_id`` is its re-index, once its turn has come."""

    position: int
    knowledge_base_id: str
    knowledge_base: str
    state: ItemState
    reason: Reason | None
    reindex_id: str | None


class ReindexAllJob(Record, frozen=True):
    """A re-index of many knowledge bases; ``wanted`` is the last control."""

    id: str
    state: JobStateName
    wanted: ControlAction
    settings: AllSettings
    items: list[ReindexAllItem]
    actor: str
    canceled_by: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    def to_run(self) -> ReindexAllToRun:
        """The input of its workflow."""
        return ReindexAllToRun(id=self.id, actor=self.actor, plan_only=self.settings.plan_only)


@repeats_conflicts
class ReindexAlls:
    """Re-indexes of many knowledge bases in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self, knowledge_bases: Sequence[KnowledgeBase], settings: AllSettings, actor: str
    ) -> ReindexAllJob:
        """Records a job with its knowledge bases in this order."""
        row = ReindexAllRow(settings=msgspec.to_builtins(settings), actor=actor)
        async with self._engine.write() as session:
            session.add(row)
            await session.flush()
            items = [
                ReindexAllItemRow(
                    reindex_all_id=row.id, position=place, knowledge_base_id=each.id, knowledge_base=each.name
                )
                for place, each in enumerate(knowledge_bases)
            ]
            session.add_all(items)
            session.audit(actor, "reindex_all.start", None, row.id, knowledge_bases=len(items), **row.settings)
        return _job(row, items)

    async def get(self, id: str) -> ReindexAllJob:
        """A job with its knowledge bases. Raises NotFound."""
        async with self._engine.read() as session:
            row = await session.get(ReindexAllRow, id)
            if row is None:
                raise NotFound(kind="reindex", id=id)
            return _job(row, await _items(session, id))

    async def page(self, after: str | None, limit: int) -> list[ReindexAllJob]:
        """At most ``limit`` jobs, newest first, begun before the job ``after``."""
        query = select(ReindexAllRow).order_by(ReindexAllRow.id.desc()).limit(limit)
        query = query.where(ReindexAllRow.id < after) if after else query
        async with self._engine.read() as session:
            rows = list(await session.scalars(query))
            return [_job(row, await _items(session, row.id)) for row in rows]

    async def unfinished(self, before: datetime) -> list[ReindexAllJob]:
        """Those that have not finished, last changed before ``before``."""
        query = select(ReindexAllRow).where(ReindexAllRow.finished_at.is_(None), ReindexAllRow.updated_at < before)
        async with self._engine.read() as session:
            return [_job(row, []) for row in await session.scalars(query)]

    async def control(self, id: str, action: ControlAction, actor: str) -> None:
        """Records what was asked of the job; a cancel stays. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _row(session, id)
            if row.finished_at is None and row.wanted != "cancel":
                row.wanted = action
                row.canceled_by = actor if action == "cancel" else None
                session.audit(actor, f"reindex_all.{action}", None, id)

    async def settle(self, id: str, position: int, state: ItemState, reason: Reason | None, reindex_id: str) -> None:
        """Records the state of a knowledge base, and its re-index unless ``reindex_id`` is empty."""
        async with self._engine.write() as session:
            row = await session.get_one(ReindexAllItemRow, (id, position), with_for_update=True)
            row.state, row.reason = state, msgspec.to_builtins(reason) if reason else None
            row.reindex_id = reindex_id or row.reindex_id

    async def record(self, id: str, state: JobStateName) -> None:
        """Records the state of the job; one that has finished stays as it is."""
        async with self._engine.write() as session:
            row = await _row(session, id)
            if row.finished_at is not None or row.state == state:
                return
            row.state = state
            if state in FINAL_STATES:
                row.finished_at = now()
                session.audit(row.canceled_by or row.actor, "reindex_all.finish", None, id, state=state)


async def _row(session: Transaction, id: str) -> ReindexAllRow:
    row = await session.get(ReindexAllRow, id, with_for_update=True)
    if row is None:
        raise NotFound(kind="reindex", id=id)
    return row


async def _items(session: AsyncSession, id: str) -> Sequence[ReindexAllItemRow]:
    query = select(ReindexAllItemRow).where(ReindexAllItemRow.reindex_all_id == id)
    return list(await session.scalars(query.order_by(ReindexAllItemRow.position)))


def _job(row: ReindexAllRow, items: Sequence[ReindexAllItemRow]) -> ReindexAllJob:
    return ReindexAllJob(
        id=row.id,
        state=msgspec.convert(row.state, JobStateName),
        wanted=msgspec.convert(row.wanted, ControlAction),
        settings=msgspec.convert(row.settings, AllSettings),
        items=[
            ReindexAllItem(
                position=item.position,
                knowledge_base_id=item.knowledge_base_id,
                knowledge_base=item.knowledge_base,
                state=msgspec.convert(item.state, ItemState),
                reason=stored_reason(item.reason),
                reindex_id=item.reindex_id,
            )
            for item in items
        ],
        actor=row.actor,
        canceled_by=row.canceled_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
    )
