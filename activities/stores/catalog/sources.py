"""Sources: folders and S3 prefixes that knowledge bases follow, and the documents that belong to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from activities.errors import NotFound, SourceNameTaken, SyncRuns
from activities.stores.catalog.audit_log.holds import require_not_held
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.mapping import lock_knowledge_base
from activities.stores.catalog.source_records import NewSource, Source, SourceDocument, Sync
from activities.stores.catalog.syncs import latest_of
from activities.stores.catalog.tables import DocumentRow, KnowledgeBaseRow, SourceRow, SyncRow, VersionRow, now

#: Names of one query.
NAMES = 500


@repeats_conflicts
class Sources:
    """Sources in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, source: NewSource, actor: str) -> Source:
        """Records a source. Raises SourceNameTaken and NotFound."""
        row = SourceRow(
            knowledge_base_id=source.knowledge_base_id,
            name=source.name,
            kind=source.kind,
            location=source.location,
            include=source.include,
            exclude=source.exclude,
            max_delete_share=source.max_delete_share,
            tags=source.tags,
            created_by=actor,
        )
        try:
            async with self._engine.write() as session:
                knowledge_base = await lock_knowledge_base(session, source.knowledge_base_id)
                session.add(row)
                await session.flush()
                detail = {"name": row.name, "location": row.location}
                session.audit(actor, "source.create", row.knowledge_base_id, row.id, **detail)
        except IntegrityError as exc:
            raise SourceNameTaken(name=source.name) from exc
        return _record(row, knowledge_base.name, 0, None)

    async def get(self, id: str) -> Source:
        """A source by id. Raises NotFound."""
        async with self._engine.read() as session:
            found = (await session.execute(_named().where(SourceRow.id == id))).first()
            if found is None:
                raise NotFound(kind="source", id=id)
            return (await _complete(session, [(found[0], found[1])]))[0]

    async def find(self, knowledge_base_id: str, name: str) -> Source:
        """The source of a knowledge base with this id or name. Raises NotFound."""
        wanted = (SourceRow.id == name) | (SourceRow.name == name)
        query = select(SourceRow.id).where(SourceRow.knowledge_base_id == knowledge_base_id, wanted)
        async with self._engine.read() as session:
            id = await session.scalar(query.order_by((SourceRow.id == name).desc()).limit(1))
        if id is None:
            raise NotFound(kind="source", id=name)
        return await self.get(id)

    async def page(self, knowledge_base_id: str, after: str | None, limit: int) -> list[Source]:
        """At most ``limit`` sources, newest first, created before the source ``after``."""
        query = _named().where(SourceRow.knowledge_base_id == knowledge_base_id)
        query = query.order_by(SourceRow.id.desc()).limit(limit)
        query = query.where(SourceRow.id < after) if after else query
        async with self._engine.read() as session:
            return await _complete(session, [(row, name) for row, name in await session.execute(query)])

    async def change(self, id: str, changes: Mapping[str, Any], actor: str) -> Source:
        """Changes fields of a source; its location stays. Raises SourceNameTaken and NotFound."""
        try:
            async with self._engine.write() as session:
                row = await _locked(session, id)
                for name, value in changes.items():
                    setattr(row, name, value)
                session.audit(actor, "source.change", row.knowledge_base_id, id, **changes)
                await session.flush()
        except IntegrityError as exc:
            raise SourceNameTaken(name=changes.get("name", "")) from exc
        return await self.get(id)

    async def delete(self, id: str, actor: str) -> int:
        """Forgets a source with its syncs; its documents stay, as if people had uploaded them. Returns their number.

        Raises SyncRuns while it is synced, and NotFound.
        """
        async with self._engine.write() as session:
            row = await _locked(session, id)
            unfinished = select(SyncRow.id).where(SyncRow.source_id == id, SyncRow.finished_at.is_(None))
            if await session.scalar(unfinished.limit(1)) is not None:
                raise SyncRuns(name=row.name)
            freed = update(DocumentRow).where(DocumentRow.source_id == id).values(source_id=None, source_stamp=None)
            documents = int((await session.execute(freed)).rowcount)  # type: ignore[attr-defined]
            session.audit(actor, "source.delete", row.knowledge_base_id, id, name=row.name, documents=documents)
            await session.delete(row)
        return documents

    async def documents(self, id: str, after: str, limit: int) -> list[SourceDocument]:
        """Documents of a source by id, after the id ``after``."""
        query = (
            select(DocumentRow, VersionRow.sha256, VersionRow.bytes)
            .join(
                VersionRow,
                (VersionRow.document_id == DocumentRow.id) & (VersionRow.version == DocumentRow.latest_version),
            )
            .where(DocumentRow.source_id == id, DocumentRow.deleted_at.is_(None), DocumentRow.id > after)
        )
        async with self._engine.read() as session:
            rows = await session.execute(query.order_by(DocumentRow.id).limit(limit))
            return [
                SourceDocument(
                    id=document.id, name=document.name, sha256=sha256, bytes=size, stamp=document.source_stamp or ""
                )
                for document, sha256, size in rows
            ]

    async def taken(self, knowledge_base_id: str, names: Collection[str], source_id: str) -> set[str]:
        """Those of ``names`` that documents have which do not belong to the source."""
        taken: set[str] = set()
        wanted = sorted(names)
        query = select(DocumentRow.name).where(
            DocumentRow.knowledge_base_id == knowledge_base_id,
            DocumentRow.deleted_at.is_(None),
            DocumentRow.source_id.is_(None) | (DocumentRow.source_id != source_id),
        )
        async with self._engine.read() as session:
            for start in range(0, len(wanted), NAMES):
                some = DocumentRow.name.in_(wanted[start : start + NAMES])
                taken |= set(await session.scalars(query.where(some)))
        return taken

    async def stamp(self, id: str, stamps: Iterable[tuple[str, str]]) -> None:
        """Records new states of files whose content is the same, as pairs (document, stamp)."""
        async with self._engine.write() as session:
            for document_id, stamp in sorted(stamps):
                own = (DocumentRow.id == document_id) & (DocumentRow.source_id == id)
                await session.execute(update(DocumentRow).where(own).values(source_stamp=stamp))

    async def delete_document(self, id: str, document_id: str, actor: str) -> bool:
        """Marks a document of a source as deleted, if it is not yet; False if it no longer belongs to the source."""
        async with self._engine.write() as session:
            row = await session.get(DocumentRow, document_id, with_for_update=True)
            if row is None or row.source_id != id:
                return False
            if row.deleted_at is None:
                await require_not_held(session, row.knowledge_base_id)
                row.deleted_at, row.deleted_by, row.live_version = now(), actor, None
                session.audit(actor, "document.delete", row.knowledge_base_id, row.id, name=row.name)
        return True


