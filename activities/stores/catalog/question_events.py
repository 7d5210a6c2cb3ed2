"""Events of questions in the order of their appending: what an answer's readers are shown, and resume by offset.

They are kept here instead of in the run's history, whose length Temporal bounds. The question's record outlives them:
they are dropped with its conversation, or once the question is finished and older than ``KEPT``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.events import QuestionEvent
from activities.errors import Canceled
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.tables import QuestionEventRow, QuestionRow, first_id, now

#: How long events are kept for readers that resume, from the question on.
KEPT = timedelta(hours=1)

#: Questions of one statement; SQLite limits the depth of a condition.
PAGE = 100


@repeats_conflicts
class QuestionEvents:
    """Events by question and offset, counted from 0 without a gap."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def append(self, question_id: str, events: Sequence[QuestionEvent], at: int | None = None) -> int:
        """Appends events at offset ``at``, or at the end; returns the offset behind them.

        Raises Canceled if the question is finished or deleted, or has events at ``at`` already: another attempt
        of the same activity has begun.
        """
        async with self._engine.write() as session:
            lock = select(QuestionRow.finished_at).where(QuestionRow.id == question_id).with_for_update()
            question = (await session.execute(lock)).first()
            if question is None or question.finished_at is not None:
                raise Canceled()
            end = await count_events(session, question_id)
            if at not in (None, end):
                raise Canceled()
            add_events(session, question_id, end, events)
        return end + len(events)

    async def after(self, offsets: Mapping[str, int]) -> dict[str, list[QuestionEvent]]:
        """The events of several questions, each from its offset on; questions without any are left out."""
        found: dict[str, list[QuestionEvent]] = defaultdict(list)
        columns = select(QuestionEventRow.question_id, QuestionEventRow.event)
        ordered = columns.order_by(QuestionEventRow.question_id, QuestionEventRow.offset)
        wanted = [and_(QuestionEventRow.question_id == id, QuestionEventRow.offset >= at) for id, at in offsets.items()]
        async with self._engine.read() as session:
            for start in range(0, len(wanted), PAGE):
                for id, event in await session.execute(ordered.where(or_(*wanted[start : start + PAGE]))):
                    found[id].append(msgspec.convert(event, QuestionEvent))
        return found

    async def count(self, question_id: str) -> int:
        """The number of events of a question."""
        async with self._engine.read() as session:
            return await count_events(session, question_id)


async def count_events(session: AsyncSession, question_id: str) -> int:
    """The number of events of a question."""
    last = await session.scalar(
        select(func.max(QuestionEventRow.offset)).where(QuestionEventRow.question_id == question_id)
    )
    return 0 if last is None else last + 1


def add_events(session: AsyncSession, question_id: str, at: int, events: Sequence[QuestionEvent]) -> None:
    """Adds events from offset ``at`` on to the session's transaction, which holds the question's lock."""
    session.add_all(
        QuestionEventRow(question_id=question_id, offset=offset, event=msgspec.to_builtins(event))
        for offset, event in enumerate(events, at)
    )


async def drop_old_events(session: AsyncSession) -> None:
    """Deletes the events of questions that were asked before ``KEPT`` ago and are finished."""
    finished = select(QuestionRow.id).where(
        QuestionRow.id == QuestionEventRow.question_id, QuestionRow.finished_at.is_not(None)
    )
    old = delete(QuestionEventRow).where(QuestionEventRow.question_id < first_id(now() - KEPT), finished.exists())
    await session.execute(old.execution_options(synchronize_session=False))
