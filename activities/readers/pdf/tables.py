"""Puts the tables of a PDF page in the place of the lines that they consist of.

Most pages have no table, and their lines show it: a page is looked at more closely only when several lines near one
another have wide gaps, or when the text jumps back and forth as it does between the cells of a table.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Any

from activities.readers.layout import Line, PrintedTable
from activities.readers.pdf.fields import Field
from activities.readers.pdf.page import Page
from activities.readers.pdf.ruled import Table, ruled
from activities.readers.pdf.rules import rules
from activities.readers.pdf.unruled import unruled
from activities.readers.pdf.words import Word, line_text, rows, words
from activities.readers.running import in_margin

_WIDER = 1.2  # than the usual line with so many letters: it has gaps
_GAPS, _GAPS_WITHIN = 3, 7  # so many of such lines among so many; or two, one below the other
_JUMPS, _JUMPS_WITHIN = 2, 40  # so many steps to the right among so many lines
_RISE = 8.0  # font sizes: a step to the next column of text is higher
_BUCKET = 4.0  # points


class Tables:
    """Finds the tables of the pages of one document, in their order."""

    def __init__(self) -> None:
        self._open = False

    def completed(self, page: Any, content: Page, lines: list[Line]) -> list[Line]:
        """The lines of the next page; those of its tables are replaced by one line that has the table."""
        if self._open or _may_hold(lines):
            lines = _with_tables(page, content, lines)
        body = [line for line in lines if not in_margin(line)]
        self._open = bool(body) and body[-1].table is not None  # it may go on with a single row
        return lines


def _with_tables(page: Any, content: Page, lines: list[Line]) -> list[Line]:
    found = rules(page)
    if found is None:
        return lines
    everything = words(content.characters)
    entered = [(_word(field), field) for field in content.fields if field.value]
    tables = list(ruled([*everything, *(word for word, _ in entered)], found))
    taken = {id(word) for table in tables for word in table.words}
    for word, field in entered:
        field.placed = id(word) in taken
    rest = [word for word in everything if id(word) not in taken] if taken else everything
    tables += unruled([word for word in rest if not _is_label(word, content)] if content.fields else rest, found)
    return _replaced(lines, everything, tables) if tables else lines


def _word(field: Field) -> Word:
    """The value of a field as a word in its place."""
    size = max(1.0, min(10.0, field.top - field.bottom))
    return Word(field.value, field.left, field.right, max(field.bottom, field.top - 1.2 * size), size, False)


def _is_label(word: Word, content: Page) -> bool:
    """Whether a word stands beside a field of a form."""
    return any(field.is_beside(word.baseline, word.size) for field in content.fields)


def _may_hold(lines: list[Line]) -> bool:
    if len(lines) < 2:
        return False
    widths = [_width(line) for line in lines]
    usual = min(1.0, median(widths))
    gaps = [
        number
        for number, (line, width) in enumerate(zip(lines, widths, strict=True))
        if width > _WIDER * usual and line.right - line.left > 8 * line.size and "…" not in line.text
    ]
    jumps = [number for number, (before, line) in enumerate(pairwise(lines)) if _is_jump(before, line)]
    return _are_near(gaps, _GAPS, _GAPS_WITHIN) or _are_near(gaps, 2, 2) or _are_near(jumps, _JUMPS, _JUMPS_WITHIN)


def _is_jump(before: Line, line: Line) -> bool:
    """Whether a line stands to the right of the one before it, at the same height or a little higher."""
    rise = (line.first - before.last) / line.size
    return -0.3 < rise < _RISE and line.left - before.left > line.size and line.left - before.right > -2 * line.size


def _width(line: Line) -> float:
    """Width of a line compared with that of its characters, when a letter is half as wide as it is high."""
    narrow = len(line.text.encode("ascii", "ignore"))
    return (line.right - line.left) / (line.size * (len(line.text) - 0.5 * narrow))


def _are_near(numbers: list[int], count: int, within: int) -> bool:
    return any(last - first < within for first, last in zip(numbers, numbers[count - 1 :], strict=False))


def _replaced(lines: list[Line], everything: list[Word], tables: list[Table]) -> list[Line]:
    """The lines without the words of tables, and each table where its first line was."""
    owner = {id(part): number for number, table in enumerate(tables) for part in _with_marks(table.words)}
    parts = _with_marks(everything)
    inside = _Places(part for part in parts if id(part) in owner)
    rest = _Places(part for part in parts if id(part) not in owner)
    result: list[Line] = []
    shown: set[int] = set()
    for line in lines:
        taken = [] if _is_stamp(line, inside, rest) else inside.take(line)
        if not taken:
            result.append(line)
            continue
        for number in sorted({owner[id(word)] for word in taken} - shown):
            shown.add(number)
            result.append(_table_line(tables[number], line))
        result += [_line(row, line) for row in rows(word for word in rest.take(line) if word.text)]
    return result


def _is_stamp(line: Line, *places: _Places) -> bool:
    """Whether a line runs across others: turned by a quarter, or rising or falling, with none of the words there."""
    if line.size <= 1:
        return True
    if abs(line.last - line.first) <= 0.5 * line.size:
        return False
    there = Counter("".join(word.text for place in places for word in place.take(line, leave=True)))
    missing = Counter(line.text.replace(" ", "")) - there
    return 2 * missing.total() > len(line.text)


def _with_marks(found: list[Word]) -> list[Word]:
    return [*found, *(mark for word in found for mark in word.marks)]


class _Places:
    """Words by their place on the page."""

    def __init__(self, found: Iterable[Word]) -> None:
        self._words: dict[int, list[Word]] = defaultdict(list)
        for word in found:
            self._words[int(word.baseline // _BUCKET)].append(word)
        for near in self._words.values():
            near.sort(key=_middle)

    def take(self, line: Line, *, leave: bool = False) -> list[Word]:
        """The words that a line consists of; they are taken away unless they are to be left."""
        slack = 0.4 * line.size
        low, high = min(line.first, line.last) - slack, max(line.first, line.last) + slack
        taken: list[Word] = []
        for bucket in range(int(low // _BUCKET), int(high // _BUCKET) + 1):
            near = self._words.get(bucket)
            if not near:
                continue
            start = bisect_left(near, line.left - 1, key=_middle)
            end = bisect_left(near, line.right + 1, key=_middle)
            found = [word for word in near[start:end] if low <= word.baseline <= high]
            taken += found
            if found and not leave:
                near[start:end] = [word for word in near[start:end] if not low <= word.baseline <= high]
        return taken


def _middle(word: Word) -> float:
    return word.middle


def _line(row: list[Word], like: Line) -> Line:
    return Line(
        text=line_text(row),
        page=like.page,
        left=row[0].left,
        right=max(word.right for word in row),
        first=row[0].baseline,
        last=row[-1].baseline,
        size=max(word.size for word in row),
        bold=all(word.bold for word in row),
        page_height=like.page_height,
    )


def _table_line(table: Table, like: Line) -> Line:
    return Line(
        text=" ".join(_texts(table)),
        page=like.page,
        left=min(word.left for word in table.words),
        right=max(word.right for word in table.words),
        first=max(word.baseline for word in table.words),
        last=min(word.baseline for word in table.words),
        size=median(word.size for word in table.words),
        bold=False,
        page_height=like.page_height,
        table=PrintedTable(rows=table.rows, columns=table.columns),
    )


def _texts(table: Table) -> Iterable[str]:
    return (cell.text for row in table.rows for cell in row if cell.text)
