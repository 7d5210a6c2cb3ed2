"""What is on its way into an index, and how long that may take."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import PENDING, PendingDocuments
from activities.stores.catalog.tables import DocumentRow, VersionRow, now

#: Over how long it is counted how fast documents become ready.
LATELY = timedelta(minutes=1)


class Pending:
    """What the catalogue knows of documents that are not searchable yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of(self, knowledge_base_id: str) -> PendingDocuments:
        """All of a knowledge base. The time is by how many became ready lately, or else by the slowest's stage."""
        # Of the few versions that are pending, not of all documents of the knowledge base: each search asks this.
        home = select(DocumentRow.knowledge_base_id).where(
            DocumentRow.id == VersionRow.document_id, DocumentRow.deleted_at.is_(None)
        )
        mine = home.scalar_subquery() == knowledge_base_id
        waiting = select(func.count(), func.max(VersionRow.eta_seconds)).where(VersionRow.state.in_(PENDING), mine)
        lately = select(func.count(), func.min(VersionRow.published_at)).where(
            VersionRow.published_at > now() - LATELY, mine
        )
        async with self._engine.read() as session:
            count, eta = (await session.execute(waiting)).one()
            if not count:
                return PendingDocuments(documents=0)
            published, since = (await session.execute(lately)).one()
        if published > 1:
            eta = count * max(1.0, (now() - since).total_seconds()) / published
        return PendingDocuments(documents=count, eta_seconds=None if eta is None else round(eta, 1))
