"""The quality gates of re-indexes: their questions, their progress and their reports."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import select

from activities.contracts.answers import Citation
from activities.contracts.gate import Gate, Item
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.tables import ConversationRow, DocumentRow, QuestionRow, ReindexRow


@repeats_conflicts
class Gates:
    """Quality gates in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def recent(self, knowledge_base_id: str, limit: int) -> list[Item]:
        """Different questions whose answers were rated helpful, newest first, with the documents that they cited.

        Those whose documents are all gone are left out, as are those of deleted conversations.
        """
        query = (
            select(QuestionRow)
            .join(ConversationRow, ConversationRow.id == QuestionRow.conversation_id)
            .where(
                QuestionRow.knowledge_base_id == knowledge_base_id,
                QuestionRow.state == "ready",
                QuestionRow.found.is_(True),
                QuestionRow.feedback_rating == "up",
                ConversationRow.deleted_at.is_(None),
            )
            .order_by(QuestionRow.id.desc())
        )
        live = select(DocumentRow.id).where(
            DocumentRow.knowledge_base_id == knowledge_base_id, DocumentRow.live_version.is_not(None)
        )
        items: dict[str, Item] = {}
        async with self._engine.read() as session:
            for row in await session.scalars(query.limit(2 * limit)):
                cited = {each.document_id for each in msgspec.convert(row.citations or [], list[Citation])}
                there = sorted(await session.scalars(live.where(DocumentRow.id.in_(cited))))
                question = row.standalone or row.question
                if there and question not in items and len(items) < limit:
                    items[question] = Item(question, documents=tuple(there), question_id=row.id)
        return list(items.values())

    async def use(self, id: str, key: str) -> None:
        """Records the blob with the questions of a re-index."""
        async with self._engine.write() as session:
            row = await session.get_one(ReindexRow, id, with_for_update=True)
            row.questions_key = key

    async def advance(self, id: str, done: int, questions: int) -> None:
        """Records how many of the questions were asked."""
        async with self._engine.write() as session:
            row = await session.get_one(ReindexRow, id, with_for_update=True)
            row.gate = msgspec.to_builtins(Gate(questions=questions, done=done))

    async def conclude(self, id: str, gate: Gate) -> None:
        """Records the report."""
        async with self._engine.write() as session:
            row = await session.get_one(ReindexRow, id, with_for_update=True)
            row.gate = msgspec.to_builtins(gate)

    async def questions_key(self, id: str) -> str | None:
        """The blob with the questions of a re-index; None if there is none."""
        async with self._engine.read() as session:
            return await session.scalar(select(ReindexRow.questions_key).where(ReindexRow.id == id))

    async def known(self, keys: Collection[str]) -> set[str]:
        """The question sets among ``keys`` that unfinished re-indexes refer to."""
        query = select(ReindexRow.questions_key).where(
            ReindexRow.questions_key.in_(list(keys)), ReindexRow.finished_at.is_(None)
        )
        async with self._engine.read() as session:
            return {key for key in await session.scalars(query) if key is not None}
