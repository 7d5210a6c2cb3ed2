"""Excel workbooks (.xlsx): sheets become sections, rows are streamed, formulas yield their cached values."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
from lxml import etree
from openpyxl.utils import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, told
from activities.phrases import Phrase
from activities.readers import archive
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.readers.tables.cells import shown
from activities.readers.tables.rows import elements_of
from activities.settings import ParseSettings

_DAMAGED = (
    *(*archive.BROKEN, InvalidFileException, SyntaxError),
    *(ValueError, TypeError, AttributeError, IndexError, ArithmeticError),
)
_MOST_ROWS = 1_048_576  # of a sheet; openpyxl fills in all rows before one that it finds
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell [^<>]*?ref="([A-Z]+\d+:[A-Z]+\d+)"')
_READ_BYTES = 1024 * 1024
_OVERLAP = 200  # bytes: longer than one mergeCell element


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The rows of all sheets, each sheet under its name as a heading."""
    elements: list[Element] = []
    try:
        with archive.opened(path, limits, "xlsx") as package, path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parts that openpyxl does not read, such as styles and forms
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = book.worksheets
            for number, sheet in enumerate(sheets, 1):
                rows = list(elements_of(_rows(sheet, _merged(package, sheet)), level=2))
                if rows:
                    heading = Element(text=sheet.title, kind="title", level=1)
                    elements += [heading, *(rows[1:] if rows[0].text == sheet.title else rows)]
                progress(number, len(sheets))
            book.close()
    except (*_DAMAGED, etree.LxmlError) as exc:
        raise DamagedDocument(format="xlsx", detail=told(exc)) from exc
    return Reading(elements)


def _rows(sheet: Any, merged: dict[int, list[tuple[int, int]]]) -> Iterator[list[str]]:
    """The rows as displayed; the value of vertically merged cells is repeated in each of their rows."""
    sheet.reset_dimensions()  # the declared size may be wrong, and openpyxl would pad it with empty cells
    running: dict[int, tuple[int, str]] = {}  # column → (last row, value)
    for number, cells in enumerate(sheet.iter_rows(), 1):
        if number > _MOST_ROWS:
            raise DamagedDocument(format="xlsx", detail=Phrase.ROWS_BEYOND, limit=_MOST_ROWS)
        row = [_shown(cell) for cell in cells]
        if running and any(row):
            running = {column: entry for column, entry in running.items() if entry[0] >= number}
            for column, (_, value) in running.items():
                row += [""] * (column - len(row))
                row[column - 1] = row[column - 1] or value
        for column, last in merged.get(number, ()):
            if column <= len(row) and row[column - 1]:
                running[column] = (last, row[column - 1])
        yield row


def _shown(cell: Any) -> str:
    value = cell.value
    if value is None or isinstance(value, str):
        return value or ""
    return shown(value, cell.number_format)


def _merged(package: zipfile.ZipFile, sheet: Any) -> dict[int, list[tuple[int, int]]]:
    """First row → (column, last row) of the cells that are merged vertically within one column.

    openpyxl omits merged cells when it streams; the sheet's XML lists them after the rows.
    """
    merged: dict[int, list[tuple[int, int]]] = {}
    tail = b""
    with package.open(sheet._worksheet_path) as file:
        while block := file.read(_READ_BYTES):
            text = tail + block
            end = 0
            for match in _MERGED.finditer(text):
                left, top, right, bottom = range_boundaries(match[1].decode("ascii"))
                if left == right and bottom > top:
                    merged.setdefault(top, []).append((left, bottom))
                end = match.end()
            tail = text[max(end, len(text) - _OVERLAP) :]
    return merged
