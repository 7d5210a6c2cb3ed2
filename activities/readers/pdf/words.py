"""Characters of a PDF page → words, rows of words and the text of cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from activities.readers.layout import DIVIDED
from activities.readers.pdf.characters import Characters
from activities.readers.pdf.page import CLEAN
from activities.readers.pdf.raised import formed, shift, with_raised
from activities.readers.text import join

_SLANTED = 0.5  # font sizes between the heights of characters that stand in no one line
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


def words(characters: Characters, text: str) -> list[Word]:
    """The upright words of a page, in pdfium's order, given its text."""
    found: list[Word] = []
    end = 0  # index of the last character of the word before
    for start, word in _pieces(characters, text):
        first, last = characters.at(start), characters.at(start + len(word) - 1)
        style = characters.style(first)
        (left, baseline), size = characters.origin(first), max(1.0, style.size)
        before = found[-1] if found else None
        if before is not None and size < before.size and abs(left - before.right) < 0.3 * before.size:
            up = shift(characters, first, end)
            if up:
                before.text += formed(before.text, word, up).translate(CLEAN)
                before.right = characters.right(last)
                before.marks.append(Word("", left, before.right, baseline, size, style.bold))
                continue
        whole = last - first == len(word) - 1
        clean = (with_raised(characters, word, first, baseline, size) if whole else word).translate(CLEAN)
        if clean:
            found.append(Word(clean, left, characters.right(last), baseline, size, style.bold))
            end = last
    return found


def _pieces(characters: Characters, text: str) -> Iterator[tuple[int, str]]:
    """The words of a page's text with their positions, cut where pdfium joined two lines; no turned or hidden ones."""
    for match in _WORD.finditer(text):
        start, word = match.start(), match[0]
        first = characters.at(start)
        style = characters.style(first)
        if style.turn or style.invisible:
            continue
        size, before = max(1.0, style.size), characters.origin(first)
        if abs(characters.origin(characters.at(match.end() - 1))[1] - before[1]) < _SLANTED * size:
            yield start, word
            continue
        begin, pieces, slanted = 0, [], False
        for place in range(1, len(word)):
            origin = characters.origin(characters.at(start + place))
            if abs(origin[1] - before[1]) >= _SLANTED * size:
                pieces.append((start + begin, word[begin:place]))
                begin = place
                slanted = slanted or origin[0] > before[0]
            elif abs(origin[1] - before[1]) > 0.3 * size:
                slanted = True
            before = origin
        if not slanted:
            yield from [*pieces, (start + begin, word[begin:])]


def rows(page: Iterable[Word]) -> list[list[Word]]:
    """The words by baseline, from top to bottom and from left to right."""
    found: list[list[Word]] = []
    for word in sorted(page, key=lambda word: -word.baseline):
        if not found or found[-1][0].baseline - word.baseline > 0.45 * min(word.size, found[-1][0].size):
            found.append([])
        found[-1].append(word)
    return [sorted(row, key=lambda word: word.left) for row in found]


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
