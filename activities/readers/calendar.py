"""Calendars and invitations (.ics, RFC 5545; .vcs): one line of text per event or task."""

from __future__ import annotations

import quopri
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec

from activities.contracts.documents import Element
from activities.readers.encoding import declared, decode
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_ENTRIES = ("VEVENT", "VTODO", "VJOURNAL")
_FOLD = re.compile(rb"\r?\n[ \t]")
_LINE = re.compile(r'([A-Za-z0-9.-]++)((?:;[^":;]*+(?:"[^"]*+"[^":;]*+)*+)*+):(.*)', re.S)
_PARAMETER = re.compile(r';([^=;":]++)=("[^"]*+"|[^;":]*+)')
_ESCAPED = re.compile(r"\\([\\;,nN])")
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d{0,2}(Z?))?")
_DURATION = re.compile(r"P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?")
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year", "HOURLY": "hour"}
_DAYS = {
    "MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
    "SU": "Sunday",
}  # fmt: skip


class _Value(msgspec.Struct, frozen=True):
    """The value of a property, with its parameters by name."""

    text: str
    parameters: dict[str, str]


_Entry = dict[str, list[_Value]]


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The events and tasks of a calendar below its name."""
    data = unfolded(path.read_bytes())
    progress(1, 2)
    elements = elements_of(decode(data) or data.decode("utf-8", "replace"))
    progress(2, 2)
    return Reading(elements)


def unfolded(data: bytes) -> bytes:
    """The lines as they were before they were folded, which may have cut a character in two."""
    return _FOLD.sub(b"", data)


def elements_of(text: str) -> list[Element]:
    """The calendar's name as a heading, then one element per event or task; ``text`` is unfolded."""
    elements: list[Element] = []
    inside: list[str] = []
    entry: _Entry = defaultdict(list)
    cancelled = False
    for name, value in _properties(text):
        kind = value.text.strip().upper()
        if name == "BEGIN":
            inside.append(kind)
            entry = defaultdict(list) if kind in _ENTRIES else entry
        elif name == "END" and inside:
            if inside.pop() in _ENTRIES and (line := _entry(entry, cancelled=cancelled)):
                elements.append(Element(text=line))
        elif inside and inside[-1] in _ENTRIES:
            entry[name].append(value)
        elif name == "METHOD":
            cancelled = kind == "CANCEL"
        elif name == "X-WR-CALNAME" and (title := _plain(value)):
            elements.append(Element(text=title, kind="title", level=1))
    return elements


