"""Tables between ruling lines: rules that cross make a grid, and places without a rule between them are one cell."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from activities.readers.pdf.rules import Rule, Rules
from activities.readers.pdf.words import Word, cell_text, is_value, line_text, rows
from activities.readers.tables.grid import Cell

_NEAR = 3.0  # points between rules that touch
_MOST_CROSSINGS = 250_000  # pairs of rules that are compared, per page
_MOST_PLACES = 20_000  # of a table
_FILLED = 0.3  # of the cells of a table; a chart has fewer


class Table(NamedTuple):
    """A table, the words in it, and where each of its columns begins and ends."""

    rows: list[list[Cell]]
    words: list[Word]
    columns: list[tuple[float, float]]


class _Box(NamedTuple):
    """A cell: its rows and columns, from 0."""

    top: int
    left: int
    bottom: int
    right: int


def ruled(page: list[Word], found: Rules) -> Iterator[Table]:
    """The tables of a page that have rules around their cells, in no order."""
    for across, upright in _crossing(found):
        table = _Grid(across, upright).table(page)
        if table is not None:
            yield table


def _crossing(found: Rules) -> list[tuple[list[Rule], list[Rule]]]:
    """The rules that touch one another, directly or through others."""
    across, upright = found
    if len(across) * len(upright) > _MOST_CROSSINGS:
        return []
    group = list(range(len(across) + len(upright)))

    def root(item: int) -> int:
        while group[item] != item:
            group[item] = group[group[item]]
            item = group[item]
        return item

    for number, line in enumerate(across):
        for other, post in enumerate(upright, len(across)):
            if line.start - _NEAR <= post.at <= line.end + _NEAR and post.start - _NEAR <= line.at <= post.end + _NEAR:
                group[root(number)] = root(other)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for number in range(len(group)):
        parts = groups.setdefault(root(number), ([], []))
        if number < len(across):
            parts[0].append(across[number])
        else:
            parts[1].append(upright[number - len(across)])
    return [parts for parts in groups.values() if all(parts)]


class _Grid:
    """The places between crossing rules; row 0 is the highest."""

    def __init__(self, across: list[Rule], upright: list[Rule]) -> None:
        self.columns = _edges([rule.at for rule in upright], across)
        self.heights = _edges([rule.at for rule in across], upright)
        self.across, self.upright = across, upright
        self.height, self.width = len(self.heights) - 1, len(self.columns) - 1

    def table(self, page: list[Word]) -> Table | None:
        if self.width < 2 or self.height < 1 or self.width * self.height > _MOST_PLACES:
            return None
        left, right, low, high = self.columns[0], self.columns[-1], self.heights[0], self.heights[-1]
        inside = [word for word in page if left < word.middle < right and low < word.baseline + 0.3 * word.size < high]
        if not inside:
            return None
        boxes = self._boxes()
        owner = {
            (row, column): number
            for number, box in enumerate(boxes)
            for row in range(box.top, box.bottom)
            for column in range(box.left, box.right)
        }
        content: list[list[Word]] = [[] for _ in boxes]
        for word in inside:
            row = self.height - bisect_right(self.heights, word.baseline + 0.3 * word.size)
            column = bisect_right(self.columns, word.middle) - 1
            content[owner[row, column]].append(word)
        if not _is_table(boxes, content):
            return None
        lines = [rows(part) for part in content]
        return Table(list(self._rows(boxes, lines)), inside, list(pairwise(self.columns)))

    def _rows(self, boxes: list[_Box], lines: list[list[list[Word]]]) -> Iterator[list[Cell]]:
        grid: list[list[int]] = [[] for _ in range(self.height)]
        for number, box in enumerate(boxes):
            grid[box.top].append(number)
        for row in grid:
            yield from _split([(boxes[number], lines[number]) for number in row])

    def _boxes(self) -> list[_Box]:
        """The cells, by row and column."""
        below = self._walls(self.across, self.heights, self.columns)
        beside = self._walls(self.upright, self.columns, self.heights)
        floor = {(self.height - edge, column) for edge, column in below}  # the edge above that row
        wall = {(self.height - 1 - row, edge) for edge, row in beside}  # the edge left of that column
        taken: set[tuple[int, int]] = set()
        boxes = []
        for row in range(self.height):
            for column in range(self.width):
                if (row, column) in taken:
                    continue
                right = column + 1
                while right < self.width and (row, right) not in wall and (row, right) not in taken:
                    right += 1
                bottom = row + 1
                while bottom < self.height and not any((bottom, place) in floor for place in range(column, right)):
                    if any((bottom, place) in wall for place in range(column + 1, right)):
                        break
                    bottom += 1
                taken.update((line, place) for line in range(row, bottom) for place in range(column, right))
                boxes.append(_Box(row, column, bottom, right))
        return boxes

    def _walls(self, along: list[Rule], places: list[float], steps: list[float]) -> set[tuple[int, int]]:
        """The edges that have a rule: number of the edge, and of the step along it."""
        middles = [(low + high) / 2 for low, high in pairwise(steps)]
        walls = set()
        for rule in along:
            edge = _nearest(places, rule.at)
            for step in range(bisect_left(middles, rule.start), bisect_right(middles, rule.end)):
                walls.add((edge, step))
        return walls


def _edges(places: list[float], ends: list[Rule]) -> list[float]:
    """The places of rules, and where the rules that cross them begin and end beyond these, from low to high."""
    edges: list[float] = []
    for place in sorted([*places, min(rule.start for rule in ends), max(rule.end for rule in ends)]):
        if not edges or place - edges[-1] > _NEAR:
            edges.append(place)
    return edges


def _nearest(places: list[float], place: float) -> int:
    index = bisect_left(places, place)
    if index and (index == len(places) or place - places[index - 1] < places[index] - place):
        return index - 1
    return index


def _is_table(boxes: list[_Box], content: list[list[Word]]) -> bool:
    """Whether two rows have text in two cells each, and a fair share of the cells has text."""
    filled: dict[int, int] = {}
    for box, part in zip(boxes, content, strict=True):
        if part:
            for row in range(box.top, box.bottom):
                filled[row] = filled.get(row, 0) + 1
    if sum(1 for part in content if part) < _FILLED * len(boxes):
        return False
    return sum(1 for count in filled.values() if count > 1) > 1


def _split(row: list[tuple[_Box, list[list[Word]]]]) -> Iterator[list[Cell]]:
    """The rows of a row of the grid: several where the values of a column stand one below the other."""
    heights = _anchors([lines for box, lines in row if box.bottom - box.top == 1])
    if len(heights) < 2 or any(box.bottom - box.top > 1 for box, _ in row):
        yield [Cell(cell_text(lines), rows=box.bottom - box.top, columns=box.right - box.left) for box, lines in row]
        return
    parts: list[list[list[list[Word]]]] = [[[] for _ in row] for _ in heights]
    for column, (_, lines) in enumerate(row):
        for line in lines:
            parts[_row_of(line[0], heights)][column].append(line)
    for part in parts:
        yield [Cell(cell_text(lines), columns=box.right - box.left) for (box, _), lines in zip(row, part, strict=True)]


def _anchors(cells: list[list[list[Word]]]) -> list[float]:
    """The heights of the values in the cell that has most of them, when all its lines are values."""
    best: list[float] = []
    for lines in cells:
        if len(lines) > max(1, len(best)) and all(is_value(line_text(line)) for line in lines):
            best = [line[0].baseline for line in lines]
    others = sum(1 for lines in cells if len(lines) >= len(best))
    return best if others > 1 else []


def _row_of(word: Word, heights: list[float]) -> int:
    """The number of the row that a word stands in: the last that begins at its height or above."""
    return max(0, bisect_right(heights, 0.4 * word.size - word.baseline, key=lambda height: -height) - 1)
