"""What a search asks of the catalogue: which documents it may show, and how complete the index is."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import Select, func, select

from activities.contracts import SearchFilter, TimeRange
from activities.errors import NotFound
from activities.names import clean_tags
from activities.stores.catalog.batches import RATE_OVER
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import PENDING, IndexProgress
from activities.stores.catalog.tables import DocumentRow, TagRow, VersionRow, now


class Searching:
    """Read only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def known(self, knowledge_base_id: str, document_ids: Collection[str]) -> None:
        """Raises NotFound for the first of the ids that is no document of the knowledge base."""
        if not document_ids:
            return
        query = select(DocumentRow.id).where(
            DocumentRow.knowledge_base_id == knowledge_base_id,
            DocumentRow.id.in_(document_ids),
            DocumentRow.deleted_at.is_(None),
        )
        async with self._engine.read() as session:
            found = set(await session.scalars(query))
        for id in document_ids:
            if id not in found:
                raise NotFound(kind="document", id=id)

    async def matching(
        self, knowledge_base_id: str, document_ids: Collection[str] = (), filter: SearchFilter | None = None
    ) -> list[str]:
        """Ids of the documents that are live and, where any are named, among ``document_ids``, and pass ``filter``.

        ``filter.pages`` is not the catalogue's to know. Raises InvalidRequest for tags that cannot be.
        """
        query = select(DocumentRow.id).where(
            DocumentRow.knowledge_base_id == knowledge_base_id,
            DocumentRow.live_version.is_not(None),
            DocumentRow.deleted_at.is_(None),
        )
        query = query.where(DocumentRow.id.in_(document_ids)) if document_ids else query
        if filter is not None and filter.name is not None:
            query = query.where(DocumentRow.name.ilike(_like(filter.name), escape="\\"))
        if filter is not None and filter.uploaded is not None:
            query = _uploaded(query, filter.uploaded)
        for tag in clean_tags(filter.tags) if filter is not None else ():
            query = query.where(DocumentRow.id.in_(select(TagRow.document_id).where(TagRow.tag == tag)))
        async with self._engine.read() as session:
            return list(await session.scalars(query))

    async def progress(self, knowledge_base_id: str) -> IndexProgress:
        """How many documents are on their way into the index, and when they will be there.

        By how many came to their end lately, or by the stage of the slowest that is under way, whichever is later.
        """
        latest = (VersionRow.document_id == DocumentRow.id) & (VersionRow.version == DocumentRow.latest_version)
        mine = (DocumentRow.knowledge_base_id == knowledge_base_id) & DocumentRow.deleted_at.is_(None)
        waiting = select(func.count(), func.max(VersionRow.eta_seconds), func.min(VersionRow.created_at))
        waiting = waiting.select_from(VersionRow).join(DocumentRow, latest).where(mine, VersionRow.state.in_(PENDING))
        moment = now()
        recent = select(func.count()).select_from(VersionRow).join(DocumentRow, latest)
        recent = recent.where(mine, VersionRow.state.not_in(PENDING), VersionRow.updated_at > moment - RATE_OVER)
        async with self._engine.read() as session:
            pending, slowest, since = (await session.execute(waiting)).one()
            if not pending:
                return IndexProgress(pending=0)
            finished = await session.scalar(recent) or 0
        over = min(RATE_OVER, max(moment - since, RATE_OVER / 60)).total_seconds()
        estimates = [slowest, pending * over / finished if finished else None]
        known = [seconds for seconds in estimates if seconds is not None]
        return IndexProgress(pending=pending, eta_seconds=round(max(known), 1) if known else None)


def _uploaded(query: Select[str], moments: TimeRange) -> Select[str]:
    """Documents whose live version was uploaded then."""
    live = (VersionRow.document_id == DocumentRow.id) & (VersionRow.version == DocumentRow.live_version)
    query = query.join(VersionRow, live)
    since, until = moments.bounds()
    query = query.where(VersionRow.created_at >= since) if since else query
    return query.where(VersionRow.created_at < until) if until else query


def _like(pattern: str) -> str:
    """A glob (``*``, ``?``) as a pattern of SQL, in which everything else stands for itself."""
    return re.sub(r"[\\%_]", r"\\\g<0>", pattern).replace("*", "%").replace("?", "_")
