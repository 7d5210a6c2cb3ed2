"""Tables in text files (csv, tsv) with any common delimiter and encoding."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.readers.sniff import delimiter
from activities.readers.tables.rows import elements_of
from activities.readers.text import decode_file
from activities.settings import ParseSettings

_SNIFF_CHARACTERS = 64 * 1024
_MAX_FIELD = 1024 * 1024  # characters; a longer field begins with an unclosed quotation mark
_REPORT_ROWS = 1000


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The rows of the table, each value with the name of its column."""
    text = decode_file(path)
    expected = "\t" if PurePosixPath(name.lower()).suffix in (".tsv", ".tab") else ","
    mark = delimiter(text[:_SNIFF_CHARACTERS], expected) or expected
    try:
        return Reading(list(elements_of(_reported(_rows(text, mark, csv.QUOTE_MINIMAL), len(text), progress))))
    except csv.Error:  # an unclosed quotation mark: read quotation marks as ordinary characters
        return Reading(list(elements_of(_reported(_rows(text, mark, csv.QUOTE_NONE), len(text), progress))))


def _rows(text: str, mark: str, quoting: Literal[0, 3]) -> Iterator[list[str]]:
    csv.field_size_limit(_MAX_FIELD if quoting == csv.QUOTE_MINIMAL else sys.maxsize)
    return csv.reader(io.StringIO(text, newline=""), delimiter=mark, quoting=quoting, skipinitialspace=True)


def _reported(rows: Iterator[list[str]], total: int, progress: Progress) -> Iterator[list[str]]:
    """Passes the rows through and reports progress in characters."""
    done = 0
    for number, row in enumerate(rows, 1):
        done += sum(map(len, row)) + len(row)
        if number % _REPORT_ROWS == 0:
            progress(min(done, total - 1), total)
        yield row
    progress(total, total)
