"""When a schedule fires, checked before anything is made: cron expressions, intervals, time zones.

A cron expression has five fields (minute, hour, day of the month, month, weekday), as Temporal reads them: lists,
ranges, steps and English names. A day has to match both of day and weekday. A time that the clocks skip in spring is
left out on that day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from activities.contracts.schedules import Timing
from activities.errors import InvalidRequest
from activities.phrases import Phrase

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

#: Files among the time zones that say how a machine is set: Temporal's may be another one, or have none.
_OF_THIS_MACHINE = {"Factory", "localtime", "posixrules"}

#: Fields in order: their phrase, lowest and highest number, and names that count from the lowest.
_FIELDS: tuple[tuple[Phrase, int, int, tuple[str, ...]], ...] = (
    (Phrase.CRON_MINUTE, 0, 59, ()),
    (Phrase.CRON_HOUR, 0, 23, ()),
    (Phrase.CRON_DAY, 1, 31, ()),
    (Phrase.CRON_MONTH, 1, 12, _MONTHS),
    (Phrase.CRON_WEEKDAY, 0, 7, _WEEKDAYS),
)

_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,2}))?")


class Cron(msgspec.Struct, frozen=True):
    """A cron expression's fields, each as the numbers that it names; weekdays count from 0, Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def has_day(self, day: date) -> bool:
        """Whether it fires on a day."""
        return day.day in self.days and day.month in self.months and day.isoweekday() % 7 in self.weekdays

    def ever_fires(self) -> bool:
        """Whether there is a day that it names, such as 29 February, and unlike 31 February."""
        return any(min(self.days) <= monthrange(2024, month)[1] for month in self.months)


def parse_cron(text: str) -> Cron:
    """The fields of a cron expression. Raises InvalidRequest, also for one that never fires."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise InvalidRequest(detail=Phrase.CRON_FIELDS, value=text)
    minutes, hours, days, months, weekdays = (
        _numbers(field, *rule) for field, rule in zip(fields, _FIELDS, strict=True)
    )
    cron = Cron(minutes, hours, days, months, frozenset(number % 7 for number in weekdays))
    if not cron.ever_fires():
        raise InvalidRequest(detail=Phrase.CRON_NEVER, value=text)
    return cron


def _numbers(field: str, phrase: Phrase, lowest: int, highest: int, names: tuple[str, ...]) -> frozenset[int]:
    def number(text: str) -> int:
        if text.lower() in names:
            return names.index(text.lower()) + lowest
        found = int(text) if text.isdecimal() and text.isascii() else -1
        if not lowest <= found <= highest:
            raise InvalidRequest(detail=phrase, value=field)
        return found

    numbers: set[int] = set()
    for part in field.split(","):
        found = _PART.fullmatch(part)
        if found is None or found["step"] == "0":
            raise InvalidRequest(detail=phrase, value=field)
        first = number(found["first"]) if found["first"] else lowest
        last = highest if not found["first"] or (found["step"] and not found["last"]) else first
        last = number(found["last"]) if found["last"] else last
        if last < first or int(found["step"] or 1) > highest:
            raise InvalidRequest(detail=phrase, value=field)
        numbers.update(range(first, last + 1, int(found["step"] or 1)))
    return frozenset(numbers)


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name (``Europe/Berlin``). Raises InvalidRequest."""
    if name not in _zones():
        raise InvalidRequest(detail=Phrase.WINDOW_ZONE, zone=name)
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _OF_THIS_MACHINE)


def check_timing(timing: Timing) -> None:
    """Raises InvalidRequest unless it has one of cron expression and interval, and a time zone that exists."""
    zone_of(timing.time_zone)
    if bool(timing.cron) == bool(timing.every_minutes):
        raise InvalidRequest(detail=Phrase.CRON_OR_EVERY)
    if timing.cron:
        parse_cron(timing.cron)


def occurrences(timing: Timing, start: datetime, end: datetime) -> Iterator[datetime]:
    """The times from ``start`` to ``end`` at which a schedule fires, in order, in UTC."""
    if timing.every_minutes:
        step = timing.every_minutes * 60
        first = -(-start.timestamp() // step) * step
        while first <= end.timestamp():
            yield datetime.fromtimestamp(first, UTC)
            first += step
        return
    cron, zone = parse_cron(timing.cron), zone_of(timing.time_zone)
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last:
        if cron.has_day(day):
            for at in sorted(_times(cron, day, zone)):
                if start <= at <= end:
                    yield at
        day += timedelta(days=1)


def _times(cron: Cron, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    for hour in cron.hours:
        for minute in cron.minutes:
            at = datetime.combine(day, time(hour, minute), zone).astimezone(UTC)
            if at.astimezone(zone).hour == hour:  # else the clocks skip it
                yield at