def _properties(text: str) -> Iterator[tuple[str, _Value]]:
    lines = iter(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        parameters = {key.upper(): value.strip('"') for key, value in _PARAMETER.findall(found[2])}
        value = found[3]
        if "QUOTED-PRINTABLE" in found[2].upper():
            parts = [value]
            while parts[-1].endswith("="):
                parts.append(next(lines, ""))
            value = _unquoted("\n".join(parts), parameters.get("CHARSET", "utf-8"))
        yield found[1].rpartition(".")[2].upper(), _Value(value, parameters)


def _unquoted(text: str, charset: str) -> str:
    data = quopri.decodestring(text.encode())
    return declared(data, charset) or decode(data) or data.decode("utf-8", "replace")


def _entry(entry: _Entry, *, cancelled: bool) -> str:
    """What an event or task says, as ``Summary | Label: value | …``; empty when it says nothing."""
    start, end = _span(entry)
    status = "cancelled" if cancelled else _first(entry, "STATUS").lower()
    fields = [
        ("Start", start),
        ("End", end),
        ("Due", _times(entry, "DUE")),
        ("Place", _first(entry, "LOCATION")),
        ("Organizer", ", ".join(map(_person, entry["ORGANIZER"]))),
        ("Attendees", ", ".join(map(_person, entry["ATTENDEE"]))),
        ("Repeats", "; ".join(_rule(value.text) for value in entry["RRULE"])),
        ("Also on", _times(entry, "RDATE")),
        ("Not on", _times(entry, "EXDATE")),
        ("Instead of", _times(entry, "RECURRENCE-ID")),
        ("Status", "" if status == "confirmed" else status),
        ("Description", " ".join(map(_plain, entry["DESCRIPTION"]))),
    ]
    said = [f"{label}: {value}" for label, value in fields if value]
    return " | ".join(filter(None, [_first(entry, "SUMMARY"), *said]))


def _span(entry: _Entry) -> tuple[str, str]:
    """Start and end. Whole days end with the last day, which the file gives as the day after it."""
    start, end = _times(entry, "DTSTART"), _times(entry, "DTEND")
    first = entry["DTSTART"][0] if entry["DTSTART"] else None
    try:
        if not end and first and entry["DURATION"]:
            end = _later(first, entry["DURATION"][0].text)
        last = date.fromisoformat(end) - timedelta(1) if len(end) == len("2026-05-19") else None
    except (ValueError, OverflowError):
        return start, end
    if last is not None:
        end = "" if last.isoformat() <= start else last.isoformat()
    return start, end


def _later(start: _Value, duration: str) -> str:
    """The end of what begins at ``start``. Raises ValueError and OverflowError."""
    found, length = _TIME.match(start.text), _DURATION.fullmatch(duration.strip().lstrip("+"))
    if found is None or length is None:
        return ""
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in length.groups())
    at = datetime(*(int(number or 0) for number in found.groups()[:5]))  # type: ignore[arg-type]
    at += timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return _time(f"{at:%Y%m%dT%H%M}{found[6] or ''}" if found[4] else f"{at:%Y%m%d}", start.parameters)


def _times(entry: _Entry, name: str) -> str:
    return ", ".join(_time(part, value.parameters) for value in entry[name] for part in value.text.split(","))


def _time(text: str, parameters: dict[str, str]) -> str:
    """A date or time as ISO 8601 with its time zone; other text as it is."""
    found = _TIME.match(text.strip())
    if found is None:
        return text.strip()
    day = "-".join(found.groups()[:3])
    zone = "UTC" if found[6] else parameters.get("TZID", "")
    return " ".join(filter(None, [day, found[4] and f"{found[4]}:{found[5]}", found[4] and zone and f"({zone})"]))


def _rule(text: str) -> str:
    """A rule of repetition in words, such as ``every 2 weeks on Monday until 2026-12-31``."""
    parts = dict(part.upper().partition("=")[::2] for part in text.strip().split(";") if part)
    unit = _UNITS.get(parts.pop("FREQ", ""))
    if unit is None:
        return text.strip()
    interval = parts.pop("INTERVAL", "1")
    words = [f"every {unit}" if interval == "1" else f"every {interval} {unit}s"]
    parts.pop("WKST", None)
    if days := parts.pop("BYDAY", ""):
        words.append("on " + ", ".join(map(_weekday, days.split(","))))
    if count := parts.pop("COUNT", ""):
        words.append(f"{count} times")
    if until := parts.pop("UNTIL", ""):
        words.append(f"until {_time(until, {})}")
    return " ".join(words + [f"{name}={value}" for name, value in parts.items()])


def _weekday(text: str) -> str:
    """``2MO`` as ``Monday (2)``, ``MO`` as ``Monday``."""
    name = _DAYS.get(text[-2:], text[-2:])
    return f"{name} ({text[:-2]})" if text[:-2] else name


def _person(value: _Value) -> str:
    address = value.text.strip()
    address = address[7:] if address[:7].lower() == "mailto:" else address
    name = value.parameters.get("CN", "")
    return f"{name} <{address}>" if name and name != address else address


def _first(entry: _Entry, name: str) -> str:
    return _plain(entry[name][0]) if entry[name] else ""


def _plain(value: _Value) -> str:
    text = _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value.text)
    return " ".join(text.split())
