"""Legal holds: while a knowledge base is held, nothing of it is deleted, erased or expired."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.errors import NotFound, OnHold
from activities.stores.catalog.audit_log.tables import ONLY, AuditHoldRow, AuditLogRow
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.records import Record
from activities.stores.catalog.tables import KnowledgeBaseRow


class Hold(Record, frozen=True):
    """A legal hold."""

    knowledge_base: str
    reason: str
    actor: str
    at: datetime


@repeats_conflicts
class Holds:
    """The legal holds in the catalogue; setting and removing one is an audit event."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def all(self) -> list[Hold]:
        """All holds, the oldest first."""
        query = select(AuditHoldRow, KnowledgeBaseRow.name).join(
            KnowledgeBaseRow, KnowledgeBaseRow.id == AuditHoldRow.knowledge_base_id
        )
        async with self._engine.read() as session:
            return [_record(row, name) for row, name in await session.execute(query.order_by(AuditHoldRow.at))]

    async def set(self, knowledge_base: str, reason: str, actor: str) -> Hold:
        """Holds the knowledge base of this name, or gives its hold another reason. Raises NotFound."""
        async with self._engine.write() as session:
            id = await _locked(session, knowledge_base)
            await session.get(AuditLogRow, ONLY, with_for_update=True)  # no event is dropped beside it
            row = await session.merge(AuditHoldRow(knowledge_base_id=id, reason=reason, actor=actor))
            session.audit(actor, "hold.set", id, id, reason=reason)
            await session.flush()
            return _record(row, knowledge_base)

    async def remove(self, knowledge_base: str, reason: str, actor: str) -> None:
        """Ends a hold. Raises NotFound."""
        async with self._engine.write() as session:
            id = await _locked(session, knowledge_base)
            row = await session.get(AuditHoldRow, id)
            if row is None:
                raise NotFound(kind="hold", id=knowledge_base)
            await session.delete(row)
            session.audit(actor, "hold.remove", id, id, reason=reason)


async def _locked(session: AsyncSession, name: str) -> str:
    query = select(KnowledgeBaseRow.id).where(KnowledgeBaseRow.name == name, KnowledgeBaseRow.deleted_at.is_(None))
    id = await session.scalar(query.with_for_update())
    if id is None:
        raise NotFound(kind="knowledge base", id=name)
    return id


def _record(row: AuditHoldRow, knowledge_base: str) -> Hold:
    return Hold(knowledge_base=knowledge_base, reason=row.reason, actor=row.actor, at=row.at)


def held() -> Select[str]:
    """The ids of the knowledge bases that are held."""
    return select(AuditHoldRow.knowledge_base_id)


async def require_not_held(session: AsyncSession, knowledge_base_id: str) -> None:
    """Raises OnHold if nothing of the knowledge base may be deleted."""
    query = select(KnowledgeBaseRow.name).where(KnowledgeBaseRow.id == knowledge_base_id)
    name = await session.scalar(query.where(KnowledgeBaseRow.id.in_(held())))
    if name is not None:
        raise OnHold(name=name)
