"""References of the catalogue to Milvus collections, Milvus rows and blobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from sqlalchemy import Select, inspect, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from activities.contracts.stages import ACTIVE
from activities.stores.blob_keys import digest
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.knowledge_bases import generation_record
from activities.stores.catalog.mapping import indexed_in
from activities.stores.catalog.records import Generation, LiveVersion
from activities.stores.catalog.tables import (
    BatchRow,
    ContentRow,
    ConversationRow,
    DocumentRow,
    GenerationRow,
    IndexedVersionRow,
    KnowledgeBaseRow,
    QuestionRow,
    Table,
    VersionRow,
)

#: Rows of one query.
PAGE = 1000


@repeats_conflicts
class References:
    """What other stores must hold because the catalogue refers to it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def generations(self, after: str, limit: int) -> list[tuple[str, list[Generation]]]:
        """Pairs (knowledge base id, its index generations, live one first), ordered by id, after the id ``after``.

        Deleted knowledge bases are left out.
        """
        query = select(KnowledgeBaseRow.id, KnowledgeBaseRow.generation).where(
            KnowledgeBaseRow.id > after, KnowledgeBaseRow.deleted_at.is_(None)
        )
        async with self._engine.read() as session:
            result = []
            for id, live in list(await session.execute(query.order_by(KnowledgeBaseRow.id).limit(limit))):
                rows = await session.scalars(select(GenerationRow).where(GenerationRow.knowledge_base_id == id))
                ordered = sorted(rows, key=lambda row: (row.generation != live, row.generation))
                result.append((id, [generation_record(row) for row in ordered]))
            return result

    async def collections(self) -> tuple[set[str], set[str]]:
        """Names of the collections of all generations, and ids of all knowledge bases, including deleted ones."""
        async with self._engine.read() as session:
            collections = set(await session.scalars(select(GenerationRow.collection)))
            return collections, set(await session.scalars(select(KnowledgeBaseRow.id)))

    async def live_versions(self, generation: Generation) -> AsyncIterator[list[LiveVersion]]:
        """Yields the live versions of a generation's knowledge base, with their data in the generation, in pages."""
        after = ""
        while True:
            query = _live(generation).where(DocumentRow.id > after).order_by(DocumentRow.id).limit(PAGE)
            page = await self._live_versions(query)
            if page:
                yield page
            if len(page) < PAGE:
                return
            after = page[-1].document_id

    async def live_version(self, generation: Generation, document_id: str) -> LiveVersion | None:
        """A document's current live version, with its data in a generation; None if it has no live version."""
        versions = await self._live_versions(_live(generation).where(DocumentRow.id == document_id))
        return versions[0] if versions else None

    async def _live_versions(self, query: Select[VersionRow, str, IndexedVersionRow | None]) -> list[LiveVersion]:
        async with self._engine.read() as session:
            return [
                LiveVersion(
                    document_id=row.document_id,
                    version=row.version,
                    name=name,
                    chunks=row.chunks if indexed is None else indexed.rows,
                    sha256=row.sha256,
                    parsed_key=row.parsed_key,
                    chunks_key=None if indexed is None else indexed.chunks_key,
                )
                for row, name, indexed in await session.execute(query)
            ]

    async def contents(self, hashes: Collection[str]) -> set[str]:
        """The contents (SHA-256) among ``hashes`` that a document, also a deleted one, or an active batch uses."""
        versions = select(VersionRow.sha256).where(VersionRow.sha256.in_(list(hashes))).distinct()
        archives = select(BatchRow.archive_sha256).where(
            BatchRow.archive_sha256.in_(list(hashes)), BatchRow.state.in_(ACTIVE)
        )
        async with self._engine.read() as session:
            return set(await session.scalars(versions)) | {
                sha256 for sha256 in await session.scalars(archives) if sha256
            }

    async def derived(self) -> tuple[set[str], set[str]]:
        """Digests of all blob keys that versions refer to: of parsed documents, and of chunks in any generation."""
        parsed = await self._digests(VersionRow.parsed_key, VersionRow)
        return parsed, await self._digests(IndexedVersionRow.chunks_key, IndexedVersionRow)

    async def _digests(
        self, key: InstrumentedAttribute[str | None] | InstrumentedAttribute[str], table: type[Table]
    ) -> set[str]:
        """Digests of all keys in a column, read in pages ordered by the primary key."""
        digests: set[str] = set()
        primary_key = inspect(table).primary_key
        query = select(key, *primary_key).order_by(*primary_key).limit(PAGE)
        after: Sequence[Any] = ()
        while True:
            async with self._engine.read() as session:
                page = query.where(tuple_(*primary_key) > tuple_(*after)) if after else query
                rows = (await session.execute(page)).all()
            digests.update(digest(row[0]) for row in rows if row[0])
            if len(rows) < PAGE:
                return digests
            after = rows[-1][1:]

    async def questions(self, ids: Collection[str]) -> set[str]:
        """The questions among ``ids`` that exist in a conversation that is not deleted."""
        query = (
            select(QuestionRow.id)
            .join(ConversationRow, ConversationRow.id == QuestionRow.conversation_id)
            .where(QuestionRow.id.in_(list(ids)), ConversationRow.deleted_at.is_(None))
        )
        async with self._engine.read() as session:
            return set(await session.scalars(query))

    async def abandoned_removals(self, holder: str) -> list[str]:
        """Takes over the locks of abandoned removals for ``holder``; returns the contents (SHA-256).

        A removal is abandoned if its holder is not the id of an existing document.
        """
        query = (
            select(ContentRow)
            .outerjoin(DocumentRow, DocumentRow.id == ContentRow.removing_by)
            .where(ContentRow.removing_by.is_not(None), DocumentRow.id.is_(None))
        )
        async with self._engine.write() as session:
            rows = list(await session.scalars(query))
            for row in rows:
                row.removing_by = holder
            return [row.sha256 for row in rows]

    async def note_reconcile(self, id: str, actor: str, detail: dict[str, object]) -> None:
        """Records the result of a reconciliation in the audit trail."""
        async with self._engine.write() as session:
            session.audit(actor, "reconcile.finish", None, id, **detail)


def _live(generation: Generation) -> Select[VersionRow, str, IndexedVersionRow | None]:
    return (
        select(VersionRow, DocumentRow.name, IndexedVersionRow)
        .join(
            DocumentRow, (DocumentRow.id == VersionRow.document_id) & (DocumentRow.live_version == VersionRow.version)
        )
        .outerjoin(IndexedVersionRow, indexed_in(generation.generation))
        .where(
            DocumentRow.knowledge_base_id == generation.knowledge_base_id,
            DocumentRow.deleted_at.is_(None),
            VersionRow.state == "ready",
        )
    )
