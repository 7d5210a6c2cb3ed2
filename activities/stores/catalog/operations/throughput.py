"""What the platform did in the last hour, minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, extract, func, select
from sqlalchemy.orm import InstrumentedAttribute

from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.mapping import by_index, fixed
from activities.stores.catalog.operations.records import MinuteCount, Throughput
from activities.stores.catalog.tables import QuestionRow, VersionRow, first_id, now

MINUTES = 60

#: The last answers whose times are looked at.
ANSWERS = 1000

#: Conditions of the partial indexes.
IS_PUBLISHED: ColumnElement[bool] = VersionRow.published_at.is_not(None)
HAS_FAILED = (VersionRow.state == fixed("failed")) & VersionRow.replaced_at.is_(None)


@repeats_conflicts
class Throughputs:
    """Counts of what ended lately."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def last_hour(self) -> Throughput:
        """The minute that goes on, and those before it. A failed document that was retried counts no more."""
        until = now().replace(second=0, microsecond=0)
        since = until - timedelta(minutes=MINUTES - 1)
        minutes = {since + timedelta(minutes=n): MinuteCount(at=since + timedelta(minutes=n)) for n in range(MINUTES)}

        def add(minute: object, **counts: int) -> None:
            at = datetime.fromtimestamp(round(float(str(minute))), UTC)
            if at in minutes:  # not of a minute that began since
                before = minutes[at]
                changed = {name: getattr(before, name) + count for name, count in counts.items()}
                minutes[at] = msgspec.structs.replace(before, **changed)

        published = _minute(VersionRow.published_at)
        ready = select(published, func.count(), func.sum(VersionRow.chunks)).where(
            IS_PUBLISHED, VersionRow.published_at >= since
        )
        updated = _minute(VersionRow.updated_at)
        failed = select(updated, func.count()).where(HAS_FAILED, VersionRow.updated_at >= since)
        asked = _minute(QuestionRow.created_at)
        lately = QuestionRow.id >= first_id(since)
        questions = select(asked, QuestionRow.state, QuestionRow.found, func.count()).where(lately)
        times = select(QuestionRow.created_at, QuestionRow.finished_at).where(lately, QuestionRow.state == "ready")
        async with self._engine.read() as session:
            for minute, count, chunks in await session.execute(
                by_index(ready, "ix_versions_published").group_by(published)
            ):
                add(minute, ready=count, chunks=int(chunks or 0))
            for minute, count in await session.execute(by_index(failed, "ix_versions_failed").group_by(updated)):
                add(minute, failed=count)
            for minute, state, found, count in await session.execute(
                questions.group_by(asked, QuestionRow.state, QuestionRow.found)
            ):
                add(minute, asked=count, **({_outcome(state, found): count} if state != "running" else {}))
            rows = await session.execute(times.order_by(QuestionRow.id.desc()).limit(ANSWERS))
            seconds = sorted((end - begin).total_seconds() for begin, end in rows if end is not None)
        return Throughput(minutes=list(minutes.values()), seconds=seconds)


def _outcome(state: str, found: bool | None) -> str:
    if state != "ready":
        return "unanswered"
    return "answered" if found else "refused"


def _minute(at: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """The beginning of the minute of a time, in seconds since 1970, on every database."""
    return extract("epoch", at) - extract("second", at)
