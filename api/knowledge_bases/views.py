"""Knowledge bases as the API shows them."""

from __future__ import annotations

import msgspec

from activities.contracts.questions import AnswerSettings
from activities.stores.catalog.records import KnowledgeBase
from api.knowledge_bases.schemas import AnswersInfo, ChunkingSettings, KnowledgeBaseInfo


def knowledge_base_info(
    record: KnowledgeBase, counts: dict[str, int], embedding_model: str | None
) -> KnowledgeBaseInfo:
    """``counts`` are its documents by state."""
    return KnowledgeBaseInfo(
        name=record.name,
        title=record.title,
        description=record.description,
        chunking=ChunkingSettings(max_tokens=record.chunking.max_tokens, overlap_tokens=record.chunking.overlap_tokens),
        documents={"total": sum(counts.values()), **counts},
        created_by=record.created_by,
        created_at=record.created_at,
        updated_at=record.updated_at,
        answers=answers_info(record.answers),
        embedding_model=embedding_model,
    )


def answers_info(settings: AnswerSettings) -> AnswersInfo:
    """The settings with every field, also those that are as the platform's say."""
    return AnswersInfo(**msgspec.structs.asdict(settings))
