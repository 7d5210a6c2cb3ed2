"""Documents and their versions. Publishing, replacing and deleting are one transaction each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import Delete, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.documents import Chunking
from activities.contracts.embedding import embedding_of
from activities.contracts.ingest import Published, PublishInput, VersionRun
from activities.contracts.reindex import Target
from activities.contracts.stages import PENDING, DocumentState
from activities.errors import HoldfastError, NotFound, Reason, StillInUse, WrongState
from activities.stores.catalog import transitions
from activities.stores.catalog.audit_log.holds import require_not_held
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.intake import Intake
from activities.stores.catalog.mapping import (
    by_index,
    document_record,
    indexed_in,
    latest,
    lock_latest,
    record_indexed,
    set_tags,
)
from activities.stores.catalog.records import (
    Accepted,
    Document,
    IndexedVersion,
    LiveDocument,
    RunProgress,
    Upload,
    VersionBlobs,
)
from activities.stores.catalog.tables import (
    DocumentRow,
    GenerationRow,
    IndexedVersionRow,
    KnowledgeBaseRow,
    VersionRow,
    now,
)
from activities.stores.catalog.webhooks.announce import announce_deletion, announce_version
from activities.telemetry import metrics

#: Time after a cancellation during which the run may still be active.
STILL_STOPPING = timedelta(minutes=10)


@repeats_conflicts
class Documents:
    """Documents in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def accept(self, knowledge_base_id: str, name: str, sha256: str, bytes: int, actor: str) -> Accepted:
        """Accepts one upload, like ``Intake.accept``, but raises its error."""
        upload = Upload(knowledge_base_id=knowledge_base_id, name=name, sha256=sha256, bytes=bytes, actor=actor)
        (answer,) = await Intake(self._engine).accept([upload])
        if isinstance(answer, HoldfastError):
            raise answer
        return answer

    async def get(self, document_id: str) -> Document:
        """A document with its latest version. Raises NotFound, also for a deleted document."""
        async with self._engine.read() as session:
            pair = (await session.execute(latest().where(DocumentRow.id == document_id))).first()
        if pair is None:
            raise NotFound(kind="document", id=document_id)
        return document_record(pair[0], pair[1])

    async def page(
        self,
        knowledge_base_id: str,
        state: DocumentState | None,
        after: str | None,
        limit: int,
        batch_id: str | None = None,
    ) -> list[Document]:
        """At most ``limit`` documents, newest first, created before the document ``after``."""
        if state or batch_id:
            id = VersionRow.document_id
            page = select(id).join(DocumentRow, DocumentRow.id == id)
            page = page.where(VersionRow.knowledge_base_id == knowledge_base_id, VersionRow.replaced_at.is_(None))
            page = page.where(VersionRow.state == state) if state else page
            page = page.where(VersionRow.batch_id == batch_id) if batch_id else page
            page = by_index(page, "ix_versions_batch_id_state" if batch_id else "ix_versions_latest")
        else:
            id = DocumentRow.id
            page = select(id).where(DocumentRow.knowledge_base_id == knowledge_base_id)
        page = page.where(id < after) if after else page
        page = page.where(DocumentRow.deleted_at.is_(None)).order_by(id.desc()).limit(limit)
        query = latest().where(DocumentRow.id.in_(page)).order_by(DocumentRow.id.desc())
        async with self._engine.read() as session:
            rows = await session.execute(query)
            return [document_record(document, version) for document, version in rows]

    async def live(self, document_ids: Iterable[str]) -> dict[str, LiveDocument]:
        """Name and live version, by id, of the documents among ``document_ids`` that search may show."""
        query = select(DocumentRow.id, DocumentRow.name, DocumentRow.live_version).where(
            DocumentRow.id.in_(set(document_ids)),
            DocumentRow.live_version.is_not(None),
            DocumentRow.deleted_at.is_(None),
        )
        async with self._engine.read() as session:
            rows = await session.execute(query)
            return {id: LiveDocument(name=name, version=version) for id, name, version in rows if version is not None}

    async def any_live(self, knowledge_base_id: str) -> bool:
        """Whether a knowledge base has a live document."""
        query = select(DocumentRow.id).where(
            DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.live_version.is_not(None)
        )
        async with self._engine.read() as session:
            return await session.scalar(query.order_by(DocumentRow.id).limit(1)) is not None

    async def blobs(self, document_id: str, generation: int | None = None) -> list[VersionBlobs]:
        """The blobs of every version, oldest version first, also of a deleted document.

        Chunks and vectors are those of the index generation; None means the live one.
        """
        query = (
            select(VersionRow, IndexedVersionRow)
            .outerjoin(IndexedVersionRow, indexed_in(generation))
            .where(VersionRow.document_id == document_id)
            .order_by(VersionRow.version)
        )
        async with self._engine.read() as session:
            return [
                VersionBlobs(
                    sha256=row.sha256,
                    parsed_key=row.parsed_key,
                    chunks_key=indexed.chunks_key if indexed is not None else None,
                    vectors_key=indexed.vectors_key if indexed is not None else None,
                )
                for row, indexed in await session.execute(query)
            ]

    async def vectors(self, document_id: str, since: int) -> list[str]:
        """Keys of the vectors of a document's versions from ``since`` on, in all index generations, oldest first."""
        query = select(IndexedVersionRow.vectors_key).where(
            IndexedVersionRow.document_id == document_id, IndexedVersionRow.version >= since
        )
        async with self._engine.read() as session:
            rows = await session.scalars(query.order_by(IndexedVersionRow.version, IndexedVersionRow.generation))
            return [key for key in rows if key]

    async def indexed(self, document_id: str, version: int, generation: int | None = None) -> IndexedVersion | None:
        """A version's record in an index generation (None: the live one); None if it was never published into it."""
        query = (
            select(IndexedVersionRow)
            .join(VersionRow, indexed_in(generation))
            .where(VersionRow.document_id == document_id, VersionRow.version == version)
        )
        async with self._engine.read() as session:
            row = await session.scalar(query)
        if row is None:
            return None
        return IndexedVersion(
            generation=row.generation, chunks_key=row.chunks_key, vectors_key=row.vectors_key, rows=row.rows
        )

    async def unfinished(self, knowledge_base_id: str, document_id: str | None = None) -> list[tuple[str, int]]:
        """Pairs (document, version) whose runs may be active: pending, or canceled less than STILL_STOPPING ago.

        Includes deleted documents. Of a whole knowledge base, versions that were never dispatched are left out: a
        batch may have many thousands of them.
        """
        query = (
            select(VersionRow.document_id, VersionRow.version)
            .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
            .where(
                DocumentRow.knowledge_base_id == knowledge_base_id,
                VersionRow.state.in_(PENDING)
                | ((VersionRow.state == "canceled") & (VersionRow.updated_at > now() - STILL_STOPPING)),
            )
        )
        only = VersionRow.document_id == document_id if document_id else VersionRow.dispatched_at.is_not(None)
        async with self._engine.read() as session:
            return [(document, version) for document, version in await session.execute(query.where(only))]

    async def publish(self, input: PublishInput, *, purged: bool = True) -> Published:
        """Makes a version the live one, in one transaction; never replaces a newer version by an older one.

        Idempotent: ``retired`` is always the version that was published before this one. Unless its rows are
        ``purged``, the version is live, but not ready yet. While the knowledge base is re-indexed, nothing is published
        before the version is in every generation; those that it is missing in are returned.
        """
        async with self._engine.write() as session:
            generations = await _written_generations(session, input.document_id)
            document = await session.get(DocumentRow, input.document_id, with_for_update=True)
            version = await session.get(VersionRow, (input.document_id, input.version), with_for_update=True)
            if document is None or version is None or document.deleted_at is not None:
                return Published(live=False, retired=[input.version])
            state = version.state
            if not transitions.is_publishable(version):
                return Published(live=False, retired=[input.version])
            version.pages, version.media_type = input.pages, input.media_type
            version.parsed_key, version.remarks = input.parsed_key, msgspec.to_builtins(input.remarks)
            also = await _index(session, generations, version, input)
            if document.live_version is not None and document.live_version > input.version:
                transitions.supersede_late(version)
                return Published(live=False, retired=[input.version])
            if also and document.live_version != input.version:  # else the re-index finds it missing
                return Published(live=False, also=also)
            before = select(func.max(VersionRow.version)).where(
                VersionRow.document_id == input.document_id,
                VersionRow.version < input.version,
                VersionRow.published_at.is_not(None),
            )
            retired = None if document.live_version is None else await session.scalar(before)
            if transitions.publish(version, is_ready=purged or retired is None):
                session.audit(
                    version.actor,
                    "document.publish",
                    document.knowledge_base_id,
                    document.id,
                    version=input.version,
                    chunks=input.chunks,
                )
            document.live_version = input.version
            await announce_version(session, document, version, state)
            became_ready = version.state == "ready" != state
            seconds = (now() - version.created_at).total_seconds()
        if became_ready:
            metrics.document_ended("ready", None, input.media_type, seconds)
        return Published(live=True, retired=[] if retired is None else [retired])

    async def begin_run(self, run: VersionRun) -> None:
        """Records that a run begins. Raises WrongState when the version must not be ingested, or by a later run."""
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, run.document_id, with_for_update=True)
            row = await session.get(VersionRow, (run.document_id, run.version), with_for_update=True)
            if document is None or row is None or document.deleted_at is not None:
                raise WrongState(state="deleted")
            if not transitions.begin(row, run.run):
                raise WrongState(state=row.state)
            if document.live_version != run.version:
                await session.execute(_of_version(run.document_id, run.version))  # of a run whose rows are purged

    async def end_run(self, document_id: str, version: int, run: int) -> bool:
        """Announces that a run ends unpublished: it is no longer published, and its rows may be purged.

        False when its rows must be kept, and there is nothing more to record (see ``transitions.end``).
        """
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, document_id, with_for_update=True)
            row = await session.get(VersionRow, (document_id, version), with_for_update=True)
            ends = document is None or row is None or transitions.end(row, run)
            if ends and document is not None and document.live_version != version:
                await session.execute(_of_version(document_id, version))  # it may be in one of two generations already
            return ends

    async def finish(self, document_id: str, version: int, state: DocumentState, reason: Reason, run: int = 0) -> bool:
        """Records that a version failed or was canceled; an earlier live version stays live.

        Records nothing of a ``run`` that is not the latest one (0: unknown). True when the version had already been
        published: it then stays ``ready``, and its rows must be kept.
        """
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, document_id, with_for_update=True)
            row = await session.get(VersionRow, (document_id, version), with_for_update=True)
            if document is None or row is None or (run and row.run != run):
                return False
            before = row.state
            if row.published_at is not None:
                transitions.publish(row)  # the run may have been stopped before it was ready
                await announce_version(session, document, row, before)
                return True
            first, media_type = transitions.finish(row, state, reason), row.media_type
            if first and state == "failed":  # a cancel has its own event
                session.audit(
                    row.actor,
                    "document.fail",
                    document.knowledge_base_id,
                    document.id,
                    version=version,
                    code=reason.code,
                )
            await announce_version(session, document, row, before)
        if first:
            metrics.document_ended(state, reason.code, media_type)
        return False

    async def record_progress(self, notes: Sequence[RunProgress]) -> None:
        """Records the progress of runs; versions that are finished, paused or updated later stay unchanged."""
        async with self._engine.write() as session:
            connection = await session.connection()
            ordered = sorted(notes, key=lambda note: (note.document_id, note.version))  # as all writers, for the locks
            await connection.execute(transitions.NOTE, [transitions.noted(note) for note in ordered])

    async def record_pause(self, document_id: str, version: int, *, paused: bool) -> None:
        """Records that the run of a pending version was paused or resumed."""
        async with self._engine.write() as session:
            await session.execute(transitions.pause_run(document_id, version, paused=paused))

    async def many(self, document_ids: Collection[str]) -> list[Document]:
        """The documents among ``document_ids`` that exist and are not deleted, with their latest versions."""
        records: list[Document] = []
        ids = list(document_ids)
        async with self._engine.read() as session:
            for start in range(0, len(ids), 500):
                rows = await session.execute(latest().where(DocumentRow.id.in_(ids[start : start + 500])))
                records += [document_record(document, version) for document, version in rows]
        return records

    async def delete(self, document_id: str, actor: str) -> Document:
        """Marks a document as deleted, which excludes it from search immediately. Raises NotFound, and OnHold."""
        async with self._engine.write() as session:
            document, version = await _locked(session, document_id)
            await require_not_held(session, document.knowledge_base_id)
            document.deleted_at, document.deleted_by, document.live_version = now(), actor, None
            session.audit(actor, "document.delete", document.knowledge_base_id, document.id, name=document.name)
        return document_record(document, version)

    async def tag(self, document_id: str, tags: Sequence[str], actor: str) -> Document:
        """Replaces a document's tags; ``tags`` are normalized by ``clean_tags``. Raises NotFound."""
        async with self._engine.write() as session:
            document, version = await _locked(session, document_id)
            set_tags(document, tags)
            session.audit(actor, "document.tag", document.knowledge_base_id, document_id, tags=list(tags))
        return document_record(document, version)

    async def require_deleted(self, document_id: str) -> None:
        """Raises StillInUse for a document that is not deleted; what does not exist may be purged."""
        query = select(DocumentRow.name).join(KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id)
        query = query.where(DocumentRow.deleted_at.is_(None), KnowledgeBaseRow.deleted_at.is_(None))
        async with self._engine.read() as session:
            name = await session.scalar(query.where(DocumentRow.id == document_id))
        if name is not None:
            raise StillInUse(name=name)

    async def live_version(self, document_id: str) -> int | None:
        """The version that search may show; None if there is none, or the document is deleted."""
        query = select(DocumentRow.live_version).where(DocumentRow.id == document_id, DocumentRow.deleted_at.is_(None))
        async with self._engine.read() as session:
            return await session.scalar(query)

    async def of_deleted(self, knowledge_base_id: str) -> list[str]:
        """Ids of all documents of a deleted knowledge base that are not removed yet. Raises StillInUse.

        An upload that was accepted during the deletion is marked as deleted with the rest.
        """
        of_knowledge_base = DocumentRow.knowledge_base_id == knowledge_base_id
        async with self._engine.write() as session:
            knowledge_base = await session.get(KnowledgeBaseRow, knowledge_base_id)
            if knowledge_base is None:
                return []
            if knowledge_base.deleted_at is None:
                raise StillInUse(name=knowledge_base.name)
            await session.execute(
                update(DocumentRow)
                .where(of_knowledge_base, DocumentRow.deleted_at.is_(None))
                .values(deleted_at=knowledge_base.deleted_at, deleted_by=knowledge_base.deleted_by, live_version=None)
            )
            return list(await session.scalars(select(DocumentRow.id).where(of_knowledge_base)))

    async def remove(self, document_id: str) -> None:
        """Removes the rows of a deleted document and its versions; the audit trail keeps its events."""
        async with self._engine.write() as session:
            document = await session.get(DocumentRow, document_id, with_for_update=True)
            if document is not None and document.deleted_at is not None:
                await session.execute(delete(VersionRow).where(VersionRow.document_id == document_id))
                await session.delete(document)
                await announce_deletion(session, document)


