"""What a search can be narrowed down by: names, pages, dates and tags, as histories keep them.

What clients may write is checked where it comes in: ``api.questions.schemas`` has the strict twins.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import msgspec

from activities.contracts import Contract
from activities.errors import InvalidRequest
from activities.phrases import Phrase

SearchMode = Literal["hybrid", "dense", "keyword"]


class PageRange(Contract, frozen=True):
    """Pages ``from`` … ``to``, both included; chunks of formats without pages are in no range."""

    first: int | None = msgspec.field(default=None, name="from")
    last: int | None = msgspec.field(default=None, name="to")


class TimeRange(Contract, frozen=True):
    """Moments from ``since`` to before ``until``, ISO 8601, in UTC unless they say otherwise.

    A date without a time stands for the whole day: ``until`` a date includes that day.
    """

    since: str | None = None
    until: str | None = None

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The first moment, and the first one that is too late. Raises InvalidRequest for what is no date."""
        return _moment(self.since, timedelta(0)), _moment(self.until, timedelta(days=1))


class SearchFilter(Contract, frozen=True):
    """What passages must come from; all that is given must hold.

    ``name`` is a pattern of the whole document name (``*`` any characters, ``?`` one; case does not count),
    ``uploaded`` when the live version was, ``tags`` names tags that the document has, all of them.
    """

    name: str | None = None
    pages: PageRange | None = None
    uploaded: TimeRange | None = None
    tags: list[str] = []


def _moment(text: str | None, whole_day: timedelta) -> datetime | None:
    if text is None:
        return None
    try:
        if len(text) <= len("2026-11-30"):
            return datetime.combine(date.fromisoformat(text), time(), UTC) + whole_day
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidRequest(detail=Phrase.NOT_A_TIME, value=text) from exc
