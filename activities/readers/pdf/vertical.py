"""Pages of upright columns: Chinese and Japanese read from top to bottom, from the right column to the left."""

from __future__ import annotations

import re
from itertools import pairwise
from statistics import median

from activities.readers.layout import Line
from activities.readers.pdf.characters import Character, Characters
from activities.readers.pdf.columns import in_columns
from activities.text.scripts import IDEOGRAPHIC

_SIGN = re.compile(f"[{IDEOGRAPHIC}]")
_MOSTLY = 0.3  # the share of a page's characters that are Chinese or Japanese
_FEW = 8


def may_be_vertical(text: str, lines: list[Line]) -> bool:
    """Whether a page has to be looked at: its lines run down, or hold one or two characters each."""
    if len(_SIGN.findall(text)) < max(_FEW, _MOSTLY * len(text)) or not lines:
        return False
    down = sum(len(line.text) for line in lines if line.first - line.last > 0.6 * line.size * (len(line.text) - 1) > 0)
    return 2 * down > sum(len(line.text) for line in lines) or median(len(line.text) for line in lines) <= 2


def vertical_lines(characters: Characters, page: int, width: float, height: float) -> list[Line] | None:
    """The columns of a page as lines of a page turned to the left; None when its text runs across."""
    printed = [character for character in characters.all() if not character.text.isspace()]
    steps = [(b.left - a.left, a.bottom - b.bottom, a.style.size) for a, b in pairwise(printed)]
    down = sum(abs(across) < 0.5 * size and 0.6 * size < step < 2 * size for across, step, size in steps)
    over = sum(0 < across < 2 * size and abs(step) < 0.3 * size for across, step, size in steps)
    columns = _columns(printed)
    if down <= over and not _stand_upright(columns):
        return None
    lines = [_line(run, page, width, height) for column in columns for run in _runs(column)]
    return in_columns(lines) or lines


def _columns(printed: list[Character]) -> list[list[Character]]:
    """The characters by their horizontal position, from the right to the left."""
    columns: list[list[Character]] = []
    for character in sorted(printed, key=lambda item: -(item.left + item.right)):
        first = columns[-1][0] if columns else None
        if first and first.left + first.right - character.left - character.right < first.style.size:
            columns[-1].append(character)
        else:
            columns.append([character])
    return columns


def _stand_upright(columns: list[list[Character]]) -> bool:
    """Whether the columns stand apart more than the characters in them, as upright columns do."""
    across = [a[0].left - b[0].left for a, b in pairwise(columns)]
    down = []
    for column in columns:
        heights = sorted((item.bottom for item in column), reverse=True)
        down += [a - b for a, b in pairwise(heights)]
    return bool(across) and bool(down) and median(across) > 1.2 * median(down)


def _runs(column: list[Character]) -> list[list[Character]]:
    """The characters of a column from top to bottom, cut at gaps of more than one character."""
    runs: list[list[Character]] = []
    for character in sorted(column, key=lambda item: -item.top):
        if runs and runs[-1][-1].bottom - character.top < 1.2 * character.style.size:
            runs[-1].append(character)
        else:
            runs.append([character])
    return [_beside(run) for run in runs]


def _beside(run: list[Character]) -> list[Character]:
    """Figures set side by side within an upright column, from left to right."""
    rows: list[list[Character]] = []
    for character in run:
        if rows and rows[-1][0].top - character.top < 0.3 * character.style.size:
            rows[-1].append(character)
        else:
            rows.append([character])
    return [character for row in rows for character in sorted(row, key=lambda item: item.left)]


def _line(run: list[Character], page: int, width: float, height: float) -> Line:
    size = median(item.style.size for item in run)
    baseline = run[0].left
    return Line(
        text="".join(item.text for item in run),
        page=page,
        left=height - run[0].top,
        right=height - run[-1].bottom,
        first=baseline,
        last=baseline,
        size=max(1.0, size),
        bold=run[0].style.bold and run[-1].style.bold,
        page_height=width,
    )
