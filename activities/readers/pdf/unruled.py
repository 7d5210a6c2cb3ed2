"""Tables without rules around their cells: rows of short texts that leave the same gaps free.

Columns of prose, lists, tables of contents and addresses leave gaps free too. What is a table has to show it: three
rows or more, short cells, and a column of values, a bold header, labels with colons or rules between its rows.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, reduce
from itertools import accumulate, groupby, pairwise
from statistics import median
from typing import NamedTuple

import msgspec

from activities.readers.pdf.ruled import Table
from activities.readers.pdf.rules import Rules
from activities.readers.pdf.words import Word, cell_text, is_value, line_text, rows
from activities.readers.tables.grid import Cell

_WIDE = 0.5  # font sizes: a space is narrower
_TYPED = 1.0  # the same in type whose characters, the space too, have one width
_GUTTER = 0.9  # font sizes between the columns of a page
_FREE = 0.35  # font sizes between columns
_GAPPED = 0.3  # empty places in a row of a table in such type, on average
_APART = 2.6  # font sizes from row to row
_FEWEST, _TRIES = 3, 4  # rows of a table; rows at which it is tried to begin one
_MOST_COLUMNS = 60
_SHORT, _LONG = 32, 90  # characters of a cell
_PROSE, _PROSE_LINES = 25, 8  # characters of a line of running text, and so many of these lines make a column
_WIDEST = 20_000  # points of a page
_ITEM = re.compile(r"(?:[•●▪■◦‣·–—*-]|[(（]?\w{1,3}[.)）、])")
_OPERATORS = frozenset("=≈≡≠≤≥<>+×→⇒∝")
_LEADERS = re.compile(r"(?:\.\s?){4}|…|·{4}")


class _Part(msgspec.Struct, dict=True):
    """Words of a row with no wide gap between them."""

    words: list[Word]
    left: float
    right: float

    @cached_property
    def text(self) -> str:
        return line_text(self.words)


class _Row(msgspec.Struct):
    """The parts of a row, from left to right."""

    parts: list[_Part]
    baseline: float
    size: float
    bold: bool

    def words(self) -> list[Word]:
        return [word for part in self.parts for word in part.words]


_Columns = list[tuple[float, float]]


def unruled(page: list[Word], found: Rules) -> Iterator[Table]:
    """The tables of a page among the words that stand in no ruled one, from top to bottom."""
    for zone in _zones([_row(row, _GUTTER) for row in rows(page)]):
        lines = [_row(row) for row in rows(zone)]
        if sum(1 for row in lines if len(row.parts) > 1) >= _FEWEST:
            yield from _tables(lines, found)


def _tables(lines: list[_Row], found: Rules) -> Iterator[Table]:
    start = tries = 0
    while start < len(lines):
        end, columns = _block(lines, start)
        tries += 1
        block = lines[start:end] if end - start >= _FEWEST else []
        block = [row for number, row in enumerate(block, start) if not _is_overprint(lines, number)]
        if len(block) >= _FEWEST and _is_table(block, columns, found):
            words = [word for row in block for word in row.words()]
            yield Table(_cells(block, columns, found), words, columns)
        elif tries < _TRIES and end - start > 1:
            start += 1  # lines above a table may stand in its way
            continue
        start, tries = end, 0


def _zones(lines: list[_Row]) -> list[list[Word]]:
    """The words of a page; those of its two columns apart where it is printed in columns of running text."""
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
        if whole and sum(1 for row in run if len(row.parts) > 1) >= _FEWEST:
            across += [word for part in parts for word in part.words]
            continue
        for part in parts:
            (before if part.left < gutter.at else behind).extend(part.words)
    return [across, before, behind]


class _Gutter(NamedTuple):
    at: float
    width: float  # of the text on the page


def _is_prose(part: _Part, gutter: _Gutter) -> bool:
    """Whether a part is a full line of running text in one of two columns."""
    inside = part.right < gutter.at or part.left > gutter.at
    return inside and part.right - part.left > 0.4 * gutter.width and len(part.text) > _PROSE


def _is_whole(row: _Row, gutter: _Gutter) -> bool:
    """Whether a row may be one of a table that is as wide as the page."""
    if len(row.parts) == 1:
        return len(row.parts[0].text) <= _PROSE
    return not any(_is_prose(part, gutter) for part in row.parts)


def _gutter(parts: list[_Part], lines: int) -> _Gutter | None:
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


def _row(words: list[Word], wide: float = _WIDE) -> _Row:
    size = _size(words)
    cuts = _cuts(words, wide * size)
    if cuts and wide < _TYPED and _is_typed(words):
        cuts = _cuts(words, _TYPED * size)
    groups = [words[begin:end] for begin, end in pairwise([0, *cuts, len(words)])] if cuts else [words]
    parts = [_Part(group, group[0].left, max([word.right for word in group])) for group in groups]
    return _Row(parts, words[0].baseline, size, all(word.bold for word in words))


def _size(words: list[Word]) -> float:
    sizes = {word.size for word in words}
    return sizes.pop() if len(sizes) == 1 else median(word.size for word in words)


def _cuts(words: list[Word], gap: float) -> list[int]:
    """The numbers of the words that stand apart from the word before by more than a gap."""
    return [number for number, (before, word) in enumerate(pairwise(words), 1) if word.left - before.right > gap]


def _is_typed(words: list[Word]) -> bool:
    """Whether the words are set in characters of one width, as typewriters and terminals have."""
    widths = [(word.right - word.left) / len(word.text) / word.size for word in words if len(word.text) > 1]
    return len(widths) > 1 and min(widths) > 0.48 and max(widths) < 0.65 and max(widths) - min(widths) < 0.006


def _block(lines: list[_Row], start: int) -> tuple[int, _Columns]:
    """Where the rows end that leave the same gaps free as the first of them, and their columns."""
    columns = _spans(lines[start])
    end = start + 1
    if not 1 < len(columns) <= _MOST_COLUMNS:
        return end, columns
    for number in range(start + 1, len(lines)):
        row, above = lines[number], lines[number - 1]
        if above.baseline - row.baseline > _APART * max(row.size, above.size):
            break
        place = _column(columns, row.parts[0])
        if len(row.parts) == 1 or row.parts[0].right - row.parts[0].left > 0.7 * (columns[-1][1] - columns[0][0]):
            if place is None or (place == 0 and _heads(lines, number)):
                break
            if place and _wraps(lines[number - 1], row):
                end = number + 1 if end == number else end
            continue  # part of the table when a row follows
        wider = _with(columns, row)
        if len(wider) < len(columns):
            if number > start + 1:
                break
            wider = _spans(row)  # the first row may have cells above several columns
        if len(wider) > _MOST_COLUMNS:
            break
        columns, end = wider, number + 1
    below = [row for row in lines[start + 1 : end] if len(row.parts) > 1]
    if len(below) >= _FEWEST - 1:
        body = reduce(_with, below[1:], _spans(below[0]))  # cells of the first row may stand above several columns
        columns = body if len(body) > len(columns) else columns
    return end, columns


def _is_overprint(lines: list[_Row], number: int) -> bool:
    """Whether a row of one part is printed over others: a remark or a stamp."""
    row = lines[number]
    beside = [*lines[max(0, number - 1) : number], *lines[number + 1 : number + 2]]
    return len(row.parts) == 1 and any(
        abs(row.baseline - other.baseline) < 0.9 * row.size
        and row.parts[0].left < other.parts[-1].right
        and other.parts[0].left < row.parts[0].right
        for other in beside
    )


def _heads(lines: list[_Row], number: int) -> bool:
    """Whether a row of one part is the heading of what follows: it stands out, and the row below has names only."""
    row, above = lines[number], lines[number - 1]
    after = lines[number + 1] if number + 1 < len(lines) else None
    if after is None or len(after.parts) < 2:
        return True
    stands_out = (row.bold and not above.bold) or row.size > 1.08 * above.size
    return stands_out and not any(is_value(part.text) for part in after.parts)


def _wraps(above: _Row, row: _Row) -> bool:
    return above.baseline - row.baseline < 1.5 * max(row.size, above.size)


def _spans(row: _Row) -> _Columns:
    return [(part.left, part.right) for part in row.parts]


def _with(columns: _Columns, row: _Row) -> _Columns:
    """The columns, as wide as the parts of a row make them; those are one that it leaves no gap between."""
    wide: _Columns = []
    for left, right in sorted([*columns, *_spans(row)]):
        if wide and left - wide[-1][1] < _FREE * row.size:
            wide[-1] = (wide[-1][0], max(wide[-1][1], right))
        else:
            wide.append((left, right))
    return wide


def _column(columns: _Columns, part: _Part) -> int | None:
    """The column in which a part begins, within a font size."""
    index = bisect_left(columns, part.left + part.words[0].size, key=lambda column: column[0]) - 1
    if index < 0 or part.left > columns[index][1]:
        return None
    return index


def _place(columns: _Columns, part: _Part) -> tuple[int, int]:
    """The first and the last column that a part stands in or, when it stands between columns, the nearest."""
    first = bisect_left(columns, part.left, key=lambda column: column[1])
    last = bisect_left(columns, part.right, key=lambda column: column[0]) - 1
    return (first, last) if first <= last else (max(0, last), max(0, last))


def _is_table(block: list[_Row], columns: _Columns, found: Rules) -> bool:
    strong = [row for row in block if len(row.parts) > 1]
    if len(strong) < _FEWEST or len(columns) < 2:
        return False
    grid = [_texts(row, columns) for row in strong]
    if any(_is_typed(row.words()) for row in strong) and sum(row.count("") for row in grid) > _GAPPED * len(grid):
        return False  # code
    if not _is_short(grid) or _is_other(grid):
        return False
    body = grid[1:]
    values = [_share(is_value, [row[column] for row in body]) for column in range(len(columns))]
    labels = max(_share(_is_label, [row[column] for row in grid]) for column in range(len(columns) - 1))
    headed = strong[0].bold and not any(row.bold for row in strong[1:3])
    if labels > 0.6 or (len(columns) == 2 and values[1] > 0.7 and values[0] < 0.7):
        return True
    if len(columns) > 2 and max(values) > 0.6:
        return True
    lined = len(columns) > 2 and len(_across(block, columns, found)) > 2
    return (headed or lined) and not _is_running(body)


def _is_short(grid: list[list[str]]) -> bool:
    """Whether most places have a text and most texts are short."""
    texts = [text for row in grid for text in row if text]
    lengths = sorted(len(text) for text in texts)
    return (
        len(texts) >= 0.55 * len(grid) * len(grid[0])
        and lengths[len(lengths) // 2] <= _SHORT
        and lengths[len(lengths) * 9 // 10] <= _LONG
        and any(map(_has_letters, texts))
    )


def _is_other(grid: list[list[str]]) -> bool:
    """Whether the rows are a list, a table of contents or equations."""
    columns = list(zip(*grid, strict=True))
    if sum(1 for row in grid for text in row if _LEADERS.search(text)) > 1:
        return True
    if any(_share(_OPERATORS.__contains__, column) > 0.6 for column in columns):
        return True
    if len(columns) == 2 and _share(lambda text: _ITEM.fullmatch(text) is not None, columns[0]) > 0.5:
        return True
    return _is_contents([text for text in columns[-1] if text], len(columns))


def _texts(row: _Row, columns: _Columns) -> list[str]:
    texts = [""] * len(columns)
    for part in row.parts:
        first, _ = _place(columns, part)
        texts[first] = f"{texts[first]} {part.text}".strip()
    return texts


def _is_running(body: list[list[str]]) -> bool:
    """Whether many cells begin in the middle of a sentence."""
    texts = [text for row in body for text in row if text]
    return 3 * sum(1 for text in texts if text[0].islower()) > len(texts)


def _share(holds: Callable[[str], bool], texts: Sequence[str]) -> float:
    filled = [text for text in texts if text]
    if 2 * len(filled) < len(texts):
        return 0.0
    return sum(1 for text in filled if holds(text)) / len(filled)


def _is_label(text: str) -> bool:
    return text[-1] in ":：" and len(text) <= _SHORT


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _is_contents(last: list[str], columns: int) -> bool:
    """Whether the last column has page numbers: whole numbers that never fall."""
    numbers = [int(text) for text in last if text.isdecimal() and len(text) < 5]
    if len(numbers) < len(last) - 1 or len(numbers) < _FEWEST or columns > 3:
        return False
    return numbers == sorted(numbers)


def _across(block: list[_Row], columns: _Columns, found: Rules) -> list[float]:
    """The heights of the rules across most of the rows' width between and around them."""
    left, right = columns[0][0], columns[-1][1]
    low, high = block[-1].baseline - 2 * block[-1].size, block[0].baseline + 2 * block[0].size
    return [
        rule.at
        for rule in found.across
        if low < rule.at < high and min(rule.end, right) - max(rule.start, left) > 0.8 * (right - left)
    ]


