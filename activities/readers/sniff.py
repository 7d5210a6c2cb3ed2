"""Detects JSON, XML, mail, calendars and tables in text by content. Each test is strict: in doubt, text is plain."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from activities.readers.encoding import decode

_XML = re.compile(
    r"\s*+(?:<\?xml\s|(?:(?><!--.*?-->)\s*+|<!DOCTYPE\s[^>\[]*+(?:(?>\[.*?\]\s*+>)|>)\s*+)*+<[A-Za-z_][\w.:-]*+[\s/>])",
    re.S,
)
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*+):")
_MAIL_FIELDS = frozenset(
    ["from", "to", "cc", "date", "subject", "message-id", "mime-version", "received", "return-path", "delivered-to",
     "reply-to", "sender", "content-type", "content-transfer-encoding", "x-mailer", "in-reply-to", "references"]
)  # fmt: skip
_CERTAIN_FIELDS = frozenset(["message-id", "mime-version", "received", "return-path", "delivered-to"])
_DELIMITERS = ",;\t|"
_OTHER_COMMA = re.compile(r"(?<![0-9]),|,(?![0-9])")
_SAMPLE_ROWS = 50
_MIN_REGULAR = 0.5  # share of the rows that have the usual number of cells; lines above a table have fewer


def json_value(text: str) -> tuple[Any] | None:
    """The parsed object or array, or the list of values of a file with one value per line; None for other text.

    The result is wrapped in a tuple of one. Raises RecursionError for values that are nested too deeply.
    """
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return None
    try:
        return (json.loads(text.lstrip("\ufeff")),)
    except ValueError:
        pass
    try:
        return ([json.loads(line) for line in text.lstrip("\ufeff").split("\n") if line.strip()],)
    except ValueError:
        return None


def is_json(path: Path, head: str) -> bool:
    """Whether the whole file is one JSON value or has one JSON value per line."""
    if not head.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return False
    try:
        return json_value(decode(path.read_bytes()) or "") is not None
    except RecursionError:
        return True


def is_xml(head: str, *, named: bool) -> bool:
    """Whether text is XML: it has an XML declaration or, when the file is ``named`` .xml, begins with a tag."""
    return head.lstrip().startswith("<?xml") or (named and _XML.match(head) is not None)


def is_mail(head: str, *, named: bool) -> bool:
    """Whether text begins with mail header fields: any one when ``named`` .eml, else three with a distinctive one.

    A line ``From sender date``, as in a mailbox, may stand above them.
    """
    fields: list[str] = []
    lines = head.removeprefix("\ufeff").split("\n")
    for line in lines[1:] if lines[0].startswith("From ") else lines:
        if line[:1] in (" ", "\t") and fields:
            continue
        field = _FIELD.match(line)
        if field is None:
            break
        fields.append(field[1].lower())
    known = _MAIL_FIELDS.intersection(fields)
    return bool(known) if named else len(known) >= 3 and bool(known & _CERTAIN_FIELDS)


def is_calendar(head: str) -> bool:
    """Whether text is a calendar or an invitation."""
    return head.lstrip("\ufeff \t\r\n")[:15].upper() == "BEGIN:VCALENDAR"


def delimiter(head: str, preferred: str) -> str | None:
    """The delimiter between the cells of a table in text; None when no delimiter occurs regularly.

    It occurs more regularly than others: where cells hold decimal commas, the line of the columns' names has none.
    Commas that are all decimal are no delimiter where there is another one.
    """
    scores = {mark: _regularity(head, mark) for mark in _DELIMITERS}
    known = [mark for mark in _DELIMITERS if scores[mark] >= _MIN_REGULAR]
    if len(known) > 1 and "," in known and not _OTHER_COMMA.search(head):
        known.remove(",")
    return max(known, key=lambda mark: (scores[mark], mark == preferred), default=None)


def _regularity(head: str, mark: str) -> float:
    """Share of the rows that have the most common number of cells above one; 0 when there is none."""
    lines = head.splitlines()[:_SAMPLE_ROWS]
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=mark) if any(row))
    except csv.Error:
        return 0.0
    rows = sum(widths.values())
    width, most = max(((width, count) for width, count in widths.items() if width > 1), key=_by_count, default=(0, 0))
    return most / rows if width else 0.0


def _by_count(entry: tuple[int, int]) -> int:
    return entry[1]
