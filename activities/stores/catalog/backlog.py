"""What is on its way into an index, and how long that may take."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select

from activities.contracts.stages import ACTIVE, PENDING
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import PendingDocuments
from activities.stores.catalog.tables import BatchRow, DocumentRow, VersionRow, now

#: Over how long it is counted how fast documents become ready.
LATELY = timedelta(minutes=1)


class Backlog:
    """What the catalogue knows of documents that are not searchable yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of_knowledge_base(self, knowledge_base_id: str) -> PendingDocuments:
        """All of a knowledge base."""
        return await self._counted(knowledge_base_id, _versions(knowledge_base_id), None)

    async def of_actor(self, knowledge_base_id: str, actor: str, before: datetime) -> PendingDocuments:
        """What ``actor`` had brought before a moment, also in an archive; one that is not unpacked counts as one."""
        brought = (VersionRow.created_at <= before) | (
            BatchRow.archive_sha256.is_not(None) & (BatchRow.created_at <= before)
        )
        versions = _versions(knowledge_base_id).where(VersionRow.actor == actor, brought)
        archives = (
            select(func.count())
            .select_from(BatchRow)
            .where(
                BatchRow.knowledge_base_id == knowledge_base_id,
                BatchRow.actor == actor,
                BatchRow.created_at <= before,
                BatchRow.archive_sha256.is_not(None),
                BatchRow.closed.is_(False),
                BatchRow.state.in_(ACTIVE),
            )
        )
        return await self._counted(knowledge_base_id, versions, archives)

    async def _counted(
        self, knowledge_base_id: str, versions: Select[int, float | None], archives: Select[int] | None
    ) -> PendingDocuments:
        lately = (
            select(func.count(), func.min(VersionRow.published_at))
            .select_from(VersionRow)
            .where(VersionRow.published_at > now() - LATELY, _of(knowledge_base_id))
        )
        async with self._engine.read() as session:
            count, eta = (await session.execute(versions)).one()
            count += int(await session.scalar(archives) or 0) if archives is not None else 0
            if not count:
                return PendingDocuments(documents=0)
            published, since = (await session.execute(lately)).one()
        if published > 1 and since is not None:
            over = max(1.0, (now() - since).total_seconds())
            eta = count * over / published
        return PendingDocuments(documents=count, eta_seconds=None if eta is None else round(eta, 1))


def _versions(knowledge_base_id: str) -> Select[int, float | None]:
    return (
        select(func.count(), func.max(VersionRow.eta_seconds))
        .select_from(VersionRow)
        .outerjoin(BatchRow, BatchRow.id == VersionRow.batch_id)
        .where(VersionRow.state.in_(PENDING), _of(knowledge_base_id))
    )


def _of(knowledge_base_id: str) -> ColumnElement[bool]:
    """Looks at the few versions in question, not at all documents of the knowledge base: each search asks this."""
    home = select(DocumentRow.knowledge_base_id).where(
        DocumentRow.id == VersionRow.document_id, DocumentRow.deleted_at.is_(None)
    )
    return home.scalar_subquery() == knowledge_base_id
