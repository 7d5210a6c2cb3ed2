"""Schedules: their settings, which Temporal follows, and the record of their runs.

Every change is written here first, as another revision, and confirmed by ``applied`` when Temporal has it. Reconcile
hands on what was not confirmed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from activities.contracts.schedules import (
    GOES_ON,
    KEPT_RUNS,
    MAX_ALL_SCHEDULES,
    MAX_SCHEDULES,
    RECONCILE_SCHEDULE,
    BeginScheduledInput,
    RecordScheduledInput,
    ScheduleKind,
    ScheduleRunState,
    Timing,
)
from activities.errors import NotFound, ScheduleTaken, TooManySchedules
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.mapping import lock_knowledge_base, stored_reason
from activities.stores.catalog.schedule_records import NewSchedule, Schedule, ScheduleRun
from activities.stores.catalog.tables import KnowledgeBaseRow, ScheduleRow, ScheduleRunRow, now


@repeats_conflicts
class Schedules:
    """Schedules in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, new: NewSchedule) -> Schedule:
        """Records a schedule. Raises ScheduleTaken, TooManySchedules and NotFound."""
        row = ScheduleRow(
            name=new.name,
            kind=new.kind,
            knowledge_base_id=new.knowledge_base_id,
            options=new.options,
            paused=new.paused,
            note=new.note,
            actor=new.actor,
            **msgspec.structs.asdict(new.timing),
        )
        if new.name == RECONCILE_SCHEDULE:
            raise ScheduleTaken(name=new.name)
        try:
            async with self._engine.write() as session:
                knowledge_base = await lock_knowledge_base(session, new.knowledge_base_id)
                await _raise_if_full(session, new.knowledge_base_id)
                session.add(row)
                await session.flush()
                _audit(session, row, new.actor, "create", **_settings(row))
        except IntegrityError as exc:
            raise ScheduleTaken(name=new.name) from exc
        return _record(row, knowledge_base.name)

    async def get(self, name: str) -> Schedule:
        """A schedule by name, with its latest run. Raises NotFound."""
        for found in await self._with_last(_named().where(ScheduleRow.name == name)):
            return found
        raise NotFound(kind="schedule", id=name)

    async def all(self, knowledge_base_id: str | None = None) -> list[Schedule]:
        """All schedules by name, or those of a knowledge base, each with its latest run."""
        query = _named().order_by(ScheduleRow.name).limit(MAX_ALL_SCHEDULES)
        return await self._with_last(
            query.where(ScheduleRow.knowledge_base_id == knowledge_base_id) if knowledge_base_id else query
        )

    async def change(self, id: str, actor: str, action: str, **fields: Any) -> Schedule:
        """Changes columns of a schedule; the audit trail gets ``action`` with them. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _row(session, id)
            for column, value in fields.items():
                setattr(row, column, value)
            row.actor = actor if action == "change" else row.actor  # in whose name it starts jobs
            row.revision += 1
            _audit(session, row, actor, action, **fields)
        return await self.get(row.name)

    async def put_back(self, before: Schedule, revision: int, actor: str) -> None:
        """Undoes the change that made ``revision``, which Temporal did not take, unless another one followed it."""
        async with self._engine.write() as session:
            row = await session.get(ScheduleRow, before.id, with_for_update=True)
            if row is None or row.revision != revision:
                return
            for column, value in msgspec.structs.asdict(before.timing).items():
                setattr(row, column, value)
            row.options, row.paused, row.note, row.actor = before.options, before.paused, before.note, before.actor
            row.is_deleting, row.revision = before.is_deleting, revision + 1
            _audit(session, row, actor, "undo")

    async def applied(self, id: str, revision: int) -> bool:
        """Confirms that Temporal has a revision; False if the schedule has another one meanwhile."""
        async with self._engine.write() as session:
            result = await session.execute(
                update(ScheduleRow)
                .where(ScheduleRow.id == id, ScheduleRow.revision == revision)
                .values(applied_revision=revision, updated_at=ScheduleRow.updated_at)
                .returning(ScheduleRow.id)
            )
            return result.scalar() is not None

    async def remove(self, id: str, actor: str | None = None) -> None:
        """Removes a schedule that Temporal has not, with its runs; ``actor`` undoes with it what he has begun."""
        async with self._engine.write() as session:
            row = await session.get(ScheduleRow, id, with_for_update=True)
            if row is not None:
                if actor is not None:
                    _audit(session, row, actor, "undo")
                await session.execute(delete(ScheduleRunRow).where(ScheduleRunRow.schedule_id == id))
                await session.delete(row)

    async def note(self, schedule: Schedule, actor: str, action: str, **detail: object) -> None:
        """Records what an actor asked of a schedule."""
        async with self._engine.write() as session:
            session.audit(actor, f"schedule.{action}", schedule.knowledge_base_id, schedule.id, **detail)

    # --- for Reconcile ----------------------------------------------------------------------------------------

    async def all_for_repair(self) -> list[tuple[Schedule, bool, bool]]:
        """Every schedule, also of deleted knowledge bases: (schedule, Temporal has it so, knowledge base is gone)."""
        query = select(ScheduleRow, KnowledgeBaseRow).join(
            KnowledgeBaseRow, KnowledgeBaseRow.id == ScheduleRow.knowledge_base_id
        )
        async with self._engine.read() as session:
            return [
                (_record(row, base.name), row.applied_revision == row.revision, base.deleted_at is not None)
                for row, base in await session.execute(query.order_by(ScheduleRow.name))
            ]

    async def unfinished_runs(self, before: datetime) -> list[ScheduleRun]:
        """Runs that go on, last changed before ``before``."""
        query = select(ScheduleRunRow).where(ScheduleRunRow.state.in_(GOES_ON), ScheduleRunRow.updated_at < before)
        async with self._engine.read() as session:
            return [_run(row) for row in await session.scalars(query.limit(1000))]

    # --- runs -------------------------------------------------------------------------------------------------

    async def runs(self, schedule_id: str, limit: int) -> list[ScheduleRun]:
        """The latest runs, newest first."""
        query = select(ScheduleRunRow).where(ScheduleRunRow.schedule_id == schedule_id)
        async with self._engine.read() as session:
            rows = await session.scalars(query.order_by(ScheduleRunRow.id.desc()).limit(limit))
            return [_run(row) for row in rows]

    async def begin_run(self, input: BeginScheduledInput) -> tuple[Schedule, ScheduleRun, bool]:
        """Records a run, once; also whether its occurrence was run to the end before.

        Older runs than the last KEPT_RUNS are forgotten. Raises NotFound for a schedule that is deleted, also with its
        knowledge base.
        """
        async with self._engine.write() as session:
            found = (await session.execute(_named().where(ScheduleRow.id == input.schedule_id))).first()
            if found is None or found[0].is_deleting:
                raise NotFound(kind="schedule", id=input.schedule_id)
            of_schedule = ScheduleRunRow.schedule_id == input.schedule_id
            row = await session.scalar(select(ScheduleRunRow).where(of_schedule, ScheduleRunRow.run_id == input.run_id))
            if row is None:
                row = ScheduleRunRow(
                    schedule_id=input.schedule_id,
                    run_id=input.run_id,
                    occurrence=input.occurrence,
                    workflow_id=input.workflow_id,
                )
                session.add(row)
                await session.flush()
                kept = select(ScheduleRunRow.id).where(of_schedule).order_by(ScheduleRunRow.id.desc()).limit(KEPT_RUNS)
                await session.execute(
                    delete(ScheduleRunRow).where(
                        of_schedule, ScheduleRunRow.id.not_in(kept), ScheduleRunRow.state.not_in(GOES_ON)
                    )
                )
            same = (of_schedule, ScheduleRunRow.occurrence == input.occurrence, ScheduleRunRow.id != row.id)
            done = select(ScheduleRunRow.id).where(*same, ScheduleRunRow.state == "ready").limit(1)
            return _record(*found), _run(row), await session.scalar(done) is not None

    async def started(self, record_id: str, job_workflow_id: str) -> None:
        """Records the job that a run starts."""
        async with self._engine.write() as session:
            row = await session.get(ScheduleRunRow, record_id, with_for_update=True)
            if row is not None:
                row.job_workflow_id = job_workflow_id

    async def record_run(self, input: RecordScheduledInput) -> None:
        """Records how a run goes; one that has ended, or was forgotten, stays as it is."""
        async with self._engine.write() as session:
            row = await session.get(ScheduleRunRow, input.record_id, with_for_update=True)
            if row is None or row.state not in GOES_ON:
                return
            row.state, row.reason = input.state, msgspec.to_builtins(input.reason) if input.reason else None
            row.counts = row.counts if input.counts is None else input.counts
            if input.state in GOES_ON:
                return
            row.finished_at = now()
            schedule = await session.get_one(ScheduleRow, row.schedule_id)
            detail: dict[str, object] = {"state": input.state, "job": row.job_workflow_id, "counts": row.counts or {}}
            _audit(session, schedule, schedule.actor, "ran", **detail)

    async def _with_last(self, query: Select[ScheduleRow, str]) -> list[Schedule]:
        async with self._engine.read() as session:
            found = [(row, name) for row, name in await session.execute(query)]
            last = await _last_runs(session, [row.id for row, _ in found])
            return [_record(row, name, last.get(row.id)) for row, name in found]


async def _last_runs(session: Any, ids: Sequence[str]) -> dict[str, ScheduleRun]:
    latest = (
        select(func.max(ScheduleRunRow.id))
        .where(ScheduleRunRow.schedule_id.in_(ids))
        .group_by(ScheduleRunRow.schedule_id)
    )
    rows = await session.scalars(select(ScheduleRunRow).where(ScheduleRunRow.id.in_(latest)))
    return {row.schedule_id: _run(row) for row in rows}


async def _raise_if_full(session: Transaction, knowledge_base_id: str) -> None:
    """Raises TooManySchedules if a knowledge base, or the platform, may have no more."""
    of_knowledge_base = ScheduleRow.knowledge_base_id == knowledge_base_id
    for limit, conditions in ((MAX_SCHEDULES, [of_knowledge_base]), (MAX_ALL_SCHEDULES, [])):
        count = select(func.count()).select_from(ScheduleRow).where(*conditions)
        if (await session.scalar(count) or 0) >= limit:
            raise TooManySchedules(limit=limit)


async def _row(session: Transaction, id: str) -> ScheduleRow:
    row = await session.get(ScheduleRow, id, with_for_update=True)
    if row is None:
        raise NotFound(kind="schedule", id=id)
    return row


def _named() -> Select[ScheduleRow, str]:
    return (
        select(ScheduleRow, KnowledgeBaseRow.name)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == ScheduleRow.knowledge_base_id)
        .where(KnowledgeBaseRow.deleted_at.is_(None))
    )


def _audit(session: Transaction, row: ScheduleRow, actor: str, action: str, **detail: object) -> None:
    session.audit(actor, f"schedule.{action}", row.knowledge_base_id, row.id, name=row.name, **detail)


def _settings(row: ScheduleRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("kind", "options", "cron", "every_minutes", "time_zone", "paused")}


def _record(row: ScheduleRow, knowledge_base: str, last: ScheduleRun | None = None) -> Schedule:
    return Schedule(
        id=row.id,
        name=row.name,
        kind=msgspec.convert(row.kind, ScheduleKind),
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        options=row.options,
        timing=Timing(
            cron=row.cron,
            every_minutes=row.every_minutes,
            time_zone=row.time_zone,
            catch_up_minutes=row.catch_up_minutes,
        ),
        paused=row.paused,
        note=row.note,
        revision=row.revision,
        is_deleting=row.is_deleting,
        actor=row.actor,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last=last,
    )


def _run(row: ScheduleRunRow) -> ScheduleRun:
    return ScheduleRun(
        id=row.id,
        schedule_id=row.schedule_id,
        run_id=row.run_id,
        occurrence=row.occurrence,
        workflow_id=row.workflow_id,
        job_id=row.job_id,
        job_workflow_id=row.job_workflow_id,
        state=msgspec.convert(row.state, ScheduleRunState),
        reason=stored_reason(row.reason),
        counts=row.counts or {},
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
