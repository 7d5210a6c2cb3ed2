"""Which answers used which versions of a document; also when the document is replaced, indexed again, or deleted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import select

from activities.errors import NotFound
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.records import AnswerUse
from activities.stores.catalog.tables import (
    AnswerSourceRow,
    AuditRow,
    ConversationRow,
    DocumentRow,
    KnowledgeBaseRow,
    QuestionRow,
)


@repeats_conflicts
class AnswerUses:
    """From a document to the answers that its passages went into."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(self, document_id: str, version: int | None, after: str | None, limit: int) -> list[AnswerUse]:
        """At most ``limit`` uses of a document, or of one version, newest first, of questions before ``after``.

        Raises NotFound for a document that never was.
        """
        query = (
            select(AnswerSourceRow, QuestionRow, ConversationRow.deleted_at, KnowledgeBaseRow.name)
            .join(QuestionRow, QuestionRow.id == AnswerSourceRow.question_id)
            .join(ConversationRow, ConversationRow.id == QuestionRow.conversation_id)
            .join(KnowledgeBaseRow, KnowledgeBaseRow.id == QuestionRow.knowledge_base_id)
            .where(AnswerSourceRow.document_id == document_id)
            .order_by(AnswerSourceRow.question_id.desc(), AnswerSourceRow.version.desc())
            .limit(limit)
        )
        query = query.where(AnswerSourceRow.version == version) if version is not None else query
        query = query.where(_before(after)) if after else query
        async with self._engine.read() as session:
            found = [
                AnswerUse(
                    question_id=question.id,
                    version=source.version,
                    passages=source.passages,
                    cited=source.cited,
                    state=question.state,
                    actor=question.actor,
                    at=question.created_at,
                    knowledge_base=name,
                    deleted=deleted_at is not None,
                )
                for source, question, deleted_at, name in await session.execute(query)
            ]
            if not found and await session.get(DocumentRow, document_id) is None:
                uploaded = select(AuditRow.id).where(AuditRow.object_id == document_id).limit(1)
                if await session.scalar(uploaded) is None:
                    raise NotFound(kind="document", id=document_id)
        return found


def record_sources(session: Transaction, question: QuestionRow) -> None:
    """Records the versions among a question's passages, and which of them its answer cites."""
    cited = {citation.get("chunk_id") for citation in question.citations or []}
    passages: Counter[tuple[str, int]] = Counter()
    quoted: set[tuple[str, int]] = set()
    for source in question.sources or []:
        key = source["document_id"], source["version"]
        passages[key] += 1
        if source["chunk_id"] in cited:
            quoted.add(key)
    for (document_id, version), count in passages.items():
        session.add(
            AnswerSourceRow(
                document_id=document_id,
                question_id=question.id,
                version=version,
                passages=count,
                cited=(document_id, version) in quoted,
            )
        )


def _before(cursor: str) -> Any:
    """Uses behind a cursor: a question's id and a version, as in ``cursor_of``."""
    question_id, _, version = cursor.partition(".")
    earlier = AnswerSourceRow.question_id < question_id
    if not version.isdecimal() or len(version) > 18:
        return earlier
    return earlier | ((AnswerSourceRow.question_id == question_id) & (AnswerSourceRow.version < int(version)))


def cursor_of(use: AnswerUse) -> str:
    """The cursor behind which the uses after this one are."""
    return f"{use.question_id}.{use.version}"
