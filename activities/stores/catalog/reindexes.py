"""Re-indexes: their records, states and controls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError

from activities.contracts.documents import Chunking
from activities.contracts.embedding import embedding_of
from activities.contracts.gate import Gate, QuestionsFrom
from activities.contracts.reindex import RecordReindexInput, ReindexControls, ReindexPlan, ReindexToRun, Verified
from activities.contracts.stages import FINAL_STATES, JobStateName
from activities.errors import NotFound, ReindexRuns
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.mapping import lock_knowledge_base, stored_reason
from activities.stores.catalog.records import Reindex
from activities.stores.catalog.tables import GenerationRow, KnowledgeBaseRow, ReindexRow, new_id, now
from activities.stores.catalog.webhooks.announce import announce_reindex


@repeats_conflicts
class Reindexes:
    """Re-indexes in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, asked: ReindexToRun) -> Reindex:
        """Records a re-index of a knowledge base; its ``generation``, ``previous`` and, if empty, its id are set here.

        Raises ReindexRuns while another one of the knowledge base has not finished, and NotFound.
        """
        row = ReindexRow(
            id=asked.reindex_id or new_id(),
            knowledge_base_id=asked.knowledge_base_id,
            max_tokens=asked.chunking.max_tokens,
            overlap_tokens=asked.chunking.overlap_tokens,
            model=asked.embedding.name if asked.embedding else None,
            model_fingerprint=asked.embedding.fingerprint if asked.embedding else None,
            plan_only=asked.plan_only,
            approve=asked.approve,
            parallelism=asked.parallelism,
            throttle=asked.throttle,
            window=asked.window,
            soak_seconds=asked.soak_seconds,
            questions=asked.questions,
            questions_key=asked.questions_key,
            gate_seconds=asked.gate_seconds,
            actor=asked.actor,
        )
        try:
            async with self._engine.write() as session:
                knowledge_base = await lock_knowledge_base(session, asked.knowledge_base_id)
                row.previous, row.generation = knowledge_base.generation, await _next_generation(session, row)
                session.add(row)
                await session.flush()
                settings = {
                    name: getattr(row, name) for name in ("generation", "max_tokens", "overlap_tokens", "model")
                }
                if not row.plan_only:
                    session.audit(asked.actor, "reindex.start", row.knowledge_base_id, row.id, **settings)
        except IntegrityError as exc:
            raise ReindexRuns(name=asked.knowledge_base) from exc
        return _record(row, knowledge_base.name)

    async def get(self, id: str) -> Reindex:
        """A re-index by id. Raises NotFound."""
        async with self._engine.read() as session:
            found = (await session.execute(_named().where(ReindexRow.id == id))).first()
        if found is None:
            raise NotFound(kind="reindex", id=id)
        return _record(*found)

    async def with_ids(self, ids: Sequence[str]) -> dict[str, Reindex]:
        """Those that exist, by id."""
        async with self._engine.read() as session:
            found = await session.execute(_named().where(ReindexRow.id.in_(ids)))
            return {row.id: _record(row, name) for row, name in found}

    async def page(self, knowledge_base_id: str, after: str | None, limit: int) -> list[Reindex]:
        """At most ``limit`` re-indexes, newest first, begun before the re-index ``after``."""
        query = _named().where(ReindexRow.knowledge_base_id == knowledge_base_id)
        query = query.order_by(ReindexRow.id.desc()).limit(limit)
        query = query.where(ReindexRow.id < after) if after else query
        async with self._engine.read() as session:
            return [_record(row, name) for row, name in await session.execute(query)]

    async def unfinished(self, before: datetime, knowledge_base_id: str | None = None) -> list[Reindex]:
        """Those that have not finished, last changed before ``before``."""
        query = _named().where(ReindexRow.finished_at.is_(None), ReindexRow.updated_at < before)
        query = query.where(ReindexRow.knowledge_base_id == knowledge_base_id) if knowledge_base_id else query
        async with self._engine.read() as session:
            return [_record(row, name) for row, name in await session.execute(query)]

    async def record(self, input: RecordReindexInput) -> None:
        """Records the state of a re-index; one that has finished stays as it is."""
        async with self._engine.write() as session:
            row = await session.get(ReindexRow, input.reindex_id, with_for_update=True)
            if row is None or row.finished_at is not None:
                return
            if input.stage == "build" and row.built_since is None:
                row.built_since = now()
            row.state, row.stage = input.state, input.stage or row.stage
            row.done = row.done if input.done is None else max(row.done, input.done)
            row.reason = msgspec.to_builtins(input.reason) if input.reason else None
            if input.plan is not None:
                row.plan, row.total = msgspec.to_builtins(input.plan), input.plan.documents
            if input.verified is not None:
                row.verified = msgspec.to_builtins(input.verified)
                row.done = row.total = input.verified.documents  # with what was published into both meanwhile
            if input.action == "approve":
                row.approved_by = input.actor
            if input.action == "override":
                row.overridden_by, row.override_reason = input.actor, input.note
            if input.state in FINAL_STATES:
                row.finished_at = now()
            if input.action and not row.plan_only:
                detail: dict[str, Any] = {"generation": row.generation}
                detail |= {"code": input.reason.code} if input.reason else {}
                detail |= {"reason": input.note} if input.note else {}
                session.audit(input.actor, f"reindex.{input.action}", row.knowledge_base_id, row.id, **detail)
            if row.finished_at is not None and not row.plan_only:
                await announce_reindex(session, row)

    async def control(self, id: str, controls: ReindexControls, actor: str) -> None:
        """Records changed controls. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _row(session, id)
            changed = controls.given()
            for name, value in changed.items():
                setattr(row, name, value)
            session.audit(actor, "reindex.control", row.knowledge_base_id, row.id, **changed)

    async def note(self, id: str, actor: str, action: str) -> None:
        """Records what an actor asked of a re-index; a cancel counts also for a run that is started again."""
        async with self._engine.write() as session:
            row = await _row(session, id)
            if action == "cancel":
                row.canceled_by = actor
            session.audit(actor, f"reindex.{action}", row.knowledge_base_id, row.id, generation=row.generation)

    async def advance(self, id: str, done: int) -> None:
        """Records that ``done`` documents are built. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _row(session, id)
            row.done = max(row.done, done)


