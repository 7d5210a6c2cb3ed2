"""Restores spaces between recognised words, which the model omits in places, mostly in headings.

A space is inserted where the image of a line has a gap between two Latin characters clearly wider than the gaps
between the letters of a word. Between Chinese characters and within numbers only a very wide gap counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

_CONTRAST = 0.35  # of the brightness range between ink and paper: a column below it has no ink
_LEAST_GAP = 0.13  # of the line's height: minimum width of a space
_WIDE_GAP, _WIDE_CONTRAST = 0.6, 0.15  # a very wide gap, in line heights, must be this free of ink
_LETTERS_APART = 2.0  # minimum width of a space, in median gaps between letters
_WORDS_APART = 0.6  # minimum width of a space, in median gaps at the spaces that the model recognised
_NO_SPACE = re.compile(r"(?<=\w) (?=\.[a-z])|(?<=:) (?=//)")  # in addresses, whose letters are widely spaced
_ZERO = re.compile(r"(?<=\d)[oO]+(?=\d|\b)")  # the letter o within a number
_CLOSING, _OPENING = frozenset(",.;:!?)]}%\"'"), frozenset("([{\"'")


def spaced(characters: Sequence[str], centres: NDArray[np.floating], line: NDArray[np.uint8]) -> str:
    """The characters of a line as text with spaces; ``centres`` are their columns in the grey image ``line``."""
    characters = _with_zeros("".join(characters))
    paper = _paper(line, _CONTRAST)
    gaps, clear = _gaps(paper, centres), _gaps(_paper(line, _WIDE_CONTRAST), centres)
    pairs = list(pairwise(characters))
    letters = [gap for gap, (before, after) in zip(gaps, pairs, strict=True) if _are_letters(before, after)]
    limit, wide = _limit(letters, characters, paper, centres, line.shape[0]), _WIDE_GAP * line.shape[0]
    breaks = {
        index
        for index, (before, after) in enumerate(pairs)
        if (gaps[index] >= limit and _may_separate(before, after))
        or (clear[index] >= wide and before.isalnum() and after.isalnum())
    }
    text = "".join(f"{character} " if index in breaks else character for index, character in enumerate(characters))
    return _with_zeros(_NO_SPACE.sub("", " ".join(text.split())))


def _with_zeros(text: str) -> str:
    return _ZERO.sub(lambda match: "0" * len(match[0]), text)


def _limit(
    gaps: Sequence[int],
    characters: Sequence[str],
    paper: NDArray[np.bool_],
    centres: NDArray[np.floating],
    height: int,
) -> float:
    """The minimum width in columns of a gap between words."""
    limit = _LEAST_GAP * height
    if gaps:
        limit = max(limit, _LETTERS_APART * median(gaps))
    space_gaps = [
        _widest(paper[int(centres[index - 1]) : int(centres[index + 1]) + 1])
        for index in range(1, len(characters) - 1)
        if characters[index] == " "
    ]
    return max(limit, _WORDS_APART * median(space_gaps)) if space_gaps else limit


def _gaps(paper: NDArray[np.bool_], centres: NDArray[np.floating]) -> list[int]:
    """The widest gap between the centres of each pair of neighbours, in columns."""
    return [_widest(paper[int(before) : int(after) + 1]) for before, after in pairwise(centres)]


def _paper(line: NDArray[np.uint8], contrast: float) -> NDArray[np.bool_]:
    """The mask of columns without ink; text may be light on dark."""
    usual, dark, light = float(np.median(line)), float(line.min()), float(line.max())
    inner = line[round(0.1 * line.shape[0]) : round(0.9 * line.shape[0])]
    away = np.abs(inner.astype(np.float32) - usual).max(axis=0)
    return np.asarray(away < contrast * max(usual - dark, light - usual, 1.0))


def _widest(paper: NDArray[np.bool_]) -> int:
    """The length of the longest run of columns without ink."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], paper, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def _are_letters(before: str, after: str) -> bool:
    """Whether both are Latin characters and one is a letter; digits are spaced as widely as the widest digit."""
    return _latin(before) and _latin(after) and (before.isalpha() or after.isalpha())


def _latin(character: str) -> bool:
    return len(character) == 1 and " " < character < "\u0250"


def _may_separate(before: str, after: str) -> bool:
    """Whether a space between the two is plausible; digits and dots may be widely spaced within a number."""
    if not (_latin(before) and _latin(after)):
        return False
    if before.isdigit() and after.isdigit():
        return False
    if before in ".:" and (after.islower() or after.isdigit()):
        return False  # an address, a number, a time
    return (before.isalnum() or before in _CLOSING) and (after.isalnum() or after in _OPENING)
