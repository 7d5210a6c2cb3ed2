"""Tables without rules around their cells: rows of short texts that leave the same gaps free."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import reduce
from itertools import pairwise

from activities.readers.pdf.parts import FEWEST, Columns, Part, Row, parted, place_of, rules_across, spans, texts_of
from activities.readers.pdf.ruled import Table
from activities.readers.pdf.rules import Rules
from activities.readers.pdf.tabular import is_table
from activities.readers.pdf.words import Word, cell_text, is_value, rows
from activities.readers.pdf.zones import zones
from activities.readers.tables.grid import Cell

_FREE = 0.35  # font sizes between columns
_APART = 2.6  # font sizes from row to row
_TRIES = 4  # rows at which it is tried to begin a table
_MOST_COLUMNS = 60


def unruled(page: list[Word], found: Rules) -> Iterator[Table]:
    """The tables of a page among the words that stand in no ruled one, from top to bottom."""
    for zone in zones(page):
        lines = [parted(row) for row in rows(zone)]
        if sum(1 for row in lines if len(row.parts) > 1) >= FEWEST:
            yield from _tables(lines, found)


def _tables(lines: list[Row], found: Rules) -> Iterator[Table]:
    start = tries = 0
    while start < len(lines):
        end, columns = _block(lines, start)
        tries += 1
        block = lines[start:end] if end - start >= FEWEST else []
        block = [row for number, row in enumerate(block, start) if not _is_overprint(lines, number)]
        if len(block) >= FEWEST and is_table(block, columns, found):
            words = [word for row in block for word in row.words()]
            yield Table(_cells(block, columns, found), words, columns)
        elif tries < _TRIES and end - start > 1:
            start += 1  # lines above a table may stand in its way
            continue
        start, tries = end, 0


def _block(lines: list[Row], start: int) -> tuple[int, Columns]:
    """Where the rows end that leave the same gaps free as the first of them, and their columns."""
    columns = spans(lines[start])
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
            wider = spans(row)  # the first row may have cells above several columns
        if len(wider) > _MOST_COLUMNS:
            break
        columns, end = wider, number + 1
    below = [row for row in lines[start + 1 : end] if len(row.parts) > 1]
    if len(below) >= FEWEST - 1:
        body = reduce(_with, below[1:], spans(below[0]))  # cells of the first row may stand above several columns
        columns = body if len(body) > len(columns) else columns
    return end, columns


def _is_overprint(lines: list[Row], number: int) -> bool:
    """Whether a row of one part is printed over others: a remark or a stamp."""
    row = lines[number]
    beside = [*lines[max(0, number - 1) : number], *lines[number + 1 : number + 2]]
    return len(row.parts) == 1 and any(
        abs(row.baseline - other.baseline) < 0.9 * row.size
        and row.parts[0].left < other.parts[-1].right
        and other.parts[0].left < row.parts[0].right
        for other in beside
    )


def _heads(lines: list[Row], number: int) -> bool:
    """Whether a row of one part is the heading of what follows: it stands out, and the row below has names only."""
    row, above = lines[number], lines[number - 1]
    after = lines[number + 1] if number + 1 < len(lines) else None
    if after is None or len(after.parts) < 2:
        return True
    stands_out = (row.bold and not above.bold) or row.size > 1.08 * above.size
    return stands_out and not any(is_value(part.text) for part in after.parts)


def _wraps(above: Row, row: Row) -> bool:
    return above.baseline - row.baseline < 1.5 * max(row.size, above.size)


def _with(columns: Columns, row: Row) -> Columns:
    """The columns, as wide as the parts of a row make them; those are one that it leaves no gap between."""
    wide: Columns = []
    for left, right in sorted([*columns, *spans(row)]):
        if wide and left - wide[-1][1] < _FREE * row.size:
            wide[-1] = (wide[-1][0], max(wide[-1][1], right))
        else:
            wide.append((left, right))
    return wide


def _column(columns: Columns, part: Part) -> int | None:
    """The column in which a part begins, within a font size."""
    index = bisect_left(columns, part.left + part.words[0].size, key=lambda column: column[0]) - 1
    if index < 0 or part.left > columns[index][1]:
        return None
    return index


def _cells(block: list[Row], columns: Columns, found: Rules) -> list[list[Cell]]:
    """The rows of the table; lines that only go on with cells of the row above are part of it."""
    groups = _between_rules(block, columns, found) or _by_content(block, columns)
    cells = [_row_cells(group, columns, spans=number == 0) for number, group in enumerate(groups)]
    if len(cells) > 1 and cells[1][0].text and all(map(_is_level, groups)):
        for above, row in pairwise(cells[1:]):
            if not row[0].text and all(cell.text for cell in row[1:]):
                row[0] = above[0]
    return cells


def _is_level(group: list[Row]) -> bool:
    """Whether the first cell of a row stands at the height of others, not between rows in the middle of several."""
    if len(group[0].parts) == 1:
        return False
    heights = [part.words[0].baseline for part in group[0].parts]
    return max(heights) - min(heights) < 0.1 * group[0].size


def _row_cells(group: list[Row], columns: Columns, *, spans: bool) -> list[Cell]:
    """The cells of one row. Those above several columns stand for each of them in the first row only."""
    cells: dict[tuple[int, int], list[list[Word]]] = {}
    if len(group) == 1 and len(group[0].parts) == 1 and place_of(columns, group[0].parts[0])[0] == 0:
        return [Cell(group[0].parts[0].text, columns=len(columns))]
    for row in group:
        in_row: dict[tuple[int, int], list[Word]] = {}
        for part in row.parts:
            first, last = place_of(columns, part)
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


def _between_rules(block: list[Row], columns: Columns, found: Rules) -> list[list[Row]]:
    """The rows between rules across the table; none when these part groups of rows, which have several values."""
    heights = sorted(rules_across(block, columns, found), reverse=True)
    groups: list[list[Row]] = []
    number = -1
    for row in block:
        above = bisect_left(heights, -row.baseline - 0.3 * row.size, key=lambda height: -height)
        if above != number:
            groups.append([])
        number = above
        groups[-1].append(row)
    if len(groups) < FEWEST:
        return []
    for group in groups:
        values = [[is_value(text) for text in texts_of(row, columns)] for row in group]
        if any(sum(column) > 1 for column in zip(*values, strict=True)):
            return []
    return groups


def _by_content(block: list[Row], columns: Columns) -> list[list[Row]]:
    steps = [above.baseline - row.baseline for above, row in pairwise(block)]
    widest = max(steps)
    groups = [[block[0]]]
    for row, step in zip(block[1:], steps, strict=True):
        if _goes_on(row, columns, close=step < 0.8 * widest):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _goes_on(row: Row, columns: Columns, *, close: bool) -> bool:
    """Whether a line has no row of its own: it begins right of the first column, or is closer and has no value."""
    texts = [text for text in texts_of(row, columns) if text]
    if texts_of(row, columns)[0]:
        return close and len(texts) == 1 and texts[0][0].islower()
    return not any(map(is_value, texts)) and (close or len(texts) == 1)
