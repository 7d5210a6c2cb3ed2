"""Index generations: begun beside the live one; the switch to one, and back, is one transaction each.

From the transaction that begins a generation to the one that retires it, a version is published only once it is in
the generation too (``Documents.publish``). What was live before is built by the re-index. A switch checks, under the
lock of the knowledge base that publications share, that no live version is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, select, update

from activities.contracts.ingest import PublishInput
from activities.contracts.reindex import DocumentToBuild, Switched
from activities.contracts.stages import PENDING
from activities.errors import NotFound, WrongState
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.generation_rows import generation_record, new_collection
from activities.stores.catalog.mapping import READING, lock_knowledge_base, record_indexed
from activities.stores.catalog.records import LivePlan
from activities.stores.catalog.tables import (
    DocumentRow,
    GenerationRow,
    IndexedVersionRow,
    KnowledgeBaseRow,
    ReindexRow,
    VersionRow,
    now,
)


@repeats_conflicts
class Generations:
    """What re-indexes do with index generations in the catalogue."""

    def __init__(self, engine: Engine, collections: int) -> None:
        self._engine, self._collections = engine, collections

    # --- building -----------------------------------------------------------------------------------------

    async def begin(self, id: str) -> None:
        """Begins the generation: from now on every publication goes into it too. Idempotent.

        Raises NotFound, and WrongState for one that is gone again.
        """
        async with self._engine.write() as session:
            row = await _row(session, id)
            await lock_knowledge_base(session, row.knowledge_base_id)
            found = await session.get(GenerationRow, (row.knowledge_base_id, row.generation))
            if row.finished_at is not None or (found is not None and found.phase == "retired"):
                raise WrongState(state="retired")
            if found is None:
                session.add(await _generation(session, row, row.generation, self._collections))

    async def to_build(self, knowledge_base_id: str, generation: int, after: str, limit: int) -> list[DocumentToBuild]:
        """Live documents that are missing in the generation, by id, after ``after``."""
        async with self._engine.read() as session:
            query = _missing(knowledge_base_id, generation, DocumentRow, VersionRow)
            found = await session.execute(query.where(DocumentRow.id > after).order_by(DocumentRow.id).limit(limit))
            return [
                DocumentToBuild(
                    document_id=document.id,
                    document_name=document.name,
                    version=version.version,
                    sha256=version.sha256,
                    bytes=version.bytes,
                )
                for document, version in found
            ]

    async def record_built(self, input: PublishInput) -> bool:
        """Records that a live version is in a generation that is being built; False when its rows must be purged."""
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, input.document_id, with_for_update=True)
            version = await session.get(VersionRow, (input.document_id, input.version))
            if document is None or version is None or document.live_version != input.version:
                return False
            generation = await session.get(GenerationRow, (document.knowledge_base_id, input.generation))
            if generation is None or generation.phase == "retired":
                return True  # the collection is dropped as a whole
            await record_indexed(session, version, generation.generation, input)
        return True

    async def live(self, knowledge_base_id: str, generation: int, after: str, limit: int) -> list[LivePlan]:
        """Live versions with what they are made from in ``generation``, by document id, after ``after``."""
        query = (
            select(DocumentRow, VersionRow, IndexedVersionRow)
            .join(VersionRow, _LIVE_VERSION)
            .outerjoin(IndexedVersionRow, _in(generation))
            .where(_IS_LIVE, DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.id > after)
        )
        async with self._engine.read() as session:
            return [
                LivePlan(
                    document_id=document.id,
                    name=document.name,
                    version=version.version,
                    sha256=version.sha256,
                    bytes=version.bytes,
                    parsed_key=version.parsed_key,
                    chunks_key=indexed.chunks_key if indexed is not None else None,
                    vectors_key=indexed.vectors_key if indexed is not None else None,
                    rows=indexed.rows if indexed is not None else 0,
                )
                for document, version, indexed in await session.execute(query.order_by(DocumentRow.id).limit(limit))
            ]

    async def forget(self, knowledge_base_id: str, generation: int, versions: Sequence[tuple[str, int]]) -> None:
        """Forgets that versions are in a generation that is not the live one, so that they are built again."""
        async with self._engine.write() as session:
            knowledge_base = await lock_knowledge_base(session, knowledge_base_id)
            if knowledge_base.generation != generation:
                for document_id, version in versions:
                    row = await session.get(IndexedVersionRow, (document_id, version, generation))
                    if row is not None:
                        await session.delete(row)

    # --- switch -------------------------------------------------------------------------------------------

    async def switch(self, id: str, actor: str, *, back: bool) -> Switched:
        """Makes the new generation the live one, or with ``back`` the one before, unless a live version is missing.

        Idempotent. Raises NotFound, also for a deleted knowledge base, and WrongState for a generation that is gone.
        """
        async with self._engine.write() as session:
            row = await _row(session, id)
            knowledge_base = await lock_knowledge_base(session, row.knowledge_base_id)
            target, other = (row.previous, row.generation) if back else (row.generation, row.previous)
            if knowledge_base.generation == target:
                return Switched(switched=True)
            generation = await session.get_one(GenerationRow, (row.knowledge_base_id, target))
            if generation.phase == "retired" or (row.rolled_back_at is not None and not back):
                raise WrongState(state="retired")
            count = _missing(row.knowledge_base_id, target, func.count())
            if missing := await session.scalar(count):
                return Switched(switched=False, missing=missing)
            before = await session.get_one(GenerationRow, (row.knowledge_base_id, other))
            if before.max_tokens is None:
                before.max_tokens, before.overlap_tokens = knowledge_base.max_tokens, knowledge_base.overlap_tokens
            generation.phase, before.phase = "live", "soaking"
            knowledge_base.generation = target
            knowledge_base.max_tokens = generation.max_tokens or knowledge_base.max_tokens
            if generation.overlap_tokens is not None:
                knowledge_base.overlap_tokens = generation.overlap_tokens
            await _exchange_readings(session, row.knowledge_base_id, target, other)
            await session.execute(_set_chunks(row.knowledge_base_id, target))
            if back:
                row.rolled_back_at = now()
            else:
                row.switched_at = now()
            action = "rollback" if back else "switch"
            session.audit(actor, f"reindex.{action}", row.knowledge_base_id, row.id, generation=target, previous=other)
        return Switched(switched=True)

    async def give_up(self, knowledge_base_id: str, generation: int) -> bool:
        """Gives up a generation that only soaks and cannot be written any more: there is no way back to it.

        False for any other generation.
        """
        async with self._engine.write() as session:
            await lock_knowledge_base(session, knowledge_base_id)
            found = await session.get(GenerationRow, (knowledge_base_id, generation))
            if found is None or found.phase in {"live", "building"}:
                return False
            found.phase = "retired"
        return True

    async def retire(self, id: str, generation: int) -> tuple[str, dict[str, str]]:
        """Ends a generation that is not the live one; its collection, and its blobs with the contents they are of.

        A generation that has not begun never will. Idempotent until ``forget_retired``. Raises WrongState for the live
        generation, and NotFound.
        """
        async with self._engine.write() as session:
            row = await _row(session, id)
            knowledge_base = await session.get_one(KnowledgeBaseRow, row.knowledge_base_id, with_for_update=True)
            if knowledge_base.generation == generation and knowledge_base.deleted_at is None:
                raise WrongState(state="live")
            found = await session.get(GenerationRow, (row.knowledge_base_id, generation))
            if found is None:
                found = await _generation(session, row, generation, self._collections)
                session.add(found)
            found.phase = "retired"
            members = await session.execute(_of_generation(row.knowledge_base_id, generation))
            keys: dict[str, str] = {}
            for sha256, chunks_key, vectors_key, reading in members:
                keys |= {chunks_key: sha256, vectors_key: sha256}
                if reading is not None:
                    keys[reading["parsed_key"]] = sha256
            return generation_record(found).collection, keys

    async def forget_retired(self, id: str, generation: int) -> None:
        """Forgets what was in a retired generation. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _row(session, id)
            found = await session.get(GenerationRow, (row.knowledge_base_id, generation))
            if found is not None and found.phase == "retired":
                documents = select(DocumentRow.id).where(DocumentRow.knowledge_base_id == row.knowledge_base_id)
                await session.execute(
                    delete(IndexedVersionRow).where(
                        IndexedVersionRow.generation == generation, IndexedVersionRow.document_id.in_(documents)
                    )
                )

    async def models_in_use(self) -> set[str]:
        """Fingerprints of the models of all generations that are not retired, and of unfinished re-indexes."""
        generations = (
            select(GenerationRow.model_fingerprint)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == GenerationRow.knowledge_base_id)
            .where(GenerationRow.phase != "retired", KnowledgeBaseRow.deleted_at.is_(None))
        )
        reindexes = select(ReindexRow.model_fingerprint).where(ReindexRow.finished_at.is_(None))
        async with self._engine.read() as session:
            found = await session.scalars(generations.union(reindexes))
            return {fingerprint for fingerprint in found if fingerprint is not None}

    async def pending(self, contents: Sequence[str]) -> set[str]:
        """The contents (SHA-256) among ``contents`` that are being ingested."""
        query = select(VersionRow.sha256).where(VersionRow.sha256.in_(contents), VersionRow.state.in_(PENDING))
        async with self._engine.read() as session:
            return set(await session.scalars(query))

    async def referred(self, keys: Sequence[str], retired: tuple[str, int]) -> set[str]:
        """The blobs among ``keys`` that anything but a retired generation (knowledge base, number) refers to."""
        knowledge_base_id, generation = retired
        elsewhere = ~and_(
            IndexedVersionRow.generation == generation,
            IndexedVersionRow.document_id.in_(
                select(DocumentRow.id).where(DocumentRow.knowledge_base_id == knowledge_base_id)
            ),
        )
        parsed = select(VersionRow.parsed_key).where(VersionRow.parsed_key.in_(keys))
        async with self._engine.read() as session:
            found = {key for key in await session.scalars(parsed) if key is not None}
            for column in (IndexedVersionRow.chunks_key, IndexedVersionRow.vectors_key):
                found |= set(await session.scalars(select(column).where(column.in_(keys), elsewhere)))
        return found


