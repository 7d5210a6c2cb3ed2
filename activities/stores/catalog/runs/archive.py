"""Archived histories: recorded with their hash in the audit trail, listed, and forgotten after their time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.errors import NotFound
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.runs.records import ArchivedRun, Mark, Run, RunFilter, fields_of
from activities.stores.catalog.runs.tables import ArchivedRunRow, RunMarkRow
from activities.stores.catalog.tables import SYSTEM, AuditRow, KnowledgeBaseRow

#: The audit action of an export; its detail has the SHA-256.
ARCHIVE = "run.archive"


@repeats_conflicts
class RunArchive:
    """Archived histories in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def known(self, run_ids: Iterable[str]) -> set[str]:
        """Those of the runs that are archived."""
        query = select(ArchivedRunRow.run_id).where(ArchivedRunRow.run_id.in_(list(run_ids)))
        async with self._engine.read() as session:
            return set(await session.scalars(query))

    async def record(self, exports: Sequence[ArchivedRun]) -> None:
        """Records exports, each with its audit event; those that are recorded already are left as they are."""
        async with self._engine.write() as session:
            ids = [export.run_id for export in exports]
            there = set(await session.scalars(select(ArchivedRunRow.run_id).where(ArchivedRunRow.run_id.in_(ids))))
            of_name = await knowledge_base_ids(session, exports)
            for export in exports:
                if export.run_id in there:
                    continue
                session.add(ArchivedRunRow(**fields_of(export, ArchivedRun)))
                session.audit(
                    SYSTEM,
                    ARCHIVE,
                    of_name.get(export.run_id),
                    hex_of(export.run_id),
                    workflow=export.workflow_id,
                    run=export.run_id,
                    type=export.type,
                    sha256=export.sha256,
                    bytes=export.bytes,
                    events=export.events,
                    result=export.stage,
                    ended=export.status,
                )

    async def require_name(self, knowledge_base: str) -> None:
        """Raises NotFound for the name of a knowledge base that never was."""
        query = select(KnowledgeBaseRow.id).where(KnowledgeBaseRow.name == knowledge_base).limit(1)
        async with self._engine.read() as session:
            if await session.scalar(query) is None:
                raise NotFound(kind="knowledge base", id=knowledge_base)

    async def get(self, run_id: str) -> ArchivedRun:
        """An archived run. Raises NotFound."""
        async with self._engine.read() as session:
            row = await session.get(ArchivedRunRow, run_id)
        if row is None:
            raise NotFound(kind="run", id=run_id)
        return _record(row)

    async def sha256(self, run: ArchivedRun) -> str:
        """The hash of a history's blob by its latest audit event; by its record where that event is past its time."""
        query = select(AuditRow.detail).where(AuditRow.object_id == hex_of(run.run_id), AuditRow.action == ARCHIVE)
        async with self._engine.read() as session:
            detail: dict[str, Any] | None = await session.scalar(query.order_by(AuditRow.id.desc()).limit(1))
        return str(detail.get("sha256", "")) if detail is not None else run.sha256

    async def page(self, wanted: RunFilter, after: tuple[datetime, str] | None, limit: int) -> list[ArchivedRun]:
        """At most ``limit`` archived runs, the one that closed last first, behind (time of closing, run id)."""
        query = select(ArchivedRunRow).order_by(ArchivedRunRow.closed_at.desc(), ArchivedRunRow.run_id.desc())
        for name in ("workflow_id", "type", "knowledge_base", "document_id", "actor"):
            if (value := getattr(wanted, name)) is not None:
                query = query.where(getattr(ArchivedRunRow, name) == value)
        query = query.where(ArchivedRunRow.started_at >= wanted.since) if wanted.since else query
        query = query.where(ArchivedRunRow.started_at < wanted.until) if wanted.until else query
        if after is not None:
            at, run_id = after
            earlier = (ArchivedRunRow.closed_at == at) & (ArchivedRunRow.run_id < run_id)
            query = query.where(or_(ArchivedRunRow.closed_at < at, earlier))
        async with self._engine.read() as session:
            return [_record(row) for row in await session.scalars(query.limit(limit))]

    async def expired(self, before: datetime, limit: int) -> list[ArchivedRun]:
        """At most ``limit`` runs that closed earlier, oldest first."""
        query = select(ArchivedRunRow).where(ArchivedRunRow.closed_at < before)
        async with self._engine.read() as session:
            rows = await session.scalars(query.order_by(ArchivedRunRow.closed_at).limit(limit))
            return [_record(row) for row in rows]

    async def forget(self, runs: Sequence[ArchivedRun], before: datetime) -> None:
        """Removes the records of histories whose blobs are deleted, with one audit event for all of them."""
        ids = [run.run_id for run in runs]
        async with self._engine.write() as session:
            result = await session.execute(
                delete(ArchivedRunRow).where(ArchivedRunRow.run_id.in_(ids)).returning(ArchivedRunRow.run_id)
            )
            if count := len(result.all()):
                session.audit(SYSTEM, "run.expire", None, None, runs=count, closed_before=before.isoformat())

    async def mark(self, scan: Mark) -> datetime | None:
        """The time up to which a scan has seen all closed runs; None before its first one."""
        async with self._engine.read() as session:
            row = await session.get(RunMarkRow, scan)
        return row.at if row is not None else None

    async def set_mark(self, scan: Mark, at: datetime) -> None:
        """Records how far a scan is; an earlier time than the recorded one changes nothing."""
        async with self._engine.write() as session:
            row = await session.get(RunMarkRow, scan, with_for_update=True)
            if row is None:
                session.add(RunMarkRow(scan=scan, at=at))
            else:
                row.at = max(row.at, at)


def hex_of(run_id: str) -> str:
    """A run's id as audit events name their object."""
    return run_id.replace("-", "")[:32]


async def knowledge_base_ids(session: AsyncSession, runs: Iterable[Run]) -> dict[str, str]:
    """The id of each run's knowledge base, by run: of those that had its name, the latest that was there by then."""
    runs = list(runs)
    names = {run.knowledge_base for run in runs if run.knowledge_base}
    query = select(KnowledgeBaseRow.id, KnowledgeBaseRow.name, KnowledgeBaseRow.created_at)
    query = query.where(KnowledgeBaseRow.name.in_(names)).order_by(KnowledgeBaseRow.created_at)
    rows = list(await session.execute(query)) if names else []
    found: dict[str, str] = {}
    for run in runs:
        for id, name, created_at in rows:
            if name == run.knowledge_base and created_at <= run.started_at:
                found[run.run_id] = id
    return found


def _record(row: ArchivedRunRow) -> ArchivedRun:
    return ArchivedRun(**{name: getattr(row, name) for name in ArchivedRun.__struct_fields__})