def _cells(block: list[_Row], columns: _Columns, found: Rules) -> list[list[Cell]]:
    """The rows of the table; lines that only go on with cells of the row above are part of it."""
    groups = _between_rules(block, columns, found) or _by_content(block, columns)
    cells = [_row_cells(group, columns, spans=number == 0) for number, group in enumerate(groups)]
    if len(cells) > 1 and cells[1][0].text and all(map(_is_level, groups)):
        for above, row in pairwise(cells[1:]):
            if not row[0].text and all(cell.text for cell in row[1:]):
                row[0] = above[0]
    return cells


def _is_level(group: list[_Row]) -> bool:
    """Whether the first cell of a row stands at the height of others, not between rows in the middle of several."""
    if len(group[0].parts) == 1:
        return False
    heights = [part.words[0].baseline for part in group[0].parts]
    return max(heights) - min(heights) < 0.1 * group[0].size


def _row_cells(group: list[_Row], columns: _Columns, *, spans: bool) -> list[Cell]:
    """The cells of one row. Those above several columns stand for each of them in the first row only."""
    cells: dict[tuple[int, int], list[list[Word]]] = {}
    if len(group) == 1 and len(group[0].parts) == 1 and _place(columns, group[0].parts[0])[0] == 0:
        return [Cell(group[0].parts[0].text, columns=len(columns))]
    for row in group:
        in_row: dict[tuple[int, int], list[Word]] = {}
        for part in row.parts:
            first, last = _place(columns, part)
            in_row.setdefault((first, last if spans and len(group) == 1 else first), []).extend(part.words)
        for place, words in in_row.items():
            cells.setdefault(place, []).append(words)
    found: list[Cell] = []
    column = 0
    for (first, last), lines in sorted(cells.items()):
        start = max(first, column)
        found += [Cell("") for _ in range(column, start)]
        found.append(Cell(cell_text(lines), columns=max(1, last - start + 1)))
        column = max(column, last) + 1
    return [*found, *(Cell("") for _ in range(column, len(columns)))]