_VERSIONS: Any = VersionRow.__table__  # as a table: the states of versions belong to ``transitions``
_INDEXED: Any = IndexedVersionRow.__table__
_LIVE_VERSION = and_(VersionRow.document_id == DocumentRow.id, VersionRow.version == DocumentRow.live_version)
_IS_LIVE = and_(DocumentRow.live_version.is_not(None), DocumentRow.deleted_at.is_(None))


def _in(generation: int) -> ColumnElement[bool]:
    return and_(
        IndexedVersionRow.document_id == DocumentRow.id,
        IndexedVersionRow.version == DocumentRow.live_version,
        IndexedVersionRow.generation == generation,
    )


def _missing(knowledge_base_id: str, generation: int, *columns: Any) -> Select[Any]:
    """``columns`` of live documents whose live version is not in the generation."""
    return (
        select(*columns)
        .select_from(DocumentRow)
        .join(VersionRow, _LIVE_VERSION)
        .outerjoin(IndexedVersionRow, _in(generation))
        .where(_IS_LIVE, DocumentRow.knowledge_base_id == knowledge_base_id, IndexedVersionRow.document_id.is_(None))
    )


def _of_generation(knowledge_base_id: str, generation: int) -> Select[Any]:
    """Contents and blobs of a generation."""
    row = IndexedVersionRow
    return (
        select(VersionRow.sha256, row.chunks_key, row.vectors_key, row.reading)
        .join(VersionRow, (VersionRow.document_id == row.document_id) & (VersionRow.version == row.version))
        .where(row.generation == generation, VersionRow.knowledge_base_id == knowledge_base_id)
    )


