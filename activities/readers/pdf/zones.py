"""The zones of a page in which tables are looked for: its columns of running text, or all of it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, groupby
from typing import NamedTuple

from activities.readers.pdf.parts import FEWEST, Part, Row, parted
from activities.readers.pdf.words import Word, rows

_GUTTER = 0.9  # font sizes between the columns of a page
_PROSE, _PROSE_LINES = 25, 8  # characters of a line of running text, and so many of these lines make a column
_WIDEST = 20_000  # points of a page


def zones(page: Iterable[Word]) -> list[list[Word]]:
    """The words of a page; those of its two columns apart where it is printed in columns of running text."""
    lines = [parted(row, _GUTTER) for row in rows(page)]
    everything = [word for row in lines for word in row.words()]
    gutter = _gutter([part for row in lines for part in row.parts], len(lines))
    if gutter is None:
        return [everything]
    across: list[Word] = []
    before: list[Word] = []
    behind: list[Word] = []
    for whole, group in groupby(lines, key=lambda row: _is_whole(row, gutter)):
        run = list(group)
        parts = [part for row in run for part in row.parts]
        if whole and sum(1 for row in run if len(row.parts) > 1) >= FEWEST:
            across += [word for part in parts for word in part.words]
            continue
        for part in parts:
            (before if part.left < gutter.at else behind).extend(part.words)
    return [across, before, behind]


class _Gutter(NamedTuple):
    at: float
    width: float  # of the text on the page


def _is_prose(part: Part, gutter: _Gutter) -> bool:
    """Whether a part is a full line of running text in one of two columns."""
    inside = part.right < gutter.at or part.left > gutter.at
    return inside and part.right - part.left > 0.4 * gutter.width and len(part.text) > _PROSE


def _is_whole(row: Row, gutter: _Gutter) -> bool:
    """Whether a row may be one of a table that is as wide as the page."""
    if len(row.parts) == 1:
        return len(row.parts[0].text) <= _PROSE
    return not any(_is_prose(part, gutter) for part in row.parts)


def _gutter(parts: list[Part], lines: int) -> _Gutter | None:
    """Where two columns of running text part; None for a page that has none."""
    if not parts:
        return None
    left, right = min(part.left for part in parts), max(part.right for part in parts)
    width = right - left
    if not 0 < width < _WIDEST:
        return None
    changes = [0] * (int(width) + 3)
    for part in parts:
        changes[int(part.left - left)] += 1
        changes[int(part.right - left) + 1] -= 1
    cover = list(accumulate(changes))
    middle = range(int(0.38 * width), int(0.62 * width) + 1)
    lowest = min(cover[place] for place in middle)
    free = [place for place in middle if cover[place] == lowest]
    gutter = _Gutter(left + free[len(free) // 2], width)
    sides = [part.right < gutter.at for part in parts if _is_prose(part, gutter)]
    if lowest > 0.1 * lines or min(sides.count(True), sides.count(False)) < _PROSE_LINES:
        return None
    return gutter
