"""Rows of words → the parts that wide gaps divide them into, and the columns that parts stand in."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from itertools import pairwise
from statistics import median

import msgspec

from activities.readers.pdf.rules import Rules
from activities.readers.pdf.words import Word, line_text

FEWEST = 3  # rows of a table
_WIDE = 0.5  # font sizes: a space is narrower
_TYPED = 1.0  # the same in type whose characters, the space too, have one width

Columns = list[tuple[float, float]]


class Part(msgspec.Struct, dict=True):
    """Words of a row with no wide gap between them."""

    words: list[Word]
    left: float
    right: float

    @cached_property
    def text(self) -> str:
        return line_text(self.words)


class Row(msgspec.Struct):
    """The parts of a row, from left to right."""

    parts: list[Part]
    baseline: float
    size: float
    bold: bool

    def words(self) -> list[Word]:
        return [word for part in self.parts for word in part.words]


def parted(words: list[Word], wide: float = _WIDE) -> Row:
    """The words of a row, parted where they stand apart by more than so many font sizes."""
    size = _size(words)
    cuts = _cuts(words, wide * size)
    if cuts and wide < _TYPED and is_typed(words):
        cuts = _cuts(words, _TYPED * size)
    groups = [words[begin:end] for begin, end in pairwise([0, *cuts, len(words)])] if cuts else [words]
    parts = [Part(group, group[0].left, max([word.right for word in group])) for group in groups]
    return Row(parts, words[0].baseline, size, all(word.bold for word in words))


def _size(words: list[Word]) -> float:
    sizes = {word.size for word in words}
    return sizes.pop() if len(sizes) == 1 else median(word.size for word in words)


def _cuts(words: list[Word], gap: float) -> list[int]:
    """The numbers of the words that stand apart from the word before by more than a gap."""
    return [number for number, (before, word) in enumerate(pairwise(words), 1) if word.left - before.right > gap]


def is_typed(words: list[Word]) -> bool:
    """Whether the words are set in characters of one width, as typewriters and terminals have."""
    widths = []
    for word in words:
        if len(word.text) > 1:
            widths.append((word.right - word.left) / len(word.text) / word.size)
            if not 0.48 < widths[-1] < 0.65:
                return False
    return len(widths) > 1 and max(widths) - min(widths) < 0.006


def spans(row: Row) -> Columns:
    """Where each part of a row begins and ends."""
    return [(part.left, part.right) for part in row.parts]


def place_of(columns: Columns, part: Part) -> tuple[int, int]:
    """The first and the last column that a part stands in or, when it stands between columns, the nearest."""
    first = bisect_left(columns, part.left, key=lambda column: column[1])
    last = bisect_left(columns, part.right, key=lambda column: column[0]) - 1
    return (first, last) if first <= last else (max(0, last), max(0, last))


def texts_of(row: Row, columns: Columns) -> list[str]:
    """The text in each column, that of a part that stands in several in the first."""
    texts = [""] * len(columns)
    for part in row.parts:
        first, _ = place_of(columns, part)
        texts[first] = f"{texts[first]} {part.text}".strip()
    return texts


def rules_across(block: list[Row], columns: Columns, found: Rules) -> list[float]:
    """The heights of the rules across most of the rows' width between and around them."""
    left, right = columns[0][0], columns[-1][1]
    low, high = block[-1].baseline - 2 * block[-1].size, block[0].baseline + 2 * block[0].size
    return [
        rule.at
        for rule in found.across
        if low < rule.at < high and min(rule.end, right) - max(rule.start, left) > 0.8 * (right - left)
    ]
