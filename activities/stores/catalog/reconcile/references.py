"""References of the catalogue to Milvus collections, Milvus rows and blobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from activities.contracts.stages import ACTIVE, PENDING
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.generation_rows import IS_SHARED, generation_record
from activities.stores.catalog.mapping import indexed_in
from activities.stores.catalog.records import Generation, LiveFiles, LiveVersion
from activities.stores.catalog.tables import (
    BatchRow,
    ContentRow,
    ConversationRow,
    DocumentRow,
    GenerationRow,
    IndexedVersionRow,
    KnowledgeBaseRow,
    QuestionRow,
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
        """Names of the collections of generations that are not retired, and ids of all knowledge bases."""
        async with self._engine.read() as session:
            kept = select(GenerationRow.collection).where(GenerationRow.phase != "retired")
            collections = set(await session.scalars(kept))
            return collections, set(await session.scalars(select(KnowledgeBaseRow.id)))

    async def ended_in_shared(self, after: tuple[str, int], limit: int) -> list[Generation]:
        """Retired generations in shared collections, and all of deleted knowledge bases there; by id and number."""
        order = tuple_(GenerationRow.knowledge_base_id, GenerationRow.generation)
        query = (
            select(GenerationRow)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == GenerationRow.knowledge_base_id)
            .where(IS_SHARED, order > after)
            .where((GenerationRow.phase == "retired") | KnowledgeBaseRow.deleted_at.is_not(None))
        )
        async with self._engine.read() as session:
            rows = await session.scalars(query.order_by(*order.clauses).limit(limit))
            return [generation_record(row) for row in rows]

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

    async def chunks(self, keys: Collection[str]) -> set[str]:
        """The blobs of chunks among ``keys`` that versions refer to, in any generation."""
        return await self._known(IndexedVersionRow.chunks_key, keys)

    async def vectors(self, keys: Collection[str]) -> set[str]:
        """The blobs of vectors among ``keys`` that versions refer to, in any generation."""
        return await self._known(IndexedVersionRow.vectors_key, keys)

    async def _known(self, column: InstrumentedAttribute[str], keys: Collection[str]) -> set[str]:
        async with self._engine.read() as session:
            return set(await session.scalars(select(column).where(column.in_(list(keys)))))

    async def any_pending(self) -> bool:
        """Whether any version is pending."""
        query = select(VersionRow.version).where(VersionRow.state.in_(PENDING)).limit(1)
        async with self._engine.read() as session:
            return await session.scalar(query) is not None

    async def live_files(self, after: str, limit: int) -> list[LiveFiles]:
        """The blobs of live versions, ordered by document, after the document ``after``."""
        return await self._live_files(_live_files().where(DocumentRow.id > after).order_by(DocumentRow.id).limit(limit))

    async def sampled_files(self, limit: int) -> list[LiveFiles]:
        """The blobs of ``limit`` live versions, chosen at random."""
        sample = select(DocumentRow.id).where(DocumentRow.live_version.is_not(None), DocumentRow.deleted_at.is_(None))
        sample = sample.order_by(func.random()).limit(limit)
        return await self._live_files(_live_files().where(DocumentRow.id.in_(sample)).order_by(DocumentRow.id))

    async def still_live(self, files: LiveFiles) -> bool:
        """Whether the version is still live, with the same blobs."""
        return await self._live_files(_live_files().where(DocumentRow.id == files.document_id)) == [files]

    async def _live_files(self, query: Select[VersionRow, str, str, IndexedVersionRow | None]) -> list[LiveFiles]:
        async with self._engine.read() as session:
            return [
                LiveFiles(
                    document_id=row.document_id,
                    version=row.version,
                    name=name,
                    knowledge_base=knowledge_base,
                    sha256=row.sha256,
                    parsed_key=row.parsed_key,
                    chunks_key=None if indexed is None else indexed.chunks_key,
                    vectors_key=None if indexed is None else indexed.vectors_key,
                )
                for row, name, knowledge_base, indexed in await session.execute(query)
            ]

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


def _live_files() -> Select[VersionRow, str, str, IndexedVersionRow | None]:
    return (
        select(VersionRow, DocumentRow.name, KnowledgeBaseRow.name, IndexedVersionRow)
        .join(
            DocumentRow, (DocumentRow.id == VersionRow.document_id) & (DocumentRow.live_version == VersionRow.version)
        )
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id)
        .outerjoin(IndexedVersionRow, indexed_in(None))
        .where(DocumentRow.deleted_at.is_(None), KnowledgeBaseRow.deleted_at.is_(None), VersionRow.state == "ready")
    )


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
