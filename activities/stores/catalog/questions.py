"""Questions and their records: asker, sources, answer and outcome."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.answers import AnswerMode, Citation, Fallback, Rating, Source
from activities.contracts.events import DoneEvent, ErrorEvent
from activities.contracts.questions import Answered, RecordAnswerInput, Turn
from activities.contracts.stages import QuestionState
from activities.errors import HoldfastError, Interrupted, NotFound, Reason
from activities.stores.catalog.audit.answers import record_sources
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.mapping import stored_reason
from activities.stores.catalog.question_events import add_events, count_events, drop_old_events
from activities.stores.catalog.records import AnswerRecord, Feedback, Question
from activities.stores.catalog.tables import ConversationRow, QuestionRow, new_id, now
from activities.telemetry import metrics

#: Maximum length of the title that a conversation gets from its first question.
TITLE_CHARACTERS = 80


@repeats_conflicts
class Questions:
    """Questions in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self,
        knowledge_base_id: str,
        question: str,
        mode: AnswerMode,
        conversation_id: str | None,
        actor: str,
        *,
        listed: bool = True,
    ) -> Question:
        """Records a question before it is answered; ``conversation_id`` None creates a conversation.

        Raises NotFound unless ``conversation_id`` is a conversation of ``actor`` on this knowledge base.
        """
        async with self._engine.write() as session:
            conversation = await _conversation(session, knowledge_base_id, question, conversation_id, actor, listed)
            row = QuestionRow(
                id=new_id(),
                knowledge_base_id=knowledge_base_id,
                conversation_id=conversation.id,
                question=question,
                mode=mode,
                state="running",
                actor=actor,
                created_at=conversation.updated_at,
            )
            session.add(row)
            await session.flush()
            session.audit(actor, "question.ask", knowledge_base_id, row.id, mode=mode)
        return question_record(row)

    async def get(self, question_id: str) -> Question:
        """A question by id. Raises NotFound, also when its conversation was deleted."""
        async with self._engine.read() as session:
            return question_record(await _shown(session, question_id))

    async def rate(self, question_id: str, feedback: Feedback, actor: str) -> Question:
        """Records feedback on an answer, replacing earlier feedback. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _shown(session, question_id)
            row.feedback_rating, row.feedback_comment = feedback.rating, feedback.comment
            row.feedback_by, row.feedback_at = actor, now()
            session.audit(actor, "question.feedback", row.knowledge_base_id, row.id, rating=feedback.rating)
        return question_record(row)

    async def turns(self, question_id: str, limit: int) -> list[Turn]:
        """The last answered turns before a question in its conversation, oldest first; at most ``limit``."""
        async with self._engine.read() as session:
            current = await session.get(QuestionRow, question_id)
            if current is None:
                return []
            query = select(QuestionRow).where(
                QuestionRow.conversation_id == current.conversation_id,
                QuestionRow.id < question_id,
                QuestionRow.state == "ready",
            )
            rows = list(await session.scalars(query.order_by(QuestionRow.id.desc()).limit(limit)))
        return [Turn(question=row.standalone or row.question, answer=row.answer or "") for row in reversed(rows)]

    async def withdraw(self, question_id: str) -> None:
        """Deletes a question for which no run could be started, and its conversation if no other question is in it."""
        async with self._engine.write() as session:
            row = await session.get(QuestionRow, question_id)
            if row is None:
                return
            await session.delete(row)
            await session.flush()
            others = select(QuestionRow.id).where(QuestionRow.conversation_id == row.conversation_id).limit(1)
            if await session.scalar(others) is None:
                await session.execute(delete(ConversationRow).where(ConversationRow.id == row.conversation_id))

    async def record(self, input: RecordAnswerInput) -> None:
        """Records the outcome of a question with its last event; idempotent: a finished question is not changed."""
        async with self._engine.write() as session:
            row = await session.get(QuestionRow, input.question_id, with_for_update=True)
            if row is None or row.finished_at is not None:
                return
            if input.retrieved is not None:
                row.sources = msgspec.to_builtins(input.retrieved.sources)
                row.similarity = input.retrieved.similarity
                row.standalone, row.generation = input.retrieved.standalone, input.retrieved.generation
                row.embedding_model = input.retrieved.model
                row.embedding_fingerprint = input.retrieved.model_fingerprint
            if input.answered is not None:
                row.answer, row.found = input.answered.answer, input.answered.found
                row.citations = msgspec.to_builtins(input.answered.citations)
                row.mode, row.tokens = input.answered.mode, input.answered.tokens
                row.fallback, row.withheld = input.answered.fallback, input.answered.withheld
                row.language_model, row.prompt_version = input.answered.model, input.answered.prompt_version
            durations = (input.retrieved.milliseconds if input.retrieved else {}) | (
                input.answered.milliseconds if input.answered else {}
            )
            row.finished_at = now()
            total = round((row.finished_at - row.created_at).total_seconds() * 1000)
            row.milliseconds = {**input.milliseconds, **durations, "total": total}
            row.reason = msgspec.to_builtins(input.reason) if input.reason else None
            record_sources(session, row)
            row.state = "canceled" if input.canceled else "ready" if input.answered else "failed"
            add_events(session, row.id, await count_events(session, row.id), [last_event(input.answered, input.reason)])
            await drop_old_events(session)
            milliseconds = row.milliseconds
        metrics.question_ended(input, milliseconds)

    async def interrupt(self, question_id: str) -> None:
        """Records that the run of a question ended without recording an outcome."""
        await self.record(RecordAnswerInput(question_id=question_id, reason=Interrupted().reason))


def last_event(answered: Answered | None, reason: Reason | None) -> DoneEvent | ErrorEvent:
    """The event that ends a question's stream."""
    if answered is None:
        return ErrorEvent(reason=reason or HoldfastError().reason)
    return DoneEvent(
        answer=answered.answer,
        citations=answered.citations,
        mode=answered.mode,
        found=answered.found,
        fallback=answered.fallback,
        withheld=answered.withheld,
    )