async def _locked(session: AsyncSession, document_id: str) -> tuple[DocumentRow, VersionRow]:
    """A locked document with its latest version. Raises NotFound."""
    for pair in await lock_latest(session, DocumentRow.id == document_id):
        return pair
    raise NotFound(kind="document", id=document_id)


def _of_version(document_id: str, version: int) -> Delete:
    return delete(IndexedVersionRow).where(
        IndexedVersionRow.document_id == document_id, IndexedVersionRow.version == version
    )


async def _written_generations(transaction: Transaction, document_id: str) -> dict[int, GenerationRow]:
    """The generations of a document's knowledge base that are written, the live one first.

    A switch waits for the lock; it is taken before those of documents, as the switch does.
    """
    document = await transaction.get(DocumentRow, document_id)
    if document is None:
        return {}
    lock = {"read": True}
    knowledge_base = await transaction.get_one(KnowledgeBaseRow, document.knowledge_base_id, with_for_update=lock)
    rows = await transaction.scalars(
        select(GenerationRow).where(
            GenerationRow.knowledge_base_id == knowledge_base.id,
            (GenerationRow.phase != "retired") | (GenerationRow.generation == knowledge_base.generation),
        )
    )
    ordered = sorted(rows, key=lambda row: (row.generation != knowledge_base.generation, row.generation))
    for row in ordered:
        if row.max_tokens is None or row.overlap_tokens is None:
            row.max_tokens, row.overlap_tokens = knowledge_base.max_tokens, knowledge_base.overlap_tokens
    return {row.generation: row for row in ordered}


async def _index(
    transaction: Transaction, generations: dict[int, GenerationRow], version: VersionRow, input: PublishInput
) -> list[Target]:
    """Records the version in the generation that its run wrote; the generations that it is still missing in.

    The caller holds the document's lock.
    """
    live = next(iter(generations), None)
    written = live if input.generation is None else input.generation
    if written == live:
        version.chunks = input.chunks
    if written is not None and (written in generations or not generations):
        await record_indexed(transaction, version, written, input)
        await transaction.flush()
    indexed = await transaction.scalars(
        select(IndexedVersionRow.generation).where(
            IndexedVersionRow.document_id == input.document_id, IndexedVersionRow.version == input.version
        )
    )
    missing = generations.keys() - set(indexed)
    return [
        Target(
            generation=number,
            chunking=Chunking(max_tokens=row.max_tokens or 0, overlap_tokens=row.overlap_tokens or 0),
            embedding=embedding_of(row.model, row.model_fingerprint),
        )
        for number, row in generations.items()
        if number in missing
    ]