def _set_chunks(knowledge_base_id: str, generation: int) -> Any:
    """The statement that counts the chunks of every version by the generation."""
    rows = (
        select(IndexedVersionRow.rows)
        .where(
            IndexedVersionRow.document_id == VersionRow.document_id,
            IndexedVersionRow.version == VersionRow.version,
            IndexedVersionRow.generation == generation,
        )
        .scalar_subquery()
    )
    return (
        update(_VERSIONS)
        .where(VersionRow.knowledge_base_id == knowledge_base_id, rows.is_not(None), VersionRow.chunks != rows)
        .values(chunks=rows, updated_at=VersionRow.updated_at)
    )


async def _generation(session: Transaction, row: ReindexRow, number: int, collections: int) -> GenerationRow:
    return GenerationRow(
        knowledge_base_id=row.knowledge_base_id,
        generation=number,
        collection=await new_collection(session, row.knowledge_base_id, number, collections),
        phase="building",
        max_tokens=row.max_tokens,
        overlap_tokens=row.overlap_tokens,
        model=row.model,
        model_fingerprint=row.model_fingerprint,
    )


async def _exchange_readings(session: Transaction, knowledge_base_id: str, target: int, other: int) -> None:
    """Versions get the reading that the generation ``target`` was made from; ``other`` keeps what they had."""
    row = IndexedVersionRow
    query = (
        select(row.document_id, row.version, row.reading, *(getattr(VersionRow, name) for name in READING))
        .join(VersionRow, (row.document_id == VersionRow.document_id) & (row.version == VersionRow.version))
        .where(VersionRow.knowledge_base_id == knowledge_base_id, row.generation == target, row.reading.is_not(None))
    )
    found = list(await session.execute(query))
    if not found:
        return
    connection = await session.connection()
    one = and_(_INDEXED.c.document_id == bindparam("id"), _INDEXED.c.version == bindparam("number"))
    keys = [{"id": document_id, "number": version} for document_id, version, *_ in found]
    before = [dict(zip(READING, now, strict=True)) for _, _, _, *now in found]
    await connection.execute(
        update(_INDEXED).where(one, _INDEXED.c.generation == other).values(reading=bindparam("kept")),
        [key | {"kept": kept} for key, kept in zip(keys, before, strict=True)],
    )
    await connection.execute(
        update(_VERSIONS)
        .where(_VERSIONS.c.document_id == bindparam("id"), _VERSIONS.c.version == bindparam("number"))
        .values({name: bindparam(f"new_{name}") for name in READING} | {"updated_at": _VERSIONS.c.updated_at}),
        [
            key | {f"new_{name}": reading[name] for name in READING}
            for key, (_, _, reading, *_) in zip(keys, found, strict=True)
        ],
    )
    await connection.execute(
        update(_INDEXED).where(one, _INDEXED.c.generation == target).values(reading=bindparam("none")),
        [key | {"none": None} for key in keys],
    )


async def _row(session: Transaction, id: str) -> ReindexRow:
    row = await session.get(ReindexRow, id, with_for_update=True)
    if row is None:
        raise NotFound(kind="reindex", id=id)
    return row