async def _shown(session: AsyncSession, id: str) -> QuestionRow:
    """A question whose conversation was not deleted. Raises NotFound."""
    query = select(QuestionRow).join(ConversationRow, ConversationRow.id == QuestionRow.conversation_id)
    row = await session.scalar(query.where(QuestionRow.id == id, ConversationRow.deleted_at.is_(None)))
    if row is None:
        raise NotFound(kind="question", id=id)
    return row


async def _conversation(
    session: AsyncSession, knowledge_base_id: str, question: str, id: str | None, actor: str, listed: bool
) -> ConversationRow:
    """The locked conversation ``id``, or a new one if ``id`` is None. Raises NotFound."""
    at = now()
    if id is None:
        row: ConversationRow | None = ConversationRow(
            id=new_id(),
            knowledge_base_id=knowledge_base_id,
            title=title_of(question),
            listed=listed,
            actor=actor,
            created_at=at,
        )
        session.add(row)
    else:
        row = await session.get(ConversationRow, id, with_for_update=True)
    allowed = row is not None and (row.knowledge_base_id, row.actor, row.deleted_at) == (knowledge_base_id, actor, None)
    if row is None or not allowed:
        raise NotFound(kind="conversation", id=id)
    row.updated_at = at
    await session.flush()
    return row


def title_of(question: str) -> str:
    """A title from a conversation's first question: one line of at most TITLE_CHARACTERS, cut between words."""
    line = " ".join(question.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    head = line[: TITLE_CHARACTERS - 1]
    words = head.rsplit(" ", 1)[0]
    return f"{words if len(words) > TITLE_CHARACTERS // 2 else head}…"


def question_record(row: QuestionRow) -> Question:
    """The record of a question's row."""
    return Question(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        conversation_id=row.conversation_id,
        question=row.question,
        mode=msgspec.convert(row.mode, AnswerMode),
        state=msgspec.convert(row.state, QuestionState),
        answer=row.answer,
        found=row.found,
        citations=msgspec.convert(row.citations or [], list[Citation]),
        sources=msgspec.convert(row.sources or [], list[Source]),
        reason=stored_reason(row.reason),
        actor=row.actor,
        created_at=row.created_at,
        finished_at=row.finished_at,
        fallback=msgspec.convert(row.fallback, Fallback | None),
        withheld=row.withheld,
        made=AnswerRecord(
            standalone=row.standalone,
            similarity=row.similarity,
            generation=row.generation,
            embedding_model=row.embedding_model,
            embedding_fingerprint=row.embedding_fingerprint,
            language_model=row.language_model,
            prompt_version=row.prompt_version,
            milliseconds=row.milliseconds or {},
            tokens=row.tokens,
        ),
        feedback=_feedback(row),
    )


def _feedback(row: QuestionRow) -> Feedback | None:
    if row.feedback_rating is None:
        return None
    return Feedback(rating=msgspec.convert(row.feedback_rating, Rating), comment=row.feedback_comment)
