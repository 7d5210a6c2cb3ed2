"""Jobs that go on or wait: how many of each kind, and pages of them, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from activities.contracts.ids import (
    batch_workflow_id,
    bulk_workflow_id,
    delete_id,
    delete_knowledge_base_id,
    ingest_id,
    question_id,
    reindex_all_id,
    reindex_workflow_id,
    sync_workflow_id,
)
from activities.contracts.reindex_all import ENDED
from activities.contracts.stages import ACTIVE, JobKind, JobStateName
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.mapping import IS_PENDING, IS_QUEUED, by_index, fixed, stored_reason
from activities.stores.catalog.operations.records import CurrentJob, DocumentTotals, JobPosition, NotStarted
from activities.stores.catalog.tables import (
    BatchRow,
    BulkChangeRow,
    DocumentRow,
    KnowledgeBaseRow,
    QuestionRow,
    ReindexAllItemRow,
    ReindexAllRow,
    ReindexRow,
    SourceRow,
    SyncRow,
    VersionRow,
)

_RUNNING = QuestionRow.state == fixed("running")
_UNSTARTED = VersionRow.dispatched_at.is_(None)
_STARTED = VersionRow.dispatched_at.is_not(None)

#: The condition of ``uq_syncs_unfinished``, in its words: only then does SQLite see that the index applies.
_SYNCS = text("syncs.finished_at IS NULL AND NOT syncs.preview")


@repeats_conflicts
class CurrentJobs:
    """Documents, batches, deletions, syncs, changes of many documents, re-indexes and questions that have not ended."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def counts(self) -> dict[JobKind, dict[JobStateName, int]]:
        """The number of jobs by kind and state. A deletion or question always runs."""
        documents = select(VersionRow.state, func.count()).where(IS_PENDING).group_by(VersionRow.state)
        batches = select(BatchRow.state, func.count()).where(BatchRow.state.in_(ACTIVE)).group_by(BatchRow.state)
        reindexes = select(ReindexRow.state, func.count()).where(ReindexRow.finished_at.is_(None))
        questions = select(func.count()).select_from(QuestionRow).where(_RUNNING)
        syncs = _unfinished_syncs(SyncRow.state, func.count()).group_by(SyncRow.state)
        bulk_changes = _unfinished_bulk_changes(BulkChangeRow.state, func.count()).group_by(BulkChangeRow.state)
        reindex_alls = _unfinished_reindex_alls(ReindexAllRow.state, func.count()).group_by(ReindexAllRow.state)
        async with self._engine.read() as session:
            return {
                "document": await _by_state(session, by_index(documents, "ix_versions_pending")),
                "batch": await _by_state(session, batches),
                "deletion": await _running(session, _deleted_documents(func.count()), _deleted(func.count())),
                "sync": await _by_state(session, syncs),
                "bulk_change": await _by_state(session, bulk_changes),
                "reindex": await _by_state(session, reindexes.group_by(ReindexRow.state)),
                "reindex_all": await _by_state(session, reindex_alls),
                "question": await _running(session, questions),
            }

    async def not_started(self) -> NotStarted:
        """Documents that were accepted or put back in line, and have no run yet."""
        query = select(func.count(), func.min(VersionRow.updated_at)).select_from(VersionRow)
        async with self._engine.read() as session:
            waiting = by_index(query, "ix_versions_not_started").where(IS_PENDING, IS_QUEUED, _UNSTARTED)
            documents, since = (await session.execute(waiting)).one()
        return NotStarted(documents=documents, since=since)

    async def document_totals(self) -> DocumentTotals:
        """All documents; reads an index entry of each."""
        latest = select(VersionRow.state, func.count()).where(VersionRow.replaced_at.is_(None))
        oldest = select(func.min(VersionRow.created_at)).where(IS_PENDING)
        async with self._engine.read() as session:
            return DocumentTotals(
                by_state=await _by_state(session, by_index(latest.group_by(VersionRow.state), "ix_versions_latest")),
                pending_since=await session.scalar(by_index(oldest, "ix_versions_pending")),
            )

    async def page(self, after: JobPosition | None, limit: int, kind: JobKind | None = None) -> list[CurrentJob]:
        """At most ``limit`` jobs: those that were started, then those that were not, each part newest first."""
        kinds = [kind] if kind else list(_LISTS)
        found: list[CurrentJob] = []
        async with self._engine.read() as session:
            for started in (True, False):
                if len(found) == limit or (after is not None and started and not after.started):
                    continue
                place = after if after is not None and after.started == started else None
                part = [job for each in kinds for job in await _LISTS[each](session, started, place, limit)]
                found += sorted(part, key=lambda job: (job.at, job.id), reverse=True)[: limit - len(found)]
        return found


