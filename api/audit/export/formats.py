"""The export of audit events as JSON Lines, as CSV, and as OCSF events; a page at a time, so that any number fits."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from activities.stores.catalog.records import AuditEvent
from api.audit.export.ocsf import ocsf_event
from api.audit.schemas import AuditEventInfo
from api.audit.views import audit_event_info

Format = Literal["jsonl", "csv", "ocsf"]

#: Media type and file name of each form.
FILES: Final[dict[Format, tuple[str, str]]] = {
    "jsonl": ("application/jsonl", "audit.jsonl"),
    "csv": ("text/csv; charset=utf-8", "audit.csv"),
    "ocsf": ("application/jsonl", "audit.ocsf.jsonl"),
}

#: The columns of the CSV.
COLUMNS: Final = AuditEventInfo.__struct_fields__

#: A cell that begins so, behind spaces and controls too, is a formula to a spreadsheet.
_FORMULA: Final = re.compile(r"[\t\r\n]|[\s\x00-\x1f]*[=+\-@＝＋－＠]")

#: The same behind a semicolon, at which spreadsheets of many countries begin a cell, also of this file.
_BEHIND: Final = re.compile(r";(?=[\s\x00-\x1f\"]*[=+\-@＝＋－＠])")

#: Controls and ends of lines, which a cell has a space for: a row is a line.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

_JSON = msgspec.json.Encoder()


async def exported(pages: AsyncIterator[list[AuditEvent]], format: Format) -> AsyncIterator[bytes]:
    """The pieces of the file; each has the events of one page."""
    if format == "csv":
        yield _rows([COLUMNS])
    encoded = _ENCODED[format]
    async for page in pages:
        yield encoded(page)


def _jsonl(page: Sequence[AuditEvent]) -> bytes:
    return _JSON.encode_lines([audit_event_info(event) for event in page])


def _ocsf(page: Sequence[AuditEvent]) -> bytes:
    return _JSON.encode_lines([ocsf_event(event) for event in page])


def _csv(page: Sequence[AuditEvent]) -> bytes:
    return _rows([[cell(getattr(event, column)) for column in COLUMNS] for event in page])


def cell(value: Any) -> str:
    """A value as a cell on one line; what a spreadsheet would calculate has an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = value if isinstance(value, str) else _JSON.encode(value).decode()
    text = _BEHIND.sub(";'", f"'{text}" if _FORMULA.match(text) else text)
    return _CONTROLS.sub(" ", text)


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


_ENCODED: Final[dict[Format, Callable[[Sequence[AuditEvent]], bytes]]] = {"jsonl": _jsonl, "csv": _csv, "ocsf": _ocsf}
