"""Batches: documents that were added together, and the order in which they are started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import partial

import msgspec
from sqlalchemy import delete, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.ingest import DocumentToIngest
from activities.contracts.stages import ACTIVE, PENDING, BatchState
from activities.errors import ContentBeingRemoved, NotFound, Reason
from activities.stores.catalog import transitions
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.intake import document_to_ingest, new_batch, queued_versions
from activities.stores.catalog.mapping import HAS_ENDED, stored_reason
from activities.stores.catalog.records import Batch, LeftOut, NewBatch, Tally
from activities.stores.catalog.tables import BatchRow, ContentRow, DocumentRow, KnowledgeBaseRow, VersionRow, now
from activities.stores.catalog.webhooks.announce import announce_batch

#: Time window over which a batch's speed is measured.
RATE_WINDOW = timedelta(seconds=60)

#: Maximum number of stored names of skipped archive members.
MAX_SKIPPED = 100


@repeats_conflicts
class Batches:
    """Batches in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self,
        knowledge_base_id: str,
        name: str,
        parallelism: int,
        actor: str,
        *,
        closed: bool,
        archive_sha256: str | None = None,
        tags: list[str] | None = None,
    ) -> Batch:
        """Creates a batch; documents join it by ``Upload.batch_id`` until it is closed.

        ``tags`` are given to the documents of an archive. Raises NotFound, and ContentBeingRemoved while the archive's
        content is being removed (see ``content_locks``).
        """
        async with self._engine.write() as session:
            knowledge_base = await session.get(KnowledgeBaseRow, knowledge_base_id, with_for_update={"read": True})
            if knowledge_base is None or knowledge_base.deleted_at is not None:
                raise NotFound(kind="knowledge base", id=knowledge_base_id)
            if archive_sha256 is not None:
                content = await session.get(ContentRow, archive_sha256, with_for_update=True)
                if content is not None and content.removing_by is not None:
                    raise ContentBeingRemoved()
                session.add_all([] if content else [ContentRow(sha256=archive_sha256)])
            batch = NewBatch(name=name, parallelism=parallelism, archive_sha256=archive_sha256, tags=tags)
            row = new_batch(session, knowledge_base_id, batch, actor, closed=closed)
            session.add(row)
            await session.flush()
        return _record(row)

    async def get(self, id: str) -> Batch:
        """A batch by id. Raises NotFound, also when its knowledge base is deleted."""
        query = (
            select(BatchRow)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == BatchRow.knowledge_base_id)
            .where(BatchRow.id == id, KnowledgeBaseRow.deleted_at.is_(None))
        )
        async with self._engine.read() as session:
            row = await session.scalar(query)
        if row is None:
            raise NotFound(kind="batch", id=id)
        return _record(row)

    async def page(self, knowledge_base_id: str, after: str | None, limit: int) -> list[Batch]:
        """At most ``limit`` batches, newest first, created before the batch ``after``."""
        query = select(BatchRow).where(BatchRow.knowledge_base_id == knowledge_base_id)
        query = query.where(BatchRow.id < after) if after else query
        async with self._engine.read() as session:
            return [_record(row) for row in await session.scalars(query.order_by(BatchRow.id.desc()).limit(limit))]

    async def active(self, knowledge_base_id: str) -> list[str]:
        """Ids of the active batches of a knowledge base."""
        query = select(BatchRow.id).where(BatchRow.knowledge_base_id == knowledge_base_id, BatchRow.state.in_(ACTIVE))
        async with self._engine.read() as session:
            return list(await session.scalars(query))

    async def counts(self, id: str) -> dict[str, int]:
        """The number of the batch's documents by state, without deleted documents."""
        async with self._engine.read() as session:
            return await _counts(session, id)

    async def tally(self, id: str) -> Tally:
        """Counts by state, recent speed, and the reason of one waiting document, if any."""
        counts = await self.counts(id)
        since = now() - RATE_WINDOW
        recent = select(func.count()).where(VersionRow.batch_id == id, HAS_ENDED, VersionRow.updated_at > since)
        waiting = select(VersionRow.waiting_for, VersionRow.reason).where(
            VersionRow.batch_id == id, VersionRow.state == "waiting"
        )
        async with self._engine.read() as session:
            finished = await session.scalar(recent) or 0
            row = (await session.execute(waiting.limit(1))).first()
        return Tally(
            counts=counts,
            finished_lately=int(finished),
            waiting_for=row[0] if row else None,
            reason=stored_reason(row[1]) if row else None,
        )

    async def undispatched(self) -> list[Batch]:
        """Up to 100 queued batches that have an archive or documents, and no run yet."""
        has_documents = select(VersionRow.version).where(VersionRow.batch_id == BatchRow.id).exists()
        query = select(BatchRow).where(
            BatchRow.state == "queued",
            BatchRow.dispatched_at.is_(None),
            BatchRow.archive_sha256.is_not(None) | has_documents,
        )
        async with self._engine.read() as session:
            return [_record(row) for row in await session.scalars(query.limit(100))]

    async def dispatched(self, id: str) -> None:
        """Records that the batch's run has started."""
        async with self._engine.write() as session:
            await session.execute(update(BatchRow).where(BatchRow.id == id).values(dispatched_at=now()))

    async def discard(self, id: str, closed_by: str | None = None) -> bool:
        """Deletes a batch that no document has joined; False for any other batch.

        ``closed_by`` is the user who closed it, for the audit trail.
        """
        empty = ~select(VersionRow.version).where(VersionRow.batch_id == id).exists()
        unused = BatchRow.archive_sha256.is_(None) & BatchRow.dispatched_at.is_(None)
        async with self._engine.write() as session:
            batch = await session.get(BatchRow, id)
            deleted = await session.execute(delete(BatchRow).where(BatchRow.id == id, unused, empty))
            if closed_by is not None and batch is not None and deleted.rowcount:  # type: ignore[attr-defined]
                session.audit(closed_by, "batch.close", batch.knowledge_base_id, id, documents=0)
        return bool(deleted.rowcount)  # type: ignore[attr-defined]

    async def close(self, id: str, actor: str | None = None) -> None:
        """Closes the batch to further documents; ``actor`` is None when it is closed because of inactivity."""
        async with self._engine.write() as session:
            await session.execute(update(BatchRow).where(BatchRow.id == id).values(closed=True, updated_at=now()))
            if actor is not None and (batch := await session.get(BatchRow, id)) is not None:
                session.audit(actor, "batch.close", batch.knowledge_base_id, id)

    async def record_state(
        self, id: str, state: BatchState, reason: Reason | None = None, parallelism: int | None = None
    ) -> None:
        """Records the state of the batch's workflow, and its parallelism if given; a final state closes the batch."""
        values: dict[str, object] = {"state": state, "reason": msgspec.to_builtins(reason) if reason else null()}
        if parallelism is not None:
            values["parallelism"] = parallelism
        moment = now()
        finished = moment if state not in ACTIVE else None
        if finished:
            values["closed"] = True  # also a batch that was canceled while open
        async with self._engine.write() as session:
            row = await session.get(BatchRow, id, with_for_update=True)
            ends = finished is not None and row is not None and row.state in ACTIVE
            await session.execute(
                update(BatchRow).where(BatchRow.id == id).values(**values, updated_at=moment, finished_at=finished)
            )
            if row is not None and ends:
                await session.refresh(row)
                await announce_batch(session, row, partial(_counts, session, id))

    async def reopen(self, batch: Batch) -> None:
        """Records that a batch goes on, unless its run has recorded something since the batch was read."""
        same = (BatchRow.id == batch.id) & (BatchRow.state == batch.state) & (BatchRow.updated_at == batch.updated_at)
        values = {"state": "running", "reason": null(), "finished_at": None, "updated_at": now()}
        async with self._engine.write() as session:
            await session.execute(update(BatchRow).where(same).values(**values))

    async def record_unpacked(self, id: str, files: int, left_out: Sequence[LeftOut]) -> None:
        """Records how many files of the batch's archive, in its order, have been taken, and what is left out."""
        values = {"unpacked_files": files, "skipped": _left_out(left_out)}
        async with self._engine.write() as session:
            await session.execute(update(BatchRow).where(BatchRow.id == id).values(**values))

    async def end_unpacking(self, id: str, left_out: Sequence[LeftOut]) -> None:
        """Records that the archive is unpacked, and which of its members are left out."""
        values = {"unpacked": True, "skipped": _left_out(left_out)}
        async with self._engine.write() as session:
            await session.execute(update(BatchRow).where(BatchRow.id == id).values(**values))

    async def next_documents(self, id: str, page: str, limit: int) -> tuple[list[DocumentToIngest], bool]:
        """The next queued documents of a batch, and whether the batch is closed.

        Repeating a ``page`` (its result was lost) returns the same documents, without those that are no longer queued
        or that a run has begun.
        """
        async with self._engine.write() as session:
            batch = await session.get(BatchRow, id)
            closed = batch is None or batch.closed
            listed = (VersionRow.batch_page == page) & VersionRow.dispatched_at.is_(None)
            query = queued_versions().where(VersionRow.batch_id == id, listed)
            rows = list(await session.execute(query))
            if not rows:
                query = queued_versions().where(VersionRow.batch_id == id, VersionRow.batch_page.is_(None))
                query = query.order_by(VersionRow.created_at, VersionRow.document_id).limit(limit)
                rows = list(await session.execute(query.with_for_update(of=VersionRow, skip_locked=True)))
                keys = [(version.document_id, version.version) for _, version, *_ in rows]
                await session.execute(transitions.mark_listed(keys, page))
        return [document_to_ingest(*row) for row in rows], closed

    async def elsewhere(self, id: str) -> int:
        """The number of pending documents of a batch that its workflow does not start, or not any more.

        A user has paused them before they had a run, or has resumed or retried them one by one.
        """
        paused = (VersionRow.state == "paused") & VersionRow.dispatched_at.is_(None)
        query = (
            select(func.count())
            .select_from(VersionRow)
            .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
            .where(
                VersionRow.batch_id == id,
                VersionRow.state.in_(PENDING),
                paused | (VersionRow.batch_page == transitions.BY_DISPATCHER),
                DocumentRow.deleted_at.is_(None),
            )
        )
        async with self._engine.read() as session:
            return await session.scalar(query) or 0

    async def finished(
        self, versions: Collection[tuple[str, int]]
    ) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """The pairs (document, version) among ``versions`` that have ended, and those that no run has begun.

        Ended are those that are ready, failed, canceled or removed.
        """
        query = select(VersionRow.document_id, VersionRow.version, VersionRow.dispatched_at).where(
            transitions.are(versions), VersionRow.state.in_(PENDING)
        )
        async with self._engine.read() as session:
            pending = {(document, version): at for document, version, at in await session.execute(query)}
        ended = [version for version in versions if version not in pending]
        return ended, [version for version, dispatched_at in pending.items() if dispatched_at is None]

    async def cancel_queued(
        self, id: str, running: Collection[tuple[str, int]] = ()
    ) -> tuple[int, list[tuple[str, int]]]:
        """Cancels the documents of a batch that have no run yet; their number, and those that are still pending.

        The batch has started those that are ``running``, even if they have not begun. It is closed first: what joins
        it has joined before, and is canceled too.
        """
        pending = (
            select(VersionRow.document_id, VersionRow.version)
            .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
            .where(VersionRow.batch_id == id, VersionRow.state.in_(PENDING), DocumentRow.deleted_at.is_(None))
        )
        async with self._engine.write() as session:
            await session.execute(update(BatchRow).where(BatchRow.id == id).values(closed=True))
            changed = await session.execute(transitions.cancel_batch(id, running))
            left = [(document, version) for document, version in await session.execute(pending)]
        return int(changed.rowcount), left  # type: ignore[attr-defined]

    async def requeue_failed(self, id: str) -> int:
        """Requeues the batch's failed and canceled documents that have no newer version; returns their number."""
        async with self._engine.write() as session:
            return int((await session.execute(transitions.requeue_batch(id))).rowcount)  # type: ignore[attr-defined]


