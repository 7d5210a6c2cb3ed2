"""Questions and their records: what was asked by whom, what it was answered with, and what came of it."""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from activities.contracts import AnswerMode, Citation, Fallback, RecordAnswerInput, Source, Turn
from activities.errors import NotFound, Reason
from activities.stores.catalog.audit import audit
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import AnswerRecord, Question, QuestionState
from activities.stores.catalog.tables import QuestionRow, new_id, now


class Questions:
    """What the catalogue knows of questions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self, knowledge_base_id: str, question: str, mode: AnswerMode, conversation_id: str | None, actor: str
    ) -> Question:
        """Note a question before it is answered."""
        row = QuestionRow(
            id=new_id(),
            knowledge_base_id=knowledge_base_id,
            conversation_id=conversation_id or new_id(),
            question=question,
            mode=mode,
            state="running",
            actor=actor,
        )
        async with self._engine.write() as session:
            session.add(row)
            await session.flush()
            audit(session, actor, "question.ask", knowledge_base_id, row.id, mode=mode)
        return _record(row)

    async def get(self, question_id: str) -> Question:
        """Raises NotFound."""
        async with self._engine.read() as session:
            row = await session.get(QuestionRow, question_id)
        if row is None:
            raise NotFound(kind="question", id=question_id)
        return _record(row)

    async def conversation_owner(self, conversation_id: str) -> str | None:
        """Who asked the first question of a conversation; None when there is no such conversation."""
        query = select(QuestionRow.actor).where(QuestionRow.conversation_id == conversation_id)
        async with self._engine.read() as session:
            owner: str | None = await session.scalar(query.order_by(QuestionRow.id).limit(1))
            return owner

    async def turns(self, question_id: str, limit: int) -> list[Turn]:
        """What was answered before a question in its conversation, oldest first; at most ``limit`` turns."""
        async with self._engine.read() as session:
            asked = await session.get(QuestionRow, question_id)
            if asked is None:
                return []
            query = select(QuestionRow).where(
                QuestionRow.conversation_id == asked.conversation_id,
                QuestionRow.id < question_id,
                QuestionRow.state == "ready",
            )
            rows = list(await session.scalars(query.order_by(QuestionRow.id.desc()).limit(limit)))
        return [Turn(question=row.standalone or row.question, answer=row.answer or "") for row in reversed(rows)]

    async def withdraw(self, question_id: str) -> None:
        """Forget a question for which no run could be started."""
        async with self._engine.write() as session:
            row = await session.get(QuestionRow, question_id)
            if row is not None:
                await session.delete(row)

    async def record(self, job: RecordAnswerInput) -> None:
        """Write down what came of a question; recording twice changes nothing."""
        async with self._engine.write() as session:
            row = await session.get(QuestionRow, job.question_id)
            if row is None or row.finished_at is not None:
                return
            if job.retrieved is not None:
                row.sources = msgspec.to_builtins(job.retrieved.sources)
                row.similarity = job.retrieved.similarity
                row.standalone, row.generation = job.retrieved.standalone, job.retrieved.generation
                row.embedding_model = job.retrieved.model
                row.embedding_fingerprint = job.retrieved.model_fingerprint
            if job.answered is not None:
                row.answer, row.found = job.answered.answer, job.answered.found
                row.citations = msgspec.to_builtins(job.answered.citations)
                row.mode, row.tokens = job.answered.mode, job.answered.tokens
                row.fallback, row.withheld = job.answered.fallback, job.answered.withheld
                row.language_model, row.prompt_version = job.answered.model, job.answered.prompt_version
            took = (job.retrieved.milliseconds if job.retrieved else {}) | (
                job.answered.milliseconds if job.answered else {}
            )
            row.finished_at = now()
            whole = round((row.finished_at - row.created_at).total_seconds() * 1000)
            row.milliseconds = {**job.milliseconds, **took, "total": whole}
            row.reason = msgspec.to_builtins(job.reason) if job.reason else None
            row.state = "canceled" if job.canceled else "ready" if job.answered else "failed"


def _record(row: QuestionRow) -> Question:
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
        reason=msgspec.convert(row.reason, Reason) if row.reason else None,
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
    )
