"""Spaces between recognised words: the model leaves out some of them, above all in headings.

Where the picture of a line has a gap between two Latin characters that is clearly wider than between the
letters of a word, there is a space; between Chinese characters and within numbers only where it is very wide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

_CONTRAST = 0.35  # of the range between ink and paper
_LEAST_GAP = 0.13  # of the line's height
_WIDE_GAP, _WIDE_CONTRAST = 0.6, 0.15  # where nothing but paper may be
_LETTERS_APART = 2.0  # gaps between letters, in their median
_WORDS_APART = 0.6  # of the gap at the spaces that the model saw
_NO_SPACE = re.compile(r"(?<=\w) (?=\.[a-z])|(?<=:) (?=//)")  # in addresses, where letters stand far apart
_ZERO = re.compile(r"(?<=\d)[oO]+(?=\d|\b)")  # the letter, within a number
_CLOSING, _OPENING = frozenset(",.;:!?)]}%\"'"), frozenset("([{\"'")


def spaced(characters: Sequence[str], centres: NDArray[np.floating], line: NDArray[np.uint8]) -> str:
    """The single characters of a line as text; ``centres`` are their columns in the grey picture ``line``."""
    characters = _with_zeros("".join(characters))
    paper = _paper(line, _CONTRAST)
    gaps, clear = _gaps(paper, centres), _gaps(_paper(line, _WIDE_CONTRAST), centres)
    pairs = list(pairwise(characters))
    letters = [gap for gap, (before, after) in zip(gaps, pairs, strict=True) if _are_letters(before, after)]
    limit, wide = _limit(letters, characters, paper, centres, line.shape[0]), _WIDE_GAP * line.shape[0]
    breaks = {
        index
        for index, (before, after) in enumerate(pairs)
        if (gaps[index] >= limit and _may_part(before, after))
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
    """How wide a gap has to be to part words."""
    limit = _LEAST_GAP * height
    if gaps:
        limit = max(limit, _LETTERS_APART * median(gaps))
    known = [
        _widest(paper[int(centres[index - 1]) : int(centres[index + 1]) + 1])
        for index in range(1, len(characters) - 1)
        if characters[index] == " "
    ]
    return max(limit, _WORDS_APART * median(known)) if known else limit


def _gaps(paper: NDArray[np.bool_], centres: NDArray[np.floating]) -> list[int]:
    """The widest gap between the middles of each two characters, in columns."""
    return [_widest(paper[int(before) : int(after) + 1]) for before, after in pairwise(centres)]


def _paper(line: NDArray[np.uint8], contrast: float) -> NDArray[np.bool_]:
    """Which columns have no ink; a line may be light on dark."""
    usual, dark, light = float(np.median(line)), float(line.min()), float(line.max())
    inner = line[round(0.1 * line.shape[0]) : round(0.9 * line.shape[0])]
    away = np.abs(inner.astype(np.float32) - usual).max(axis=0)
    return np.asarray(away < contrast * max(usual - dark, light - usual, 1.0))


def _widest(paper: NDArray[np.bool_]) -> int:
    """The longest run of columns without ink."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], paper, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def _are_letters(before: str, after: str) -> bool:
    """Two Latin characters of which one is a letter: digits stand as far apart as the widest of them."""
    return _latin(before) and _latin(after) and (before.isalpha() or after.isalpha())


def _latin(character: str) -> bool:
    return len(character) == 1 and " " < character < "\u0250"


def _may_part(before: str, after: str) -> bool:
    """Whether words can end and begin so; digits and dots may stand far apart in a number."""
    if not (_latin(before) and _latin(after)):
        return False
    if before.isdigit() and after.isdigit():
        return False
    if before in ".:" and (after.islower() or after.isdigit()):
        return False  # an address, a number, a time
    return (before.isalnum() or before in _CLOSING) and (after.isalnum() or after in _OPENING)
