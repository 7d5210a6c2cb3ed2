"""The backlog: documents that are not indexed yet, and the estimated time until they are."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select

from activities.contracts.stages import ACTIVE
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.mapping import IS_PENDING, by_index
from activities.stores.catalog.records import PendingDocuments
from activities.stores.catalog.tables import BatchRow, DocumentRow, VersionRow, now

#: Time window over which the rate of published documents is measured.
RATE_WINDOW = timedelta(minutes=1)


@repeats_conflicts
class Backlog:
    """Counts of documents that are not searchable yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of_knowledge_base(self, knowledge_base_id: str) -> PendingDocuments:
        """All pending documents of a knowledge base."""
        return await self._counted(knowledge_base_id, _versions(knowledge_base_id), None)

    async def of_actor(self, knowledge_base_id: str, actor: str, before: datetime) -> PendingDocuments:
        """Pending documents that ``actor`` uploaded until ``before``, directly or in an archive.

        An archive that is not completely unpacked counts as one more document.
        """
        uploaded = (VersionRow.created_at <= before) | (
            BatchRow.archive_sha256.is_not(None) & (BatchRow.created_at <= before)
        )
        versions = _versions(knowledge_base_id, VersionRow.actor == actor, uploaded)
        archives = (
            select(func.count())
            .select_from(BatchRow)
            .where(
                BatchRow.knowledge_base_id == knowledge_base_id,
                BatchRow.actor == actor,
                BatchRow.created_at <= before,
                BatchRow.archive_sha256.is_not(None),
                BatchRow.unpacked.is_(False),
                BatchRow.state.in_(ACTIVE),
            )
        )
        return await self._counted(knowledge_base_id, versions, archives)

    async def _counted(
        self, knowledge_base_id: str, versions: Select[int, float | None], archives: Select[int] | None
    ) -> PendingDocuments:
        recent = (
            select(func.count(), func.min(VersionRow.published_at))
            .select_from(VersionRow)
            .where(VersionRow.knowledge_base_id == knowledge_base_id, VersionRow.published_at > now() - RATE_WINDOW)
        )
        async with self._engine.read() as session:
            count, eta = (await session.execute(versions)).one()
            count += int(await session.scalar(archives) or 0) if archives is not None else 0
            if not count:
                return PendingDocuments(documents=0)
            published, since = (await session.execute(recent)).one()
        if published > 1 and since is not None:
            seconds = max(1.0, (now() - since).total_seconds())
            eta = count * seconds / published
        return PendingDocuments(documents=count, eta_seconds=None if eta is None else round(eta, 1))


def _versions(knowledge_base_id: str, *conditions: ColumnElement[bool]) -> Select[int, float | None]:
    """The number of pending versions that meet the conditions, and the longest estimate.

    Those of deleted documents are counted by themselves and subtracted: they are few, while a join with the documents
    would read one for each pending version. Every search runs this query.
    """
    counted = [IS_PENDING, VersionRow.knowledge_base_id == knowledge_base_id, *conditions]
    versions = select(func.count().label("count"), func.max(VersionRow.eta_seconds).label("longest"))
    versions = by_index(versions.select_from(VersionRow), "ix_versions_pending").where(*counted)
    deleted = (
        select(func.count())
        .select_from(VersionRow)
        .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
        .where(DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.deleted_at.is_not(None), *counted)
    )
    if conditions:
        versions = versions.outerjoin(BatchRow, BatchRow.id == VersionRow.batch_id)
        deleted = deleted.outerjoin(BatchRow, BatchRow.id == VersionRow.batch_id)
    pending = versions.subquery()
    return select(pending.c.count - deleted.scalar_subquery(), pending.c.longest)