async def _by_state(session: AsyncSession, query: Select[str, int]) -> dict[JobStateName, int]:
    return {msgspec.convert(state, JobStateName): count for state, count in await session.execute(query)}


async def _running(session: AsyncSession, *queries: Select[int]) -> dict[JobStateName, int]:
    count = sum([await session.scalar(query) or 0 for query in queries])
    return {"running": count} if count else {}


def _recorded(
    kind: JobKind, row: Any, started: bool, workflow_id: str, knowledge_base: str, name: str, **progress: Any
) -> CurrentJob:
    """A job that has a row of its own, with its id, state and creation."""
    state = msgspec.convert(row.state, JobStateName)
    return CurrentJob(
        kind=kind,
        id=row.id,
        knowledge_base=knowledge_base,
        name=name,
        state=state,
        started=started,
        at=row.created_at,
        workflow_id=workflow_id,
        **progress,
    )


def _newest(
    query: Select[Any],
    at: InstrumentedAttribute[Any],
    id: InstrumentedAttribute[str],
    after: JobPosition | None,
    limit: int,
) -> Select[Any]:
    """The rows of ``query`` behind ``after``, newest first."""
    if after is not None:
        query = query.where(at <= after.at, or_(at < after.at, id < after.id))
    return query.order_by(at.desc(), id.desc()).limit(limit)


async def _documents(session: AsyncSession, started: bool, after: JobPosition | None, limit: int) -> list[CurrentJob]:
    columns: list[Any] = [VersionRow, DocumentRow.name, KnowledgeBaseRow.name]
    query: Select[Any] = (
        select(*columns)
        .select_from(VersionRow)
        .outerjoin(DocumentRow, DocumentRow.id == VersionRow.document_id)
        .outerjoin(KnowledgeBaseRow, KnowledgeBaseRow.id == VersionRow.knowledge_base_id)
        .where(IS_PENDING, _STARTED if started else _UNSTARTED)
    )
    query = by_index(query, "ix_versions_started" if started else "ix_versions_not_started")
    at = VersionRow.dispatched_at if started else VersionRow.updated_at
    rows = await session.execute(_newest(query, at, VersionRow.document_id, after, limit))
    return [
        CurrentJob(
            kind="document",
            id=row.document_id,
            knowledge_base=knowledge_base or "",
            name=name or "",
            state=msgspec.convert(row.state, JobStateName),
            started=started,
            at=row.dispatched_at or row.updated_at,
            workflow_id=ingest_id(row.document_id, row.version),
            stage=row.stage,
            done=row.done,
            total=row.total,
            eta_seconds=row.eta_seconds,
            waiting_for=row.waiting_for,
            reason=stored_reason(row.reason),
        )
        for row, name, knowledge_base in rows
    ]


async def _batches(session: AsyncSession, started: bool, after: JobPosition | None, limit: int) -> list[CurrentJob]:
    """Their documents are counted by the caller, batch by batch."""
    state = BatchRow.state != "queued" if started else BatchRow.state == "queued"
    query = _in_knowledge_base(BatchRow, BatchRow.knowledge_base_id).where(BatchRow.state.in_(ACTIVE), state)
    rows = await session.execute(_newest(query, BatchRow.created_at, BatchRow.id, after, limit))
    return [
        _recorded("batch", row, started, batch_workflow_id(row.id), name, row.name, reason=stored_reason(row.reason))
        for row, name in rows
    ]


