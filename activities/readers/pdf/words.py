"""Characters of a PDF page → words, rows of words and the text of cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from operator import attrgetter

import msgspec

from activities.readers.layout import DIVIDED
from activities.readers.pdf.characters import Characters, Style
from activities.readers.pdf.page import cleaned
from activities.readers.pdf.raised import formed, shift, with_raised
from activities.readers.text import join

_SLANTED = 0.5  # font sizes between the heights of characters that stand in no one line
_BASELINE, _LEFT = attrgetter("baseline"), attrgetter("left")
_Piece = tuple[str, int, int, Style, float, tuple[float, float], float]
"""A word of a page's text, the indexes of its first and last character, its style, size, origin and right edge."""
_WORD = re.compile(rf"[^\s{DIVIDED}]++{DIVIDED}?+")


class Word(msgspec.Struct):
    """Characters of one line without a space between them; raised ones that pdfium keeps apart are ``marks`` too."""

    text: str
    left: float
    right: float
    baseline: float
    size: float
    bold: bool
    marks: list[Word] = []

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


def words(characters: Characters) -> list[Word]:
    """The upright words of a page, in pdfium's order."""
    found: list[Word] = []
    before: Word | None = None
    end = 0  # index of the last character of the word before
    for text, first, last, style, size, (left, baseline), right in _pieces(characters):
        if before is not None and size < before.size and abs(left - before.right) < 0.3 * before.size:
            up = shift(characters, first, end)
            if up:
                before.text += cleaned(formed(before.text, text, up))
                before.right = right
                before.marks.append(Word("", left, right, baseline, size, style.bold))
                continue
        whole = last - first == len(text) - 1 and not text.isalpha()
        clean = cleaned(with_raised(characters, text, first, baseline, size) if whole else text)
        if clean:
            before, end = Word(clean, left, right, baseline, size, style.bold), last
            found.append(before)
    return found


def _pieces(characters: Characters) -> Iterator[_Piece]:
    """The words of a page's text, cut where pdfium joined two lines; no turned or hidden ones."""
    matches = list(_WORD.finditer(characters.text))
    firsts = characters.indexes([match.start() for match in matches])
    lasts = characters.indexes([match.end() - 1 for match in matches])
    styles, rights = characters.styles(firsts), characters.rights(lasts)
    origins, ends = characters.origins(firsts), characters.origins(lasts)
    for match, first, last, style, origin, end, right in zip(
        matches, firsts, lasts, styles, origins, ends, rights, strict=True
    ):
        if style.turn or style.invisible:
            continue
        size = max(1.0, style.size)
        if abs(end[1] - origin[1]) < _SLANTED * size:
            yield match[0], first, last, style, size, origin, right
        else:
            yield from _cut(characters, match.start(), match[0], size)


def _cut(characters: Characters, start: int, word: str, size: float) -> Iterator[_Piece]:
    """The parts of a word on two lines; none when it rises or falls."""
    origins = characters.origins(characters.indexes(range(start, start + len(word))))
    cuts = [0]
    for place, (before, here) in enumerate(pairwise(origins), 1):
        if abs(here[1] - before[1]) >= _SLANTED * size:
            if here[0] > before[0]:
                return
            cuts.append(place)
        elif abs(here[1] - before[1]) > 0.3 * size:
            return
    for begin, end in pairwise([*cuts, len(word)]):
        first, last = characters.at(start + begin), characters.at(start + end - 1)
        style, origin = characters.style(first), characters.origin(first)
        yield word[begin:end], first, last, style, max(1.0, style.size), origin, characters.right(last)


def rows(page: Iterable[Word]) -> list[list[Word]]:
    """The words by baseline, from top to bottom and from left to right."""
    found: list[list[Word]] = []
    first: Word | None = None
    for word in sorted(page, key=_BASELINE, reverse=True):
        if first is None or first.baseline - word.baseline > 0.45 * min(word.size, first.size):
            first = word
            found.append([])
        found[-1].append(word)
    for row in found:
        row.sort(key=_LEFT)
    return found


def line_text(row: Iterable[Word]) -> str:
    """The text of the words of one line. Words that touch have no space between them."""
    text, before = "", None
    for word in row:
        if before is not None and word.left - before.right > 0.12 * word.size:
            text += " "
        text += word.text
        before = word
    return text


def cell_text(lines: Iterable[list[Word]]) -> str:
    """The text of a cell: its lines joined like those of a paragraph."""
    return join([line_text(line) for line in lines])


def is_value(text: str) -> bool:
    """Whether a text is a number, a date, an amount or a code."""
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    return len(text) <= 24 and bool(digits) and letters <= max(3, digits)
