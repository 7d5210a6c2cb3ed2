"""The scope of a search: the documents that it may show."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from activities.contracts.names import clean_tags
from activities.contracts.search import SearchFilter, TimeRange
from activities.errors import NotFound
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.records import ShownDocument
from activities.stores.catalog.tables import DocumentRow, TagRow, VersionRow


@repeats_conflicts
class SearchScope:
    """Read-only queries for the documents of a search."""

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
            existing = set(await session.scalars(query))
        for id in document_ids:
            if id not in existing:
                raise NotFound(kind="document", id=id)

    async def matching(
        self, knowledge_base_id: str, document_ids: Collection[str] = (), filter: SearchFilter | None = None
    ) -> list[str]:
        """Ids of the live documents that match ``filter`` and, unless it is empty, are among ``document_ids``.

        ``filter.pages`` is ignored; the vector store applies it.
        """
        query = self._restricted(select(DocumentRow.id), knowledge_base_id, document_ids, filter)
        async with self._engine.read() as session:
            return list(await session.scalars(query))

    async def shown(
        self,
        knowledge_base_id: str,
        document_ids: Collection[str] = (),
        filter: SearchFilter | None = None,
        limit: int = 1000,
    ) -> tuple[int, list[ShownDocument]]:
        """The number of documents that ``matching`` finds, and at most ``limit`` of them, the last uploaded first."""
        live = select(VersionRow.document_id, VersionRow.version, VersionRow.created_at, VersionRow.actor).subquery()
        columns = (DocumentRow.id, DocumentRow.name, live.c.version, live.c.created_at, live.c.actor)
        query = self._restricted(select(*columns), knowledge_base_id, document_ids, filter)
        query = query.join(live, (live.c.document_id == DocumentRow.id) & (live.c.version == DocumentRow.live_version))
        counted = self._restricted(select(func.count(DocumentRow.id)), knowledge_base_id, document_ids, filter)
        async with self._engine.read() as session:
            rows = await session.execute(query.order_by(live.c.created_at.desc(), DocumentRow.id.desc()).limit(limit))
            found = [
                ShownDocument(id=id, name=name, version=version, uploaded_at=at, actor=actor)
                for id, name, version, at, actor in rows
            ]
            return await session.scalar(counted) or 0, found

    def _restricted(
        self,
        query: Select[Any],
        knowledge_base_id: str,
        document_ids: Collection[str],
        filter: SearchFilter | None,
    ) -> Select[Any]:
        """The query for the live documents of ``matching``."""
        query = query.where(
            DocumentRow.knowledge_base_id == knowledge_base_id,
            DocumentRow.live_version.is_not(None),
            DocumentRow.deleted_at.is_(None),
        )
        query = query.where(DocumentRow.id.in_(document_ids)) if document_ids else query
        if filter is not None and filter.name is not None:
            query = query.where(self._is_named(filter.name))
        if filter is not None and filter.uploaded is not None:
            query = _uploaded(query, filter.uploaded)
        for tag in clean_tags(filter.tags) if filter is not None else ():
            query = query.where(DocumentRow.id.in_(select(TagRow.document_id).where(TagRow.tag == tag)))
        return query

    def _is_named(self, pattern: str) -> ColumnElement[bool]:
        like = _like(pattern)
        if self._engine.is_sqlite and like.isascii():  # its LIKE ignores the case of ASCII, ten times as fast
            return DocumentRow.name.like(like, escape="\\")
        return DocumentRow.name.ilike(like, escape="\\")


def _uploaded(query: Select[Any], moments: TimeRange) -> Select[Any]:
    """Restricts the query to documents whose live version was uploaded in the time range."""
    live = (VersionRow.document_id == DocumentRow.id) & (VersionRow.version == DocumentRow.live_version)
    query = query.join(VersionRow, live)
    since, until = moments.bounds()
    query = query.where(VersionRow.created_at >= since) if since else query
    return query.where(VersionRow.created_at < until) if until else query


def _like(pattern: str) -> str:
    """Converts a glob (``*``, ``?``) to a LIKE pattern; all other characters are escaped."""
    return re.sub(r"[\\%_]", r"\\\g<0>", pattern).replace("*", "%").replace("?", "_")
