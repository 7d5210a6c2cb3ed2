"""Columns of running text side by side, found from the white space that many rows share.

A producer may write row by row through all columns. Cells of a table, labels and lists stand side by side too: only
columns whose lines fill their width and go on in the middle of a sentence are columns of text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import msgspec

from activities.readers.layout import Line
from activities.readers.text import ITEM

GAP = 1.0  # width of the narrowest gutter, in font sizes
_ROWS = 4  # rows that share a gutter
_SAME_ROW = 0.4  # of a font size
_PROSE_WIDTH = 8.0  # font sizes
_FULL, _FULL_SHARE = 0.15, 0.6  # a full line ends in this share of its column's width; the share of lines that are full
_RAGGED = 3.5  # … or in so many font sizes of the edge
_GOES_ON = 0.5  # the share of lines that go on from the line before
_CROSSING = 0.34  # the share of rows between the first and the last row of the columns that cross the gutter
_DEPTH = 4


class _Gap(msgspec.Struct):
    left: float
    right: float
    baseline: float


def in_columns(lines: Sequence[Line], depth: int = _DEPTH) -> list[Line] | None:
    """The lines of a page column by column; None without columns. Lines across a gutter stay between what they part."""
    rows = _rows(lines)
    at = _gutter(rows) if depth and len(rows) >= _ROWS else None
    if at is None:
        return None
    crossing = sorted((line for line in lines if line.left < at < line.right), key=lambda line: -line.first)
    heights = [-line.first for line in crossing]
    sides: list[tuple[list[Line], list[Line]]] = [([], []) for _ in range(len(crossing) + 1)]
    for line in lines:
        if not line.left < at < line.right:
            sides[bisect_left(heights, -line.first)][line.left >= at].append(line)
    ordered: list[Line] = []
    for band, (left, right) in enumerate(sides):
        for side in (left, right):
            ordered += in_columns(side, depth - 1) or _by_rows(side)
        ordered += crossing[band : band + 1]
    return ordered


def _by_rows(lines: Sequence[Line]) -> list[Line]:
    return [line for row in _rows(lines) for line in row]


def _rows(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines from top to bottom, those on one baseline from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: -line.first):
        if rows and rows[-1][0].first - line.first < _SAME_ROW * min(line.size, rows[-1][0].size):
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        row.sort(key=lambda line: line.left)
    return rows


def _gutter(rows: list[list[Line]]) -> float | None:
    """The x position with the most gaps, if there is running text on both sides of it."""
    gaps = [
        _Gap(before.right, after.left, before.first)
        for row in rows
        for before, after in pairwise(row)
        if after.left - before.right >= GAP * max(before.size, after.size)
    ]
    at, shared = _most_shared(gaps)
    if len(shared) < _ROWS:
        return None
    top, bottom = max(gap.baseline for gap in shared), min(gap.baseline for gap in shared)
    between = [line for row in rows if bottom <= row[0].first <= top for line in row]
    crossing = sum(line.left < at < line.right for line in between)
    left = [line for line in between if line.right <= at]
    right = [line for line in between if line.left >= at]
    if crossing > _CROSSING * (len(shared) + crossing) or not all(_has_text(side) for side in (left, right)):
        return None
    return at


def _most_shared(gaps: list[_Gap]) -> tuple[float, list[_Gap]]:
    """The middle of the place that most gaps have in common, with those gaps."""
    edges = sorted([(gap.left, 1) for gap in gaps] + [(gap.right, 0) for gap in gaps])
    open_gaps = most = 0
    start = end = 0.0
    for (x, opens), (after, _) in pairwise([*edges, (edges[-1][0], 0)] if edges else []):
        open_gaps += 1 if opens else -1
        if open_gaps > most:
            most, start, end = open_gaps, x, after
    at = (start + end) / 2
    return at, [gap for gap in gaps if gap.left <= at <= gap.right]


def _has_text(lines: list[Line]) -> bool:
    """Whether lines on one side of a gutter, in one column or more, are running text."""
    columns = _stacks(lines)
    return any(_is_prose(column) for column in columns) and not any(_is_narrow(column) for column in columns)


def _stacks(lines: list[Line]) -> list[list[Line]]:
    """The lines by the place at which they begin, places that overlap taken together."""
    stacks: list[list[Line]] = []
    right = 0.0
    for line in sorted(lines, key=lambda line: line.left):
        if stacks and line.left < right:
            stacks[-1].append(line)
            right = max(right, line.right)
        else:
            stacks.append([line])
            right = line.right
    return stacks


def _is_narrow(lines: list[Line]) -> bool:
    """Whether this is a column of labels, numbers or list markers."""
    return len(lines) >= _ROWS and median(line.right - line.left for line in lines) < _PROSE_WIDTH * lines[0].size


def _is_prose(lines: list[Line]) -> bool:
    if len(lines) < _ROWS or _is_narrow(lines):
        return False
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    size = median(line.size for line in lines)
    edge = right - max(_FULL * (right - left), _RAGGED * size)
    goes_on = sum(_goes_on(line.text) for line in lines[1:])
    full = sum(line.right >= edge for line in lines)
    return full >= _FULL_SHARE * len(lines) and goes_on >= _GOES_ON * (len(lines) - 1)


def _goes_on(text: str) -> bool:
    return not (text[0].isupper() or text[0].isdigit() or ITEM.match(text))