async def _next_generation(session: Transaction, row: ReindexRow) -> int:
    """A number that neither a generation nor a re-index of the knowledge base has had."""
    numbers = [
        await session.scalar(select(func.max(table.generation)).where(table.knowledge_base_id == row.knowledge_base_id))
        for table in (GenerationRow, ReindexRow)
    ]
    return max(number or 0 for number in numbers) + 1


async def _row(session: Transaction, id: str) -> ReindexRow:
    row = await session.get(ReindexRow, id, with_for_update=True)
    if row is None:
        raise NotFound(kind="reindex", id=id)
    return row


def _named() -> Select[ReindexRow, str]:
    return select(ReindexRow, KnowledgeBaseRow.name).join(
        KnowledgeBaseRow, KnowledgeBaseRow.id == ReindexRow.knowledge_base_id
    )


def _record(row: ReindexRow, knowledge_base: str) -> Reindex:
    return Reindex(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        generation=row.generation,
        previous=row.previous,
        state=msgspec.convert(row.state, JobStateName),
        stage=row.stage,
        chunking=Chunking(max_tokens=row.max_tokens, overlap_tokens=row.overlap_tokens),
        embedding=embedding_of(row.model, row.model_fingerprint),
        plan_only=row.plan_only,
        approve=row.approve,
        approved_by=row.approved_by,
        canceled_by=row.canceled_by,
        parallelism=row.parallelism,
        throttle=row.throttle,
        window=row.window,
        soak_seconds=row.soak_seconds,
        questions=msgspec.convert(row.questions, QuestionsFrom),
        questions_key=row.questions_key,
        gate=msgspec.convert(row.gate, Gate) if row.gate else None,
        gate_seconds=row.gate_seconds,
        overridden_by=row.overridden_by,
        override_reason=row.override_reason,
        done=row.done,
        total=row.total,
        plan=msgspec.convert(row.plan, ReindexPlan) if row.plan else None,
        verified=msgspec.convert(row.verified, Verified) if row.verified else None,
        reason=stored_reason(row.reason),
        actor=row.actor,
        created_at=row.created_at,
        updated_at=row.updated_at,
        built_since=row.built_since,
        switched_at=row.switched_at,
        rolled_back_at=row.rolled_back_at,
        finished_at=row.finished_at,
    )