async def _deletions(session: AsyncSession, started: bool, after: JobPosition | None, limit: int) -> list[CurrentJob]:
    if not started:
        return []
    columns = (DocumentRow.id, DocumentRow.name, KnowledgeBaseRow.name, DocumentRow.deleted_at)
    documents = _newest(_deleted_documents(*columns), DocumentRow.deleted_at, DocumentRow.id, after, limit)
    others = (KnowledgeBaseRow.id, KnowledgeBaseRow.name, KnowledgeBaseRow.deleted_at)
    whole = _newest(_deleted(*others), KnowledgeBaseRow.deleted_at, KnowledgeBaseRow.id, after, limit)
    return [
        *(_deletion(id, name, kb, at, delete_id(id)) for id, name, kb, at in await session.execute(documents)),
        *(_deletion(id, "", kb, at, delete_knowledge_base_id(id)) for id, kb, at in await session.execute(whole)),
    ]


def _deletion(id: str, name: str, knowledge_base: str, at: datetime, workflow_id: str) -> CurrentJob:
    return CurrentJob(
        kind="deletion",
        id=id,
        knowledge_base=knowledge_base,
        name=name,
        state="running",
        started=True,
        at=at,
        workflow_id=workflow_id,
    )


def _deleted_documents(*columns: Any) -> Select[Any]:
    """``columns`` of deleted documents that are not removed yet, unless they go with their knowledge base."""
    return (
        select(*columns)
        .select_from(DocumentRow)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == DocumentRow.knowledge_base_id)
        .where(DocumentRow.deleted_at.is_not(None), KnowledgeBaseRow.deleted_at.is_(None))
    )


def _deleted(*columns: Any) -> Select[Any]:
    """``columns`` of deleted knowledge bases of which documents are left; their own rows stay for ever."""
    left = select(DocumentRow.id).where(DocumentRow.knowledge_base_id == KnowledgeBaseRow.id).exists()
    return select(*columns).select_from(KnowledgeBaseRow).where(KnowledgeBaseRow.deleted_at.is_not(None), left)


async def _syncs(session: AsyncSession, started: bool, after: JobPosition | None, limit: int) -> list[CurrentJob]:
    state = SyncRow.state != "queued" if started else SyncRow.state == "queued"
    query = (
        _unfinished_syncs(SyncRow, SourceRow.name, KnowledgeBaseRow.name)
        .join(SourceRow, SourceRow.id == SyncRow.source_id)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == SyncRow.knowledge_base_id)
        .where(state)
    )
    rows = await session.execute(_newest(query, SyncRow.created_at, SyncRow.id, after, limit))
    return [
        _recorded(
            "sync",
            row,
            started,
            sync_workflow_id(row.source_id, row.occurrence),
            knowledge_base,
            source,
            stage=row.stage,
            done=row.done,
            total=row.total,
            waiting_for=row.waiting_for,
            reason=stored_reason(row.reason),
        )
        for row, source, knowledge_base in rows
    ]


def _unfinished_syncs(*columns: Any) -> Select[Any]:
    """``columns`` of syncs that have not finished; previews change nothing."""
    return by_index(select(*columns).select_from(SyncRow), "uq_syncs_unfinished", SyncRow).where(_SYNCS)


async def _bulk_changes(
    session: AsyncSession, started: bool, after: JobPosition | None, limit: int
) -> list[CurrentJob]:
    has_run = BulkChangeRow.dispatched_at.is_not(None) if started else BulkChangeRow.dispatched_at.is_(None)
    query = (
        _unfinished_bulk_changes(BulkChangeRow, KnowledgeBaseRow.name)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == BulkChangeRow.knowledge_base_id)
        .where(has_run)
    )
    rows = await session.execute(_newest(query, BulkChangeRow.created_at, BulkChangeRow.id, after, limit))
    return [
        _recorded(
            "bulk_change",
            row,
            started,
            bulk_workflow_id(row.id),
            name,
            "",
            stage=row.stage,
            done=row.changed + row.unchanged + row.failed,
            total=row.total,
        )
        for row, name in rows
    ]