async def _locked(session: Transaction, id: str) -> SourceRow:
    row = await session.get(SourceRow, id, with_for_update=True)
    if row is None:
        raise NotFound(kind="source", id=id)
    return row


async def _complete(session: AsyncSession, rows: list[tuple[SourceRow, str]]) -> list[Source]:
    """The records, each with its number of documents and its newest sync."""
    ids = [row.id for row, _ in rows]
    of_source = DocumentRow.source_id.in_(ids), DocumentRow.deleted_at.is_(None)
    counted = select(DocumentRow.source_id, func.count()).where(*of_source).group_by(DocumentRow.source_id)
    counts = {str(id): int(count) for id, count in await session.execute(counted)}
    syncs = await latest_of(session, ids)
    return [_record(row, name, counts.get(row.id, 0), syncs.get(row.id)) for row, name in rows]


def _named() -> Select[SourceRow, str]:
    return select(SourceRow, KnowledgeBaseRow.name).join(
        KnowledgeBaseRow, KnowledgeBaseRow.id == SourceRow.knowledge_base_id
    )


def _record(row: SourceRow, knowledge_base: str, documents: int, last_sync: Sync | None) -> Source:
    return Source(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        name=row.name,
        kind="s3" if row.kind == "s3" else "folder",
        location=row.location,
        include=list(row.include),
        exclude=list(row.exclude),
        max_delete_share=row.max_delete_share,
        tags=list(row.tags),
        documents=documents,
        last_sync=last_sync,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