async def _counts(session: AsyncSession, id: str) -> dict[str, int]:
    knowledge_base_id = select(BatchRow.knowledge_base_id).where(BatchRow.id == id).scalar_subquery()
    versions = select(VersionRow.state, func.count()).where(VersionRow.batch_id == id).group_by(VersionRow.state)
    deleted = (  # subtracted, as they are few
        select(VersionRow.state, -func.count())
        .join(DocumentRow, DocumentRow.id == VersionRow.document_id)
        .where(
            DocumentRow.knowledge_base_id == knowledge_base_id,
            DocumentRow.deleted_at.is_not(None),
            VersionRow.batch_id == id,
        )
        .group_by(VersionRow.state)
    )
    counts: Counter[str] = Counter()
    for state, count in await session.execute(versions.union_all(deleted)):
        counts[state] += count
    return dict(+counts)


def _record(row: BatchRow) -> Batch:
    return Batch(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        name=row.name,
        state=msgspec.convert(row.state, BatchState),
        closed=row.closed,
        parallelism=row.parallelism,
        archive_sha256=row.archive_sha256,
        tags=row.tags,
        skipped=[
            LeftOut(name=entry) if isinstance(entry, str) else msgspec.convert(entry, LeftOut)
            for entry in row.skipped or []
        ],
        unpacked_files=row.unpacked_files,
        unpacked=row.unpacked,
        reason=stored_reason(row.reason),
        actor=row.actor,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        request=row.request,
    )


def _left_out(members: Sequence[LeftOut]) -> list[object]:
    """The stored form of archive members that are left out: at most MAX_SKIPPED, those with a reason first."""
    first = sorted(members, key=lambda member: member.reason is None)[:MAX_SKIPPED]
    return [msgspec.to_builtins(member) if member.reason else member.name for member in first]