def _unfinished_bulk_changes(*columns: Any) -> Select[Any]:
    query = select(*columns).select_from(BulkChangeRow).where(BulkChangeRow.finished_at.is_(None))
    return by_index(query, "ix_bulk_changes_unfinished", BulkChangeRow)


async def _reindexes(session: AsyncSession, started: bool, after: JobPosition | None, limit: int) -> list[CurrentJob]:
    """Their progress is added by the caller, from their own records."""
    state = ReindexRow.state != "queued" if started else ReindexRow.state == "queued"
    query = _in_knowledge_base(ReindexRow, ReindexRow.knowledge_base_id).where(ReindexRow.finished_at.is_(None), state)
    rows = await session.execute(_newest(query, ReindexRow.created_at, ReindexRow.id, after, limit))
    return [
        _recorded(
            "reindex",
            row,
            started,
            reindex_workflow_id(row.knowledge_base_id, row.generation),
            name,
            "",
            stage=row.stage,
            done=row.done,
            total=row.total,
            reason=stored_reason(row.reason),
        )
        for row, name in rows
    ]


async def _reindex_alls(
    session: AsyncSession, started: bool, after: JobPosition | None, limit: int
) -> list[CurrentJob]:
    """Their knowledge bases are counted; a job of many has no other name than its kind."""
    state = ReindexAllRow.state != "queued" if started else ReindexAllRow.state == "queued"
    items = select(func.count()).where(ReindexAllItemRow.reindex_all_id == ReindexAllRow.id)
    ended = items.where(ReindexAllItemRow.state.in_(sorted(ENDED)))
    query = _unfinished_reindex_alls(ReindexAllRow, ended.scalar_subquery(), items.scalar_subquery()).where(state)
    rows = await session.execute(_newest(query, ReindexAllRow.created_at, ReindexAllRow.id, after, limit))
    return [
        _recorded("reindex_all", row, started, reindex_all_id(row.id), "", "", done=done, total=total)
        for row, done, total in rows
    ]


def _unfinished_reindex_alls(*columns: Any) -> Select[Any]:
    query = select(*columns).select_from(ReindexAllRow).where(ReindexAllRow.finished_at.is_(None))
    return by_index(query, "ix_reindex_alls_unfinished", ReindexAllRow)


async def _questions(session: AsyncSession, started: bool, after: JobPosition | None, limit: int) -> list[CurrentJob]:
    if not started:
        return []
    columns: list[Any] = [QuestionRow.id, KnowledgeBaseRow.name, QuestionRow.created_at]
    query = (
        select(*columns).join(KnowledgeBaseRow, KnowledgeBaseRow.id == QuestionRow.knowledge_base_id).where(_RUNNING)
    )
    rows = await session.execute(_newest(query, QuestionRow.created_at, QuestionRow.id, after, limit))
    return [
        CurrentJob(
            kind="question",
            id=id,
            knowledge_base=name,
            name="",
            state="running",
            started=True,
            at=at,
            workflow_id=question_id(id),
        )
        for id, name, at in rows
    ]


def _in_knowledge_base(row: Any, knowledge_base_id: InstrumentedAttribute[str]) -> Select[Any]:
    return select(row, KnowledgeBaseRow.name).join(KnowledgeBaseRow, KnowledgeBaseRow.id == knowledge_base_id)


_LISTS: dict[JobKind, Any] = {
    "document": _documents,
    "batch": _batches,
    "deletion": _deletions,
    "sync": _syncs,
    "bulk_change": _bulk_changes,
    "reindex": _reindexes,
    "reindex_all": _reindex_alls,
    "question": _questions,
}
