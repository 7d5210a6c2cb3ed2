"""What a search asks of the catalogue: which documents it may show."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import Select, select

from activities.contracts.names import clean_tags
from activities.contracts.search import SearchFilter, TimeRange
from activities.errors import NotFound
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.tables import DocumentRow, TagRow, VersionRow


class SearchScope:
    """Read only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def require(self, knowledge_base_id: str, document_ids: Collection[str]) -> None:
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

        ``filter.pages`` is not the catalogue's to know.
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