def _between_rules(block: list[_Row], columns: _Columns, found: Rules) -> list[list[_Row]]:
    """The rows between rules across the table; none when these part groups of rows, which have several values."""
    heights = sorted(_across(block, columns, found), reverse=True)
    groups: list[list[_Row]] = []
    number = -1
    for row in block:
        above = bisect_left(heights, -row.baseline - 0.3 * row.size, key=lambda height: -height)
        if above != number:
            groups.append([])
        number = above
        groups[-1].append(row)
    if len(groups) < _FEWEST:
        return []
    for group in groups:
        values = [[is_value(text) for text in _texts(row, columns)] for row in group]
        if any(sum(column) > 1 for column in zip(*values, strict=True)):
            return []
    return groups


def _by_content(block: list[_Row], columns: _Columns) -> list[list[_Row]]:
    steps = [above.baseline - row.baseline for above, row in pairwise(block)]
    widest = max(steps)
    groups = [[block[0]]]
    for row, step in zip(block[1:], steps, strict=True):
        if _goes_on(row, columns, close=step < 0.8 * widest):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _goes_on(row: _Row, columns: _Columns, *, close: bool) -> bool:
    """Whether a line has no row of its own: it begins right of the first column, or is closer and has no value."""
    texts = [text for text in _texts(row, columns) if text]
    if _texts(row, columns)[0]:
        return close and len(texts) == 1 and texts[0][0].islower()
    return not any(map(is_value, texts)) and (close or len(texts) == 1)
