"""Streams the rows of one sheet as they are displayed, without what is hidden.

A formula without a stored result has the value that ``formulas`` computes; one that it cannot compute is empty, and
counted.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec
from openpyxl.formula.tokenizer import TokenizerError
from openpyxl.formula.translate import TranslatorError
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.utils import range_boundaries
from openpyxl.worksheet._reader import FORMULA_TAG, INLINE_STRING, WorkSheetParser

from activities.errors import DamagedDocument
from activities.phrases import Phrase, RemarkText
from activities.readers.tables.cells import shown
from activities.readers.tables.formulas import Place, Sheet
from activities.readers.tables.strings import Strings

MAX_ROWS = 1_048_576
"""Rows of a sheet."""

MAX_COLUMNS = 16_384
"""Columns of a sheet."""

MAX_CELLS = 500_000
"""Cells of the sheets of a workbook whose formulas are computed."""

_MERGED = re.compile(rb'<(?:\w+:)?mergeCell [^<>]*?ref="([A-Z]+\d+:[A-Z]+\d+)"')
_FORMULA_END = rb"%s>\s*+<(?:/(?:\w++:)?c>|(?:\w++:)?v\s*+/>|(?:\w++:)?v>%s</)"
_EMPTY = tuple(re.compile(_FORMULA_END % (end, rb"\s*+")) for end in (b"f", b"/"))
_EMPTY_OR_ZERO = tuple(re.compile(_FORMULA_END % (end, rb"(?:\s*+|0)")) for end in (b"f", b"/"))
_READ_BYTES = 1024 * 1024
_OVERLAP = 200  # bytes: longer than one mergeCell element
_LATEST = 3  # rows that may pass before their header is known
_MOST_CHARACTERS = 2_000_000  # of the formulas of a sheet that are computed
_STORED = ("str", "s", "inlineStr", "e")  # a formula's result that is a text, also an empty one, or an error
_TRUE = ("1", "true")


class Style(msgspec.Struct, frozen=True):
    """What a cell's style says of its value."""

    number_format: str
    struck: bool


