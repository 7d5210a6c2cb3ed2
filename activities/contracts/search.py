"""What a search can be narrowed down by: names, pages, dates and tags, as clients and histories write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from activities.contracts.names import clean_tags
from activities.errors import InvalidRequest
from activities.phrases import Phrase


class Filter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base: a field that is not understood is an error, since leaving it out would find more than was asked for."""


class PageRange(Filter, frozen=True):
    """Pages ``from`` … ``to``, both included; chunks of formats without pages are in no range."""

    first: Annotated[int, Meta(ge=1, le=1_000_000)] | None = msgspec.field(default=None, name="from")
    last: Annotated[int, Meta(ge=1, le=1_000_000)] | None = msgspec.field(default=None, name="to")


class TimeRange(Filter, frozen=True):
    """Moments from ``since`` to before ``until``, ISO 8601, in UTC unless they say otherwise.

    A date without a time stands for the whole day: ``until`` a date includes that day.
    """

    since: Annotated[str, Meta(max_length=40)] | None = None
    until: Annotated[str, Meta(max_length=40)] | None = None

    def __post_init__(self) -> None:
        """Raises InvalidRequest for what is no date."""
        self.bounds()

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The first moment, and the first one that is too late."""
        return _moment(self.since, timedelta(0)), _moment(self.until, timedelta(days=1))


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


class SearchFilter(Filter, frozen=True):
    """What passages must come from; all that is given must hold.

    ``name`` is a pattern of the whole document name (``*`` any characters, ``?`` one; case does not count),
    ``uploaded`` when the live version was, ``tags`` names tags that the document has, all of them.
    """

    name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    pages: PageRange | None = None
    uploaded: TimeRange | None = None
    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=20)] = []

    def __post_init__(self) -> None:
        """Raises InvalidRequest for tags that no document can have."""
        clean_tags(self.tags)


SearchMode = Literal["hybrid", "dense", "keyword"]
