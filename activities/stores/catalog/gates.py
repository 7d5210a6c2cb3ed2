"""The quality gates of re-indexes: their questions, their progress and their reports."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Select, select

from activities.contracts.answers import Citation
from activities.contracts.gate import Gate, Item
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.tables import ConversationRow, DocumentRow, QuestionRow, ReindexRow

#: Questions of one query.
PAGE = 500


@repeats_conflicts
class Gates:
    """Quality gates in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def recent(self, knowledge_base_id: str, limit: int) -> list[Item]:
        """Different questions whose answers were rated helpful, newest first, with the documents that they cited.

        Those whose documents are all gone are left out, as are those of deleted conversations.
        """
        items: dict[str, Item] = {}
        after = None
        async with self._engine.read() as session:
            while len(items) < limit:
                rows = list(await session.scalars(_rated(knowledge_base_id, after)))
                cited = {row.id: _cited(row) for row in rows}
                there = set(await session.scalars(_live(knowledge_base_id, set().union(*cited.values()))))
                for row in rows:
                    question, documents = row.standalone or row.question, cited[row.id] & there
                    if documents and question not in items:
                        items[question] = Item(question, documents=tuple(sorted(documents)), question_id=row.id)
                if len(rows) < PAGE:
                    break
                after = rows[-1].id
        return list(items.values())[:limit]

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


def _rated(knowledge_base_id: str, after: str | None) -> Select[QuestionRow]:
    """Questions whose answers were rated helpful, newest first, asked before the question ``after``."""
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
    )
    query = query.where(QuestionRow.id < after) if after is not None else query
    return query.order_by(QuestionRow.id.desc()).limit(PAGE)


def _live(knowledge_base_id: str, ids: Collection[str]) -> Select[str]:
    return select(DocumentRow.id).where(
        DocumentRow.knowledge_base_id == knowledge_base_id,
        DocumentRow.live_version.is_not(None),
        DocumentRow.id.in_(list(ids)),
    )


def _cited(row: QuestionRow) -> set[str]:
    return {each.document_id for each in msgspec.convert(row.citations or [], list[Citation])}
