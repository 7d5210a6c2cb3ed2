"""Index generations that are written: building ones first."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import and_, case, or_, select
from sqlalchemy.orm import aliased

from activities.contracts.reindex import GenerationPhase
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.generation_rows import generation_record
from activities.stores.catalog.operations.records import CurrentGeneration
from activities.stores.catalog.tables import GenerationRow, KnowledgeBaseRow, ReindexRow

#: The order of the phases.
PHASES: tuple[GenerationPhase, ...] = ("building", "soaking", "live")


@repeats_conflicts
class CurrentGenerations:
    """Generations of knowledge bases that are not deleted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(self, limit: int) -> list[CurrentGeneration]:
        """At most ``limit`` generations by phase, newest first."""
        made, running = aliased(ReindexRow), aliased(ReindexRow)
        order = case({phase: number for number, phase in enumerate(PHASES)}, value=GenerationRow.phase)
        of_this = and_(
            made.knowledge_base_id == GenerationRow.knowledge_base_id, made.generation == GenerationRow.generation
        )
        left = and_(
            running.knowledge_base_id == GenerationRow.knowledge_base_id,
            running.finished_at.is_(None),
            or_(running.previous == GenerationRow.generation, running.generation == GenerationRow.generation),
        )
        query = (
            select(
                GenerationRow, KnowledgeBaseRow.name, made.switched_at, made.rolled_back_at,
                running.switched_at, running.rolled_back_at,
            )
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == GenerationRow.knowledge_base_id)
            .outerjoin(made, of_this)
            .outerjoin(running, left)
            .where(KnowledgeBaseRow.deleted_at.is_(None), GenerationRow.phase.in_(PHASES))
            .order_by(order, GenerationRow.created_at.desc(), KnowledgeBaseRow.name)
            .limit(limit)
        )  # fmt: skip
        async with self._engine.read() as session:
            return [
                CurrentGeneration(
                    knowledge_base=name,
                    generation=row.generation,
                    collection=generation_record(row).collection,
                    phase=msgspec.convert(row.phase, GenerationPhase),
                    model=row.model,
                    since=_latest(row.created_at, *changes),
                )
                for row, name, *changes in await session.execute(query)
            ]


def _latest(first: datetime, *changes: datetime | None) -> datetime:
    return max([first, *(change for change in changes if change is not None)])
