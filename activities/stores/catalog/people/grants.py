"""Grants: roles of users and groups in knowledge bases."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.errors import NotFound
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.mapping import lock_knowledge_base
from activities.stores.catalog.people.groups import group_row
from activities.stores.catalog.people.records import Grant, SubjectKind
from activities.stores.catalog.people.tables import GrantRow, GroupRow, UserRow
from activities.stores.catalog.people.users import user_row
from activities.stores.catalog.roles import LADDER, LOWEST, KnowledgeBaseRole
from activities.stores.catalog.tables import KnowledgeBaseRow


@repeats_conflicts
class Grants:
    """Grants in the catalogue. Methods raise NotFound for a knowledge base, user or group that does not exist."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def set(
        self, knowledge_base_id: str, kind: SubjectKind, name: str, role: KnowledgeBaseRole, actor: str
    ) -> Grant:
        """Gives a user or group a role in a knowledge base, in place of the one it has there."""
        async with self._engine.write() as session:
            knowledge_base = await lock_knowledge_base(session, knowledge_base_id)
            subject = await _subject(session, kind, name)
            row = await session.get(GrantRow, (knowledge_base_id, kind, subject.id))
            before = row.role if row else None
            if row is None:
                row = GrantRow(
                    knowledge_base_id=knowledge_base_id,
                    subject_kind=kind,
                    subject_id=subject.id,
                    role=role,
                    created_by=actor,
                )
                session.add(row)
                await session.flush()
            row.role = role
            if before != role:
                detail = {"kind": kind, "name": subject.name, "before": before, "after": role}
                session.audit(actor, "grant.set", knowledge_base_id, subject.id, **detail)
        return _record(row, knowledge_base.name, subject.name)

    async def remove(self, knowledge_base_id: str, kind: SubjectKind, name: str, actor: str) -> None:
        """Takes the role of a user or group in a knowledge base away. Raises NotFound if it has none there."""
        async with self._engine.write() as session:
            await lock_knowledge_base(session, knowledge_base_id)
            subject = await _subject(session, kind, name)
            row = await session.get(GrantRow, (knowledge_base_id, kind, subject.id))
            if row is None:
                raise NotFound(kind="grant", id=subject.name)
            detail = {"kind": kind, "name": subject.name, "before": row.role, "after": None}
            session.audit(actor, "grant.remove", knowledge_base_id, subject.id, **detail)
            await session.delete(row)

    async def page(self, knowledge_base_id: str, after: tuple[str, str] | None = None, limit: int = 100) -> list[Grant]:
        """At most ``limit`` grants of a knowledge base by kind and name, after that kind and name."""
        name = func.coalesce(UserRow.name, GroupRow.name)
        query = (
            select(GrantRow, KnowledgeBaseRow.name, name)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == GrantRow.knowledge_base_id)
            .outerjoin(UserRow, (GrantRow.subject_kind == "user") & (UserRow.id == GrantRow.subject_id))
            .outerjoin(GroupRow, (GrantRow.subject_kind == "group") & (GroupRow.id == GrantRow.subject_id))
            .where(GrantRow.knowledge_base_id == knowledge_base_id)
            .order_by(GrantRow.subject_kind, name)
            .limit(limit)
        )
        if after is not None:
            kind, last = after
            is_later = (GrantRow.subject_kind == kind) & (name > last)
            query = query.where((GrantRow.subject_kind > kind) | is_later)
        async with self._engine.read() as session:
            return [_record(*row) for row in await session.execute(query)]


async def _subject(session: AsyncSession, kind: SubjectKind, name: str) -> UserRow | GroupRow:
    """Locked, so that none is removed while it gets a grant, which nobody could take away."""
    return await (user_row if kind == "user" else group_row)(session, name, lock=True)


def _record(row: GrantRow, knowledge_base: str, name: str) -> Grant:
    return Grant(
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        kind="group" if row.subject_kind == "group" else "user",
        name=name,
        role=next((each for each in LADDER if each == row.role), LOWEST),
        created_at=row.created_at,
        created_by=row.created_by,
    )
