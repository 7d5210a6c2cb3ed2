"""Conversations: sequences of questions, visible only to their owner."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.errors import InvalidRequest, NotFound
from activities.phrases import Phrase
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.questions import question_record
from activities.stores.catalog.records import Conversation, Question
from activities.stores.catalog.tables import ConversationRow, KnowledgeBaseRow, QuestionEventRow, QuestionRow, now

#: Columns of a question that are erased when its conversation is deleted: everything written or quoted.
#: Asker, times, chunks, models and durations stay for the audit trail.
ERASED: dict[str, Any] = {
    "question": "",
    "standalone": None,
    "answer": None,
    "citations": None,
    "feedback_comment": None,
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9a-f]{32})")


@repeats_conflicts
class Conversations:
    """Conversations in the catalogue; every method only finds those of the given owner."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(
        self,
        owner: str,
        knowledge_base: str | None,
        cursor: str | None,
        limit: int,
        only: Collection[str] | None = None,
    ) -> list[Conversation]:
        """At most ``limit`` conversations, those with the newest questions first, in knowledge bases of ids ``only``.

        ``knowledge_base`` is a name. Raises InvalidRequest for an invalid cursor.
        """
        query = _owned(owner).where(ConversationRow.listed)
        query = query.where(KnowledgeBaseRow.name == knowledge_base) if knowledge_base else query
        query = query.where(KnowledgeBaseRow.id.in_(only)) if only is not None else query
        if cursor:
            at, id = _position(cursor)
            query = query.where(
                or_(ConversationRow.updated_at < at, and_(ConversationRow.updated_at == at, ConversationRow.id < id))
            )
        query = query.order_by(ConversationRow.updated_at.desc(), ConversationRow.id.desc()).limit(limit)
        async with self._engine.read() as session:
            return [_record(*row) for row in await session.execute(query)]

    async def get(self, id: str, owner: str) -> Conversation:
        """A conversation by id. Raises NotFound."""
        async with self._engine.read() as session:
            return _record(*await _one(session, id, owner))

    async def turns(self, id: str, owner: str) -> list[Question]:
        """The questions of a conversation, oldest first. Raises NotFound."""
        query = select(QuestionRow).where(QuestionRow.conversation_id == id).order_by(QuestionRow.id)
        async with self._engine.read() as session:
            await _one(session, id, owner)
            return [question_record(row) for row in await session.scalars(query)]

    async def rename(self, id: str, title: str, owner: str) -> Conversation:
        """Changes the title of a conversation. Raises NotFound."""
        async with self._engine.write() as session:
            row, name, questions = await _one(session, id, owner)
            row.title = title
            session.audit(owner, "conversation.rename", row.knowledge_base_id, id)
        return _record(row, name, questions)

    async def delete(self, id: str, owner: str) -> list[str]:
        """Hides a conversation and erases its questions and answers; returns the ids of its questions.

        The rows stay for the audit trail. Unfinished questions are set to canceled, so that their runs no longer write
        to them. Raises NotFound.
        """
        async with self._engine.write() as session:
            row, _, _ = await _one(session, id, owner)
            await session.refresh(row, with_for_update=True)  # blocks new questions
            if row.deleted_at is not None:
                raise NotFound(kind="conversation", id=id)
            row.deleted_at, row.deleted_by, row.title = now(), owner, ""
            query = select(QuestionRow).where(QuestionRow.conversation_id == id).order_by(QuestionRow.id)
            questions = list(await session.scalars(query.with_for_update()))
            for question in questions:
                for column, value in ERASED.items():
                    setattr(question, column, value)
                if question.finished_at is None:
                    question.state, question.finished_at = "canceled", row.deleted_at
            ids = select(QuestionRow.id).where(QuestionRow.conversation_id == id)
            await session.execute(delete(QuestionEventRow).where(QuestionEventRow.question_id.in_(ids)))
            session.audit(owner, "conversation.delete", row.knowledge_base_id, id, questions=len(questions))
        return [question.id for question in questions]


def cursor_after(conversation: Conversation) -> str:
    """The cursor of the page that follows this conversation."""
    return f"{(conversation.updated_at - _EPOCH) // timedelta(microseconds=1)}-{conversation.id}"


def _position(cursor: str) -> tuple[datetime, str]:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise InvalidRequest(detail=Phrase.FOREIGN_CURSOR)
    try:
        return _EPOCH + timedelta(microseconds=int(match[1])), match[2]
    except OverflowError as exc:
        raise InvalidRequest(detail=Phrase.FOREIGN_CURSOR) from exc


def _owned(owner: str) -> Select[ConversationRow, str, int]:
    questions = (
        select(func.count()).where(QuestionRow.conversation_id == ConversationRow.id).correlate(ConversationRow)
    ).scalar_subquery()
    return (
        select(ConversationRow, KnowledgeBaseRow.name, questions)
        .join(KnowledgeBaseRow, KnowledgeBaseRow.id == ConversationRow.knowledge_base_id)
        .where(ConversationRow.actor == owner, ConversationRow.deleted_at.is_(None))
    )


async def _one(session: AsyncSession, id: str, owner: str) -> tuple[ConversationRow, str, int]:
    row = (await session.execute(_owned(owner).where(ConversationRow.id == id))).first()
    if row is None:
        raise NotFound(kind="conversation", id=id)
    return row[0], row[1], row[2]


def _record(row: ConversationRow, knowledge_base: str, questions: int) -> Conversation:
    return Conversation(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        title=row.title,
        questions=questions,
        actor=row.actor,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
