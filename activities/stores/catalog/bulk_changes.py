"""Changes of many documents: recorded with the request, made in transactions of some documents each.

A transaction changes documents and notes the last of them, so that a change that is interrupted goes on behind it and
changes no document twice. What came later than the request is left alone, and so is what does not match any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import or_, select, update

from activities.contracts.bulk import BulkAction, BulkJob, BulkRequested
from activities.contracts.selection import DocumentFilter
from activities.contracts.stages import JobStateName
from activities.errors import HoldfastError, InvalidRequest, NotFound, Reason, SelectionChanged, WrongState
from activities.phrases import Phrase
from activities.stores.catalog.audit_log.holds import require_not_held
from activities.stores.catalog.document_changes import change_document, deleted_by, locked_documents, retried
from activities.stores.catalog.document_list import DocumentList
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.mapping import lock_knowledge_base
from activities.stores.catalog.records import DeletedDocument, Record
from activities.stores.catalog.tables import BulkChangeRow, KnowledgeBaseRow, new_id, now

#: Failures that are kept with their names and reasons; all are counted.
MAX_FAILURES = 20

#: Time without progress after which a change is started again: its run is lost.
STALLED = timedelta(minutes=2)

#: Documents of a knowledge base that are retried at once: uploads and questions must not wait for thousands.
RETRIED_AT_ONCE = 32

#: Documents whose data are being removed at once.
PURGED_AT_ONCE = 100


class BulkFailure(Record, frozen=True):
    """A document that could not be changed; ``name`` is empty if there is none of this id."""

    id: str
    name: str
    reason: Reason


class BulkChange(Record, frozen=True):
    """A change and its progress; ``unchanged`` are documents that it did not apply to.

    One that is canceled, by ``canceled_by``, has changed what it counts as ``changed``, and that stays so.
    """

    id: str
    knowledge_base_id: str
    action: BulkAction
    tag: str | None
    state: JobStateName
    stage: str
    total: int
    changed: int
    unchanged: int
    failed: int
    failures: list[BulkFailure]
    actor: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    canceled_by: str | None = None


class BulkStep(Record, frozen=True):
    """A step of a change: ``ended`` with it, ``done`` the documents that were looked at, or ``waits`` for others.

    ``canceled_by`` is whoever ended it before that.
    """

    ended: bool
    done: int
    waits: bool = False
    canceled_by: str | None = None


@repeats_conflicts
class BulkChanges:
    """Changes of many documents in the catalogue."""

    def __init__(self, engine: Engine, documents: DocumentList) -> None:
        self._engine, self._documents = engine, documents

    async def create(self, asked: BulkRequested, expected: int | None = None) -> BulkChange:
        """Records a change. Raises InvalidRequest if there is no document to change, and NotFound.

        ``expected`` is the number of documents that was confirmed: SelectionChanged if more match by now.
        """
        until = new_id()
        total = len(set(asked.ids)) if asked.ids is not None else await self._count(asked, until)
        if not total:
            raise InvalidRequest(detail=Phrase.NOTHING_MATCHES)
        if expected is not None and total > expected:
            raise SelectionChanged(count=total, expected=expected)
        row = BulkChangeRow(
            knowledge_base_id=asked.knowledge_base_id,
            action=asked.action,
            tag=asked.tag,
            ids=sorted(set(asked.ids)) if asked.ids is not None else None,
            filter=msgspec.to_builtins(asked.filter) if asked.filter is not None else None,
            until=until,
            total=total,
            actor=asked.actor,
        )
        async with self._engine.write() as session:
            await lock_knowledge_base(session, asked.knowledge_base_id)
            if asked.action == "delete":
                await require_not_held(session, asked.knowledge_base_id)
            session.add(row)
            await session.flush()
            detail: dict[str, object] = {"documents": total}
            detail |= {"tag": asked.tag} if asked.tag else {}
            detail |= {"filter": row.filter} if row.filter is not None else {}
            session.audit(asked.actor, f"documents.{asked.action}", asked.knowledge_base_id, row.id, **detail)
        return _record(row)

    async def _count(self, asked: BulkRequested, until: str) -> int:
        return await self._documents.count(asked.knowledge_base_id, asked.filter or DocumentFilter(), until)

    async def get(self, id: str) -> BulkChange:
        """A change by id. Raises NotFound, also when its knowledge base is deleted."""
        query = (
            select(BulkChangeRow)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == BulkChangeRow.knowledge_base_id)
            .where(BulkChangeRow.id == id, KnowledgeBaseRow.deleted_at.is_(None))
        )
        async with self._engine.read() as session:
            row = await session.scalar(query)
        if row is None:
            raise NotFound(kind="bulk change", id=id)
        return _record(row)

    async def page(self, knowledge_base_id: str, after: str | None, limit: int) -> list[BulkChange]:
        """At most ``limit`` changes, newest first, from before the change ``after``."""
        query = select(BulkChangeRow).where(BulkChangeRow.knowledge_base_id == knowledge_base_id)
        query = query.where(BulkChangeRow.id < after) if after else query
        async with self._engine.read() as session:
            rows = await session.scalars(query.order_by(BulkChangeRow.id.desc()).limit(limit))
            return [_record(row) for row in rows]

    async def undispatched(self, limit: int = 100) -> list[BulkJob]:
        """Changes without a run, and those whose run has been silent for STALLED: a second start has no effect."""
        query = (
            select(BulkChangeRow, KnowledgeBaseRow.name)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == BulkChangeRow.knowledge_base_id)
            .where(
                BulkChangeRow.finished_at.is_(None),
                or_(BulkChangeRow.dispatched_at.is_(None), BulkChangeRow.updated_at < now() - STALLED),
            )
        )
        async with self._engine.read() as session:
            rows = await session.execute(query.order_by(BulkChangeRow.id).limit(limit))
            return [_job(row, name) for row, name in rows]

    async def dispatched(self, id: str) -> None:
        """Records that the change has a run."""
        async with self._engine.write() as session:
            values = {"dispatched_at": now(), "updated_at": now()}
            await session.execute(update(BulkChangeRow).where(BulkChangeRow.id == id).values(**values))

    async def step(self, id: str, limit: int) -> BulkStep:
        """Changes the next documents, at most ``limit``, in one transaction.

        A deletion has not ended before ``to_purge`` finds nothing.
        """
        after, ids = await self._next(id, limit)
        async with self._engine.write() as session:
            row = await session.get(BulkChangeRow, id, with_for_update=True)
            if row is None:
                return BulkStep(ended=True, done=0)
            if row.finished_at is not None:
                return BulkStep(ended=True, done=_done(row), canceled_by=row.canceled_by)
            if row.action == "delete" and row.stage != "purge":
                await require_not_held(session, row.knowledge_base_id)
            if (await session.get_one(KnowledgeBaseRow, row.knowledge_base_id)).deleted_at is not None:
                row.state, row.finished_at = "canceled", now()
            elif row.stage != "purge" and row.after == after:  # else another run of it was faster
                row.state, row.stage, row.updated_at = "running", "change", now()
                if row.action == "retry" and ids:
                    ids = ids[: max(0, RETRIED_AT_ONCE - await retried(session, row.knowledge_base_id))]
                    if not ids:
                        return BulkStep(ended=False, done=_done(row), waits=True)
                await _change(session, row, ids)
                if not ids:
                    row.stage = "purge" if row.action == "delete" else row.stage
                    row.state, row.finished_at = ("running", None) if row.stage == "purge" else ("ready", now())
            ended = row.stage == "purge" or row.finished_at is not None
            return BulkStep(ended=ended, done=_done(row), canceled_by=row.canceled_by)

    async def cancel(self, id: str, actor: str) -> BulkChange:
        """Ends a change before its next documents; what was changed stays, and the data of deleted ones are removed.

        Raises NotFound, and WrongState for one that has no documents left to change.
        """
        async with self._engine.write() as session:
            row = await session.get(BulkChangeRow, id, with_for_update=True)
            if row is None:
                raise NotFound(kind="bulk change", id=id)
            if row.finished_at is not None or row.stage == "purge":
                raise WrongState(state=row.state if row.finished_at is not None else row.stage)
            row.canceled_by, row.updated_at = actor, now()
            if row.action == "delete" and row.changed:
                row.stage = "purge"
            else:
                row.state, row.finished_at = "canceled", row.updated_at
            session.audit(
                actor, "documents.cancel", row.knowledge_base_id, row.id, change=row.action, changed=row.changed
            )
            return _record(row)

    async def _next(self, id: str, limit: int) -> tuple[str, list[str]]:
        """The last document that a change has looked at, and the ids of the next ones."""
        async with self._engine.read() as session:
            row = await session.get(BulkChangeRow, id)
        if row is None or row.finished_at is not None or row.stage == "purge":
            return "", []
        if row.ids is not None:
            return row.after, [each for each in row.ids if each > row.after][:limit]
        filter = msgspec.convert(row.filter or {}, DocumentFilter)
        return row.after, await self._documents.ids(row.knowledge_base_id, filter, row.after, row.until, limit)

    async def to_purge(self, id: str) -> list[DeletedDocument]:
        """Deleted documents of the change whose data are still there, PURGED_AT_ONCE at most; none when it has ended.

        Finding none ends the change.
        """
        async with self._engine.write() as session:
            row = await session.get(BulkChangeRow, id, with_for_update=True)
            if row is None or row.action != "delete" or row.finished_at is not None:
                return []
            found = await session.execute(
                deleted_by(row.knowledge_base_id, row.actor, row.created_at).limit(PURGED_AT_ONCE)
            )
            name = (await session.get_one(KnowledgeBaseRow, row.knowledge_base_id)).name
            documents = [
                DeletedDocument(
                    id=document,
                    name=called,
                    knowledge_base_id=row.knowledge_base_id,
                    knowledge_base=name,
                    deleted_by=row.actor,
                )
                for document, called in found
            ]
            row.updated_at = now()
            if not documents:
                row.state, row.finished_at = "canceled" if row.canceled_by else "ready", row.updated_at
        return documents


async def _change(session: Transaction, row: BulkChangeRow, ids: Sequence[str]) -> None:
    """Changes these documents, each by itself, and counts what came of it."""
    filter = msgspec.convert(row.filter or {}, DocumentFilter)
    action: BulkAction = msgspec.convert(row.action, BulkAction)
    failures: list[Any] = list(row.failures or [])
    pairs = await locked_documents(session, row.knowledge_base_id, ids)
    for id in ids:
        pair = pairs.get(id)
        try:
            if pair is None:
                raise NotFound(kind="document", id=id)
            if change_document(session, pair, filter, action, row.tag, row.actor, row.id):
                row.changed += 1
            else:
                row.unchanged += 1
        except HoldfastError as exc:
            row.failed += 1
            failed = BulkFailure(id=id, name=pair[0].name if pair is not None else "", reason=exc.reason)
            failures += [msgspec.to_builtins(failed)] if len(failures) < MAX_FAILURES else []
    row.failures = failures
    if ids:
        row.after = ids[-1]


def _done(row: BulkChangeRow) -> int:
    return row.changed + row.unchanged + row.failed


def _job(row: BulkChangeRow, knowledge_base: str) -> BulkJob:
    return BulkJob(
        bulk_id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        action=msgspec.convert(row.action, BulkAction),
        actor=row.actor,
        documents=row.total,
        tag=row.tag,
    )


def _record(row: BulkChangeRow) -> BulkChange:
    return BulkChange(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        action=msgspec.convert(row.action, BulkAction),
        tag=row.tag,
        state=msgspec.convert(row.state, JobStateName),
        stage=row.stage,
        total=row.total,
        changed=row.changed,
        unchanged=row.unchanged,
        failed=row.failed,
        failures=msgspec.convert(row.failures or [], list[BulkFailure]),
        actor=row.actor,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        canceled_by=row.canceled_by,
    )
