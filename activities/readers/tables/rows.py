"""Rows of cells (sheets, csv) as elements: one per row, each value with the name of its column.

``Team: Blues | Location: STL`` can be quoted on its own, whereas ``Blues | STL`` needs the header, which in a table
of 100,000 rows is in another passage. Repeating the column names costs tokens and helps both dense and keyword
search, because each row contains the words of the header. Rows stay separate elements, so that chunks end between
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain, groupby, islice

from activities.contracts.documents import Element
from activities.errors import DocumentTooLarge
from activities.phrases import Phrase
from activities.readers.tables import headings

Row = Sequence[str]

_MAX_CAPTION = 100
_MAX_COLUMNS = 16_384  # as many as a spreadsheet can have
_HEADER_ROWS = 3  # rows examined to find the header: a row of groups, the names, and a row of values


def _ignore(names: list[str], count: int) -> None:
    pass


def elements_of(
    rows: Iterable[Row], level: int = 1, headed: Callable[[list[str], int], None] = _ignore
) -> Iterator[Element]:
    """The elements of a sheet. Empty rows separate tables; ``level`` is the heading level of a table's caption.

    ``headed`` is told the names of each table's columns, and how many of its rows were read by then. A table without
    a header of its own continues under the header of the table before. Raises DocumentTooLarge.
    """
    names: list[str] = []
    trimmed = ([" ".join(cell.split()) for cell in _checked(row)] for row in rows)
    for filled, block in groupby(trimmed, key=any):
        if filled:
            names = yield from _block(block, names, level, headed)


def _checked(row: Row) -> Row:
    if len(row) > _MAX_COLUMNS:
        raise DocumentTooLarge(detail=Phrase.TOO_MANY_COLUMNS, columns=len(row), limit=_MAX_COLUMNS)
    return row


def _block(
    block: Iterator[list[str]], before: list[str], level: int, headed: Callable[[list[str], int], None]
) -> Generator[Element, None, list[str]]:
    """Yields the elements of consecutive non-empty rows; returns the names of their columns."""
    captions: list[str] = []
    for row in block:
        if _width(row) > 1:
            block = chain([row], block)
            break
        captions.append("".join(row))
    else:
        yield from (Element(text=caption) for caption in captions)
        return before
    titled = len(captions) == 1 and len(captions[0]) <= _MAX_CAPTION
    for caption in captions:
        yield Element(text=caption, kind="title", level=level) if titled else Element(text=caption)
    start = list(islice(block, _HEADER_ROWS))
    names, skip = _header(start, before)
    headed(names, len(start))
    for row in chain(start[skip:], block):
        yield Element(text=_line(names, row), kind="table")
    return names


def _width(row: list[str]) -> int:
    return sum(1 for cell in row if cell)


def _line(names: list[str], row: list[str]) -> str:
    """One row as text: ``name: value`` per cell, or only the value where the column has no name."""
    count = len(names)
    return " | ".join(
        f"{names[at]}: {cell}" if at < count and names[at] else cell for at, cell in enumerate(row) if cell
    )


def _header(start: list[list[str]], before: list[str]) -> tuple[list[str], int]:
    """The column names and the number of header rows; no names when no row resembles a header."""
    first, following = start[0], start[1:]
    if not following or not headings.names_columns(first, following):
        return (before if _same_columns(before, first) else []), 0
    second = following[0]
    grouped = len(start) > 2 and headings.names_columns(second, start[2:], distinct=False)
    if grouped and _width(first) < _width(second) and headings.has_values_under(second, start[2]):
        return _joined(first, second), 2
    corner = next(at for at, cell in enumerate(first) if cell)
    if sum(at >= corner for at in _columns(second) - _columns(first)) > 1:
        return [], 0
    if _same_columns(before, first) and not any(headings.has_values_under(first, row) for row in following):
        return before, 0
    return list(first), 1


def _columns(row: list[str]) -> set[int]:
    return {at for at, cell in enumerate(row) if cell}


def _same_columns(names: list[str], row: list[str]) -> bool:
    return bool(names) and _columns(row) <= _columns(names)


def _joined(groups: list[str], names: list[str]) -> list[str]:
    """Column names that combine a row of merged group cells with the row below: ``2024`` over ``Q1``, ``Q2``."""
    joined, group = [], ""
    for at, name in enumerate(names):
        own = groups[at] if at < len(groups) else ""
        group = own or group
        joined.append(f"{group} {name}" if group and name else name or own)
    return joined
