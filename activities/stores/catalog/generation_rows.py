"""Rows of index generations: their records, and the collection of a new one."""

from __future__ import annotations

import msgspec
from sqlalchemy import func, select

from activities.contracts.reindex import GenerationPhase
from activities.stores.catalog.engine import Transaction
from activities.stores.catalog.records import Generation
from activities.stores.catalog.tables import GenerationRow, KnowledgeBaseRow
from activities.stores.places import SHARED, generation_name, place_name

#: Generations that share a collection with others.
IS_SHARED = GenerationRow.collection.contains(SHARED)


def generation_record(row: GenerationRow) -> Generation:
    """The record of a generation's row."""
    return Generation(
        knowledge_base_id=row.knowledge_base_id,
        generation=row.generation,
        collection=place_name(row.collection, row.model_fingerprint),
        model=row.model,
        model_fingerprint=row.model_fingerprint,
        phase=msgspec.convert(row.phase, GenerationPhase),
    )


async def new_collection(session: Transaction, knowledge_base_id: str, number: int, limit: int) -> str:
    """The name of a new generation: in a collection of its own, unless ``limit`` generations have one.

    Transactions at the same time may exceed the limit by as many as they are.
    """
    own = (
        select(GenerationRow.generation)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == GenerationRow.knowledge_base_id)
        .where(~IS_SHARED, GenerationRow.phase != "retired", KnowledgeBaseRow.deleted_at.is_(None))
        .limit(limit)
    )
    count = await session.scalar(select(func.count()).select_from(own.subquery())) or 0
    return generation_name(knowledge_base_id, number, shared=count >= limit)
