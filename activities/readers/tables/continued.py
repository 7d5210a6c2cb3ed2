"""Printed tables that go on at the top of the next page become one."""

from __future__ import annotations

from itertools import zip_longest

from activities.readers.layout import Line, PrintedTable
from activities.readers.running import in_margin

_NEAR = 4.0  # points between the edges of columns that are the same
_SHIFT = 60.0  # points: even and odd pages have other margins
_HEADER_ROWS = 5


def continued(pages: list[list[Line]]) -> list[list[Line]]:
    """The lines of each page, without the tables that are now part of one that begins on an earlier page."""
    open_table: PrintedTable | None = None
    result = []
    for page in pages:
        body = [line for line in page if not in_margin(line)]
        first = body[0].table if body else None
        dropped = None
        if open_table is not None and first is not None and _same_columns(open_table, first):
            open_table.rows += first.rows[_repeated(open_table, first) :]
            dropped = body[0]
        result.append([line for line in page if line is not dropped])
        if body and body[-1] is not dropped:
            open_table = body[-1].table
    return result


def _same_columns(above: PrintedTable, below: PrintedTable) -> bool:
    if len(above.columns) != len(below.columns):
        return False
    shift = below.columns[0][0] - above.columns[0][0]
    if abs(shift) > _SHIFT:
        return False
    return all(
        _meet(one, (left - shift, right - shift))
        for one, (left, right) in zip(above.columns, below.columns, strict=True)
    )


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two columns begin, end or are centred at one place."""
    left, right = other[0] - one[0], other[1] - one[1]
    return min(abs(left), abs(right), abs(left + right) / 2) <= _NEAR


def _repeated(above: PrintedTable, below: PrintedTable) -> int:
    """The number of rows at the top of the lower table that repeat those at the top of the upper one."""
    for number, (row, other) in enumerate(zip_longest(above.rows[:_HEADER_ROWS], below.rows[:_HEADER_ROWS])):
        if row is None or other is None or [cell.text for cell in row] != [cell.text for cell in other]:
            return number
    return 0
