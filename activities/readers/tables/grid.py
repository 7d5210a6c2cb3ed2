"""Tables of documents (docx, html, pptx, …): merged cells fill their places, several header rows become one line.

A table is one element with one line per row: ``Building | Room | Open``. A line can be quoted alone, because each place
that a merged cell covers holds that cell's text; a long table is split between its rows, under its first line.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile, zip_longest

import msgspec

from activities.contracts.documents import Element
from activities.errors import DocumentTooLarge
from activities.phrases import Phrase

MAX_COLUMNS = 16_384
"""As many as a spreadsheet can have."""

MAX_FILLED = 10_000_000
"""Characters, with the marks between cells, in the places of one table that have no cell of their own."""

_MARK = " | "
_HEADER_ROWS = 5  # of one table; where more are marked, the mark does not mean a header
_YEAR = re.compile(r"(?:19|20)\d\d")
_LABEL = re.compile(r"(?<=\S[:：]) \| ")


class Cell(msgspec.Struct, frozen=True):
    """A cell as a table's source holds it: the other places that it covers, right of it and below, have no cell."""

    text: str
    rows: int = 1
    columns: int = 1
    header: bool = False


class _Span(msgspec.Struct, frozen=True):
    """A cell in one of its rows, from column ``start`` up to column ``stop``."""

    start: int
    stop: int
    cell: Cell
    first: bool  # this row is the cell's first
    last: int  # number of the cell's last row


_Row = list[_Span]


def table_elements(rows: Iterable[Sequence[Cell]], *, caption: str = "", page: int | None = None) -> list[Element]:
    """A table as an element, after its caption and the titles in its first rows. Raises DocumentTooLarge.

    Rows without a text of their own are left out. A span may reach beyond the table, which does not grow by it.
    """
    placed = [row for row in _placed(rows) if any(span.first and span.cell.text for span in row)]
    columns = sorted({span.start for row in placed for span in row})
    titles = list(takewhile(lambda row: _is_wide(row, columns), placed[:-1]))
    texts = [" ".join(caption.split()), *(row[0].cell.text for row in titles)]
    elements = [Element(text=text, page=page) for text in texts if text]
    if body := placed[len(titles) :]:
        elements.append(Element(text="\n".join(_lines(body, columns)), kind="table", page=page))
    return elements


def _placed(rows: Iterable[Sequence[Cell]]) -> Iterator[_Row]:
    """The cells of each row and those that reach into it from above, by column."""
    above: _Row = []
    filled = 0
    for number, row in enumerate(rows):
        placed: _Row = []
        reaching, column = iter(above), 0
        below = next(reaching, None)
        for cell in row:
            while below is not None and below.start <= column:
                placed.append(below)
                column, below = below.stop, next(reaching, None)
            if column >= MAX_COLUMNS:
                raise DocumentTooLarge(detail=Phrase.TOO_MANY_COLUMNS, columns=column + 1, limit=MAX_COLUMNS)
            stop = min(column + max(1, cell.columns), below.start if below else MAX_COLUMNS)
            tidy = msgspec.structs.replace(cell, text=" ".join(cell.text.split()))
            placed.append(_Span(column, stop, tidy, first=True, last=number + max(1, cell.rows) - 1))
            column = stop
        if below is not None:
            placed += [below, *reaching]
        filled = _checked(filled + sum(_size(span.cell.text) for span in placed if not span.first))
        yield placed
        above = [msgspec.structs.replace(span, first=False) for span in placed if span.last > number]


def _size(text: str, places: int = 1) -> int:
    return (len(text) + len(_MARK)) * places


def _checked(filled: int) -> int:
    if filled > MAX_FILLED:
        raise DocumentTooLarge(detail=Phrase.MERGED_CELLS, limit=MAX_FILLED)
    return filled


def _is_wide(row: _Row, columns: list[int]) -> bool:
    """Whether one cell is the whole row of a table with several columns."""
    return len(columns) > 1 and len(row) == 1 and _places(row[0], columns) == len(columns)


def _places(span: _Span, columns: list[int]) -> int:
    return bisect_left(columns, span.stop) - bisect_left(columns, span.start)


def _lines(rows: list[_Row], columns: list[int]) -> Iterator[str]:
    """The lines of a table: one for the header, one for each other row."""
    filled = list(_filled(rows, columns))
    if not _is_marked(rows[0]) and _LABEL.search(_MARK.join(filled[0][:2])):
        yield from (_LABEL.sub(" ", _MARK.join(texts)) for texts in filled)
    elif all(_is_labelled(row) or _is_wide(row, columns) for row in rows):
        yield from (f"{texts[0].rstrip(':：')}: {texts[1]}" if len(texts) > 1 else texts[0] for texts in filled)
    else:
        count = _header_rows(rows, filled, columns)
        yield _MARK.join(" ".join(dict.fromkeys(filter(None, parts))) for parts in zip_longest(*filled[:count]))
        yield from (_MARK.join(texts) for texts in filled[count:])


def _filled(rows: Iterable[_Row], columns: list[int]) -> Iterator[list[str]]:
    """The texts of each row, by column. A column in which no cell begins would repeat another: it is left out."""
    filled = 0
    for row in rows:
        if _is_wide(row, columns):
            yield [row[0].cell.text]
            continue
        texts: list[str] = []
        for span in row:
            gap, places = bisect_left(columns, span.start) - len(texts), _places(span, columns)
            filled = _checked(filled + _size("", gap) + _size(span.cell.text, places - 1))
            texts += [""] * gap + [span.cell.text] * places
        yield texts


def _is_marked(row: _Row) -> bool:
    """Whether all cells of a row are marked as headers; the one in the corner may be an empty one instead."""
    return all(span.cell.header or not (span.start or span.cell.text) for span in row if span.first)


def _is_labelled(row: _Row) -> bool:
    """Whether a row is a label, marked as a header, and a value."""
    return len(row) == 2 and row[0].cell.header and not row[1].cell.header


def _header_rows(rows: list[_Row], filled: list[list[str]], columns: list[int]) -> int:
    """The number of header rows: those that are marked, else those that groups in the first row tell, else one."""
    marked = sum(1 for _ in takewhile(lambda row: _is_marked(row) and not _is_wide(row, columns), rows))
    if marked:
        return marked if marked < len(rows) and marked <= _HEADER_ROWS else 1
    count = 1 + sum(1 for _ in takewhile(lambda row: any(not span.first for span in row), rows[1:]))
    count = max(2, min(count, _HEADER_ROWS))
    return count if count < len(rows) and _is_grouped(rows[0], filled[:count], columns) else 1


def _is_grouped(first: _Row, filled: list[list[str]], columns: list[int]) -> bool:
    """Whether cells of the first row span the names in the rows below it, and other columns have one name each."""
    grouped = False
    alone = [span for span in first if _places(span, columns) == 1]
    framed = bool(alone) and all(span.cell.rows > 1 for span in alone)  # then numbers below groups are names too
    names = [list(texts) for texts in zip_longest(*filled, fillvalue="")]
    for span in first:
        start = bisect_left(columns, span.start)
        below = names[start : start + _places(span, columns)]
        if len(below) > 1:
            last = {texts[-1] for texts in below}
            grouped = bool(span.cell.text) and len(last) == len(below) and all(_is_name(text, framed) for text in last)
            if not grouped:
                return False
        elif any(len(set(filter(None, texts))) > 1 for texts in below):
            return False
    return grouped


def _is_name(text: str, framed: bool) -> bool:
    return (
        any(map(str.isalpha, text)) or _YEAR.fullmatch(text) is not None or (framed and text != "" and ":" not in text)
    )
