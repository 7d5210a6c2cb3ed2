"""Raised and lowered characters of a line: 10⁵, m², CO₂, and the marks of notes.

A PDF says where a character stands, not what it is. Numbers and the marks of notes are looked up, as few look-ups as
there are numbers; letters only at the end of a line that pdfium cut there.
"""

from __future__ import annotations

import re

from activities.readers.pdf.characters import Characters
from activities.text.raised import meaning, subscript, superscript

_NUMBER = re.compile(r"[\d*∗†‡§¶]")
_RUN = re.compile(r"[-−–+]?[\d*∗†‡§¶][\d*∗†‡§¶,.\-−–+()]*+")
_FORMED = re.compile(r"[^*∗†‡§¶#,.;:®™°′″'\"\s]++")
_BEFORE = 80  # characters that tell what a raised one is
_RISE, _DROP, _FAR = 0.12, 0.06, 0.75  # in font sizes, from the baseline of the neighbour
_SMALLER = 0.92  # a raised character is set smaller …
_CLEAR_RISE = 0.2  # … or stands so much higher


def with_raised(characters: Characters, text: str, first: int, baseline: float, size: float) -> str:
    """The text of a line with raised and lowered characters in their Unicode forms; ``first`` is its first index."""
    if not _NUMBER.search(text):
        return text
    parts, done = [], 0
    for run in _RUN.finditer(text):
        start, end = run.span()
        while text[end - 1] in ",.-−–+(" and end - 1 > start:
            end -= 1
        if abs(characters.origin(first + end - 1)[1] - baseline) > _DROP * size:
            begin, up = _shifted_end(characters, text, first, start, end)
            if up:
                parts += [text[done:begin], formed(text[max(0, begin - _BEFORE) : begin], text[begin:end], up)]
                done = end
    return "".join([*parts, text[done:]])


def ends_raised(characters: Characters, text: str, first: int) -> int:
    """The position from which the end of a line is raised or lowered; the length of the text if it is not."""
    last = len(text) - 1
    level, start = characters.origin(first + last)[1], last
    while start and not text[start - 1].isspace() and last - start < 12:
        if abs(characters.origin(first + start - 1)[1] - level) > 0.01:
            return start if shift(characters, first + start, first + start - 1) else len(text)
        start -= 1
    return len(text)


def shift(characters: Characters, index: int, neighbour: int) -> int:
    """1 for a character raised above its neighbour, -1 for a lowered one, 0 for one on the same line."""
    style, beside = characters.style(index), characters.style(neighbour)
    if style.turn or beside.turn or beside.size <= 0:
        return 0
    rise = (characters.origin(index)[1] - characters.origin(neighbour)[1]) / beside.size
    smaller = style.size < _SMALLER * beside.size
    if _RISE < rise < _FAR and (smaller or (rise > _CLEAR_RISE and style.size <= beside.size)):
        return 1
    return -1 if -_FAR < rise < -_DROP and smaller else 0


def formed(before: str, text: str, up: int) -> str:
    """Text that is raised or lowered after ``before``, in Unicode; ordinals such as “th” stay as they are."""
    if up > 0 and text.isalpha() and meaning(before, text, "", noted=False) == "text":
        return text
    return _FORMED.sub(lambda match: superscript(match[0]) if up > 0 else subscript(match[0]), text.replace("–", "−"))


def _shifted_end(characters: Characters, text: str, first: int, start: int, end: int) -> tuple[int, int]:
    """Where the shifted end of a run begins, the run's beginning if it is all shifted, and which way it is shifted."""
    level, begin = characters.origin(first + end - 1)[1], end - 1
    while begin > start and abs(characters.origin(first + begin - 1)[1] - level) < 0.01:
        begin -= 1
    neighbour = _neighbour(text, begin, end)
    return begin, 0 if neighbour is None else shift(characters, first + begin, first + neighbour)


def _neighbour(text: str, begin: int, end: int) -> int | None:
    """The character beside a run against which its height is measured: the one before it, else the one after it."""
    before = begin - 1
    while before >= 0 and text[before].isspace():
        before -= 1
    if before >= 0:
        return before
    while end < len(text) and text[end].isspace():
        end += 1
    return end if end < len(text) else None