class Styles:
    """The styles of one workbook, by their numbers."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self.of = lru_cache(maxsize=4096)(self._of)

    def _of(self, number: int) -> Style:
        style, book = self._book._cell_styles[number], self._book
        at = style.numFmtId
        if at < BUILTIN_FORMATS_MAX_SIZE:
            number_format = BUILTIN_FORMATS.get(at, "General")
        else:
            number_format = book._number_formats[at - BUILTIN_FORMATS_MAX_SIZE]
        return Style(number_format, bool(style.fontId and book._fonts[style.fontId].strike))


class Scan(msgspec.Struct):
    """What stands after the rows of a sheet, and has to be known before them."""

    merged: dict[int, list[tuple[int, int, int]]]
    """First row → (first column, last column, last row) of merged cells."""
    without_result: bool
    """Whether there may be formulas without a stored result, which a ``stale`` workbook may write as 0."""


def scan(package: zipfile.ZipFile, path: str, *, stale: bool) -> Scan:
    """Looks through the XML of a sheet. openpyxl omits merged cells when it streams."""
    found = Scan({}, False)
    patterns = _EMPTY_OR_ZERO if stale else _EMPTY
    tail = b""
    with package.open(path) as file:
        while block := file.read(_READ_BYTES):
            text = tail + block
            end = 0
            for match in _MERGED.finditer(text):
                left, top, right, bottom = range_boundaries(match[1].decode("ascii"))
                if left == right or top == bottom:
                    found.merged.setdefault(top, []).append((left, right, bottom))
                end = match.end()
            if not found.without_result:
                found.without_result = any(pattern.search(text) for pattern in patterns)
            tail = text[max(end, len(text) - _OVERLAP) :]
    return found


class SheetParser(WorkSheetParser):  # type: ignore[misc]
    """openpyxl's parser of a sheet, which also finds the cells whose formulas have no stored result.

    ``stale``: the workbook asks to be computed when it is opened; a stored 0 is then what some libraries write
    instead of a result. ``formulas``: whether their texts are wanted.
    """

    def __init__(self, book: Any, source: Any, strings: Strings, *, stale: bool, formulas: bool = False) -> None:
        super().__init__(source, book.shared_strings, data_only=True, epoch=book.epoch,
                         date_formats=book._date_formats, timedelta_formats=book._timedelta_formats)  # fmt: skip
        self._strings = strings
        self._stale = stale
        self._wanted = formulas
        self._characters = 0
        self.pending: dict[Place, str] = {}
        """The cells of formulas without a result in the row that was parsed last."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        """The cell of an element; its value is None where a formula has no stored result."""
        cell: dict[str, Any] = super().parse_cell(element)
        value = cell["value"]
        if value is None or (self._stale and value == 0) or self._wanted:
            formula = element.find(FORMULA_TAG)
            if formula is not None and cell["data_type"] not in _STORED:
                text = self._text(element, formula) if self._wanted else ""
                if value is None or (self._stale and value == 0):
                    cell["value"] = None
                    self.pending[cell["row"], cell["column"]] = text
        if cell["data_type"] == "s" and value is not None and (inline := element.find(INLINE_STRING)) is not None:
            cell["value"] = self._strings.text(inline)
        return cell

    def parse_row(self, row: Any) -> tuple[int, list[dict[str, Any]]]:
        """The number and the cells of a row; what the row before it left is forgotten."""
        self.row_dimensions.clear()
        self.pending.clear()
        parsed: tuple[int, list[dict[str, Any]]] = super().parse_row(row)
        return parsed

    @property
    def is_hidden(self) -> bool:
        """Whether the row that was parsed last is hidden."""
        found = self.row_dimensions.get(str(self.row_counter), {})
        return found.get("hidden") in _TRUE or _is_zero(found.get("ht", ""))

    def hidden_columns(self) -> set[int]:
        """The columns, from 1, that are hidden or have no width."""
        hidden: set[int] = set()
        for column in self.column_dimensions.values():
            if column.get("hidden") in _TRUE or _is_zero(column.get("width", "")):
                first = int(column["min"])
                if first not in hidden:
                    hidden.update(range(first, min(int(column["max"]), MAX_COLUMNS) + 1))
        return hidden

    def _text(self, element: Any, formula: Any) -> str:
        """A formula; empty for one that is very long, broken, or not of one cell."""
        self._characters += len(formula.text or "")
        if self._characters > _MOST_CHARACTERS:
            return ""
        try:
            text = self.parse_formula(element)
        except (TokenizerError, TranslatorError, ValueError, TypeError, IndexError):
            return ""
        self._characters += len(text) if isinstance(text, str) else 0
        return text if isinstance(text, str) else ""


def collected(parser: SheetParser, most: int) -> Sheet:
    """All cells of a sheet, and its formulas without a result; none of a sheet with more cells than ``most``."""
    cells: dict[Place, Any] = {}
    formulas: dict[Place, str] = {}
    for number, row in parser.parse():
        cells.update({(number, cell["column"]): cell["value"] for cell in row if cell["value"] is not None})
        formulas.update(parser.pending)
        if len(cells) + len(formulas) > most:
            return Sheet({}, {})
    return Sheet(cells, formulas)


class Rows:
    """The rows of one sheet. What it found on its way is known when all rows were read.

    ``computed`` gives the value of a formula that has no stored one.
    """

    def __init__(
        self,
        parser: SheetParser,
        styles: Styles,
        merged: dict[int, list[tuple[int, int, int]]],
        computed: Callable[[Place], float | None],
        *,
        skip_hidden: bool,
    ) -> None:
        self._parser = parser
        self._styles = styles
        self._merged = merged
        self._computed = computed
        self._skips = skip_hidden
        self._running: dict[int, tuple[int, str]] = {}  # column → (last row, value) of merged cells
        self._columns: set[int] = set()
        self._visible: list[int] = []
        self._left_out: set[int] = set()
        self.hidden: set[int] = set()
        """Numbers of hidden rows."""
        self.latest: deque[int] = deque(maxlen=_LATEST)
        """Numbers of the last rows that had text."""
        self.labels: dict[int, str] = {}
        """The first texts of rows; filled for the numbers that it holds."""
        self.remarks: Counter[RemarkText] = Counter()

    def __iter__(self) -> Iterator[list[str]]:
        """The texts of each row. The value of vertically merged cells is repeated in each of their rows."""
        last = 0
        for number, cells in self._parser.parse():
            if number > MAX_ROWS:
                raise DamagedDocument(format="xlsx", detail=Phrase.ROWS_BEYOND, limit=MAX_ROWS)
            if number <= last:  # openpyxl passes over rows out of order
                continue
            if last == 0 and self._skips:
                self._hide(self._parser.hidden_columns())
            if number > last + 1:
                yield []
            last = number
            row = self._merge(number, self._texts(cells))
            if self._skips and self._parser.is_hidden:
                self.hidden.add(number)
                self.remarks[RemarkText.HIDDEN_ROWS] += any(row)
                continue
            self._leave_out(row)
            if any(row):
                self.latest.append(number)
                if number in self.labels:
                    self.labels[number] = next(filter(None, row)).strip()
            yield row
        self.remarks[RemarkText.HIDDEN_COLUMNS] += len(self._left_out)

    def _merge(self, number: int, row: list[str]) -> list[str]:
        """The row with the values of merged cells that begin above it."""
        if self._running and any(row):
            self._running = {column: entry for column, entry in self._running.items() if entry[0] >= number}
            for column, (_, value) in self._running.items():
                row += [""] * (column - len(row))
                row[column - 1] = row[column - 1] or value
        for left, right, bottom in self._merged.get(number, ()):
            if left <= len(row) and row[left - 1]:
                if left == right:
                    self._running[left] = (bottom, row[left - 1])
                elif self.is_hidden(left):
                    self._move(row, left, right)
        return row

    def is_hidden(self, column: int) -> bool:
        """Whether a column, from 1, is hidden."""
        return column in self._columns

    def _hide(self, columns: set[int]) -> None:
        self._columns = columns
        self._visible = [0] * (max(columns, default=0) + 2)  # column → the first one from there on that is visible
        for column in range(len(self._visible) - 1, 0, -1):
            self._visible[column] = self._visible[column + 1] if column in columns else column

    def _texts(self, cells: list[dict[str, Any]]) -> list[str]:
        if not cells:
            return []
        row = [""] * cells[-1]["column"]
        for cell in cells:
            value, column = cell["value"], cell["column"]
            if value is None:
                if (cell["row"], column) not in self._parser.pending:
                    continue
                value = self._computed((cell["row"], column))
                if value is None:
                    self.remarks[RemarkText.FORMULAS] += 1
                    continue
            style = self._styles.of(cell["style_id"])
            if style.struck and value != "":
                self.remarks[RemarkText.STRUCK_TEXT] += 1
            elif column <= len(row):
                row[column - 1] = value if isinstance(value, str) else shown(value, style.number_format)
        return row

    def _move(self, row: list[str], left: int, right: int) -> None:
        """The text of cells that are merged across a row is seen, also where their first column is hidden."""
        target = self._visible[left]
        if target > right:
            return
        row += [""] * (target - len(row))
        row[target - 1], row[left - 1] = row[left - 1], row[target - 1]

    def _leave_out(self, row: list[str]) -> None:
        if self._columns:
            for at, text in enumerate(row):
                if text and at + 1 in self._columns:
                    self._left_out.add(at)
                    row[at] = ""


def _is_zero(size: str) -> bool:
    return bool(size) and not size.strip("0.")
