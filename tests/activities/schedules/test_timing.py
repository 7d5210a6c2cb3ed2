"""When schedules fire: cron expressions, time zones and intervals, checked before anything is made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from activities.contracts.schedules import Timing
from activities.errors import InvalidRequest
from activities.schedules.timing import check_timing, occurrences, parse_cron


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("0 2 * * 1-5", (1, 1, 31, 12, 5)),
        ("*/15 9-17 * * mon-FRI", (4, 9, 31, 12, 5)),
        ("5/10 0 1,15 jan-mar *", (6, 1, 2, 3, 7)),
        ("0 0 29 2 *", (1, 1, 1, 1, 7)),
        ("0 0 * * 0,7", (1, 1, 31, 12, 1)),
    ],
)
def test_a_cron_expression_names_times(text: str, sizes: tuple[int, ...]) -> None:
    """Lists, ranges, steps and names; 7 is Sunday too."""
    cron = parse_cron(text)
    found = (cron.minutes, cron.hours, cron.days, cron.months, cron.weekdays)
    assert tuple(map(len, found)) == sizes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("25:99", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("@every 10s", "five fields"),
        ("99 2 * * *", "“99” is not a minute"),
        ("0 25 * * *", "“25” is not an hour"),
        ("0 0 32 * *", "not a day"),
        ("0 0 5-2 * *", "not a day"),
        ("0 0 1,,2 * *", "not a day"),
        ("0 0 * foo *", "not a month"),
        ("0 0 * * 8", "not a weekday"),
        ("*/0 * * * *", "not a minute"),
        ("*/60 * * * *", "not a minute"),
        ("٣ 0 * * *", "not a minute"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 31 4,6,9 *", "never comes"),
    ],
)
def test_an_impossible_time_is_refused(text: str, said: str) -> None:
    """With the field that is wrong; also days that no month has, and more often than each minute."""
    with pytest.raises(InvalidRequest, match=said):
        parse_cron(text)


@pytest.mark.parametrize(
    "timing",
    [
        Timing(),
        Timing(cron="0 2 * * *", every_minutes=5),
        Timing(cron="0 2 * * *", time_zone="Mars/Olympus"),
        Timing(cron="0 2 * * *", time_zone="localtime"),
        Timing(every_minutes=5, time_zone="../../etc/passwd"),
        Timing(every_minutes=5, time_zone=""),
    ],
)
def test_a_schedule_says_when_in_a_zone_that_exists(timing: Timing) -> None:
    """One of cron expression and interval."""
    with pytest.raises(InvalidRequest):
        check_timing(timing)


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timing", "start", "end", "times"),
    [
        (Timing(every_minutes=90), "2026-01-01T00:01", "2026-01-01T04:30", ["01:30", "03:00", "04:30"]),
        (Timing(cron="30 2 * * *", time_zone="Europe/Berlin"), "2027-03-27", "2027-03-30", ["01:30", "00:30"]),
        (Timing(cron="0 2 * * *", time_zone="Europe/Berlin"), "2026-10-24", "2026-10-25T12:00", ["00:00", "00:00"]),
        (Timing(cron="0 9 13 * 5"), "2026-01-01", "2026-04-01", ["09:00", "09:00"]),
        (Timing(cron="0 9 30 2-3 *"), "2026-01-01", "2026-02-28", []),
    ],
)  # fmt: skip
def test_occurrences_follow_the_clocks(timing: Timing, start: str, end: str, times: list[str]) -> None:
    """Of the zone, also when they change; a skipped hour is left out. Day and weekday have to match both."""
    assert [f"{found:%H:%M}" for found in occurrences(timing, at(start), at(end))] == times
