"""Tells whether a row of a sheet names its columns.

Words that are short and differ from each other are names. Years, dates, times and evenly spaced numbers are names too,
unless the rows below go on in the same way: ``Depot | 2023 | 2024`` stands over amounts, ``Anna | 2023`` over
``Ben | 2024`` is a row like the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from itertools import pairwise

Row = Sequence[str]

_MAX_NAME = 80  # characters of a column's name
_FEW = 3  # numbers that show that they are evenly spaced
_VALUE = re.compile(
    r"[-+(<>~≈]?+\s*+[$€£¥₹]?+\s*+[-+]?+\d[\d.,'’\s]*+(?:e[-+]?+\d++)?+\s*+\)?+\s*+[%‰°$€£¥₹元]?"  # numbers, money
    r"|\d{1,4}[-./年]\d{1,2}(?:[-./月]\d{1,4}日?)?(?:[T\s]\d{1,2}:\d\d.*)?|\d{1,2}:\d\d(?::\d\d)?.*"  # dates and times
    r"|true|false",
    re.I,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_DATE = re.compile(
    r"\d{1,4}[-/年]\d{1,2}(?:[-/月]\d{1,4}日?)?(?:[T\s]\d{1,2}:\d\d.*)?|\d{1,2}\.\d{1,2}\.(?:\d\d){0,2}|\d{1,2}:\d\d.*"
)
_SENTENCE = re.compile(r"[.。!！?？;；]$")


class _Kind(Enum):
    WORD = auto()
    YEAR = auto()
    DATE = auto()
    NUMBER = auto()


_WORDS, _LABELS = frozenset({_Kind.WORD}), frozenset({_Kind.WORD, _Kind.NUMBER})


def names_columns(row: Row, following: Sequence[Row], *, distinct: bool = True) -> bool:
    """Whether a row may be a header of the rows that follow it."""
    kinds = {at: _kind(cell) for at, cell in enumerate(row) if cell}
    words = [row[at] for at, kind in kinds.items() if kind is _Kind.WORD]
    cells = [row[at] for at in kinds]
    if any(len(cell) > _MAX_NAME or _SENTENCE.search(cell) for cell in words):
        return False
    if distinct and len(set(cells)) * 3 < len(cells) * 2:
        return False
    values = {kind for kind in kinds.values() if kind is not _Kind.WORD}
    if not values:
        return bool(words)
    if len(values) > 1 or all(_goes_on(row, kinds, other) for other in following if any(other)):
        return False
    if values == {_Kind.NUMBER}:
        return _evenly_spaced(row, kinds) or (not words and len(cells) > 1 and _has_corner(kinds, following, _WORDS))
    return bool(words) or _has_corner(kinds, following, _LABELS) or (len(cells) >= _FEW and _evenly_spaced(row, kinds))


def has_values_under(names: Row, row: Row) -> bool:
    """Whether a value stands under a name of another kind."""
    return any(
        name and cell and (kind := _kind(cell)) is not _Kind.WORD and kind is not _kind(name)
        for name, cell in zip(names, row, strict=False)
    )


def _kind(cell: str) -> _Kind:
    if not _VALUE.fullmatch(cell):
        return _Kind.WORD
    if _YEAR.fullmatch(cell):
        return _Kind.YEAR
    return _Kind.DATE if _DATE.fullmatch(cell) else _Kind.NUMBER


def _goes_on(row: Row, kinds: dict[int, _Kind], other: Row) -> bool:
    """Whether another row has, in the columns of a row's values, values of the same sort."""
    places = [at for at, kind in kinds.items() if kind is not _Kind.WORD]
    kind = kinds[places[0]]
    filled = {at: found for at in places if at < len(other) and other[at] and (found := _kind(other[at]))}
    if kind is _Kind.NUMBER:
        return len(filled) == len(places) and _evenly_spaced(other, filled)
    return bool(filled) and all(found is kind for found in filled.values())


def _has_corner(kinds: dict[int, _Kind], following: Sequence[Row], among: frozenset[_Kind]) -> bool:
    """Whether the first columns have no name, and each row that has something there has a label of these kinds."""
    first = min(kinds)
    below = [{_kind(cell) for cell in row[:first] if cell} for row in following if any(row[:first])]
    return bool(below) and all(label & among for label in below)


def _evenly_spaced(row: Row, kinds: dict[int, _Kind]) -> bool:
    """Whether the numbers of a row grow by the same step, as days and weeks do, once or in repeated turns."""
    texts = [row[at].strip("%‰° ") for at, kind in kinds.items() if kind is not _Kind.WORD]
    turn = list(dict.fromkeys(texts))
    if len(turn) < _FEW or turn * (len(texts) // len(turn)) != texts:
        return False
    try:
        numbers = [float(text) for text in turn]
    except ValueError:
        return False
    step = numbers[1] - numbers[0]
    return step > 0 and all(abs(after - before - step) < step * 1e-6 for before, after in pairwise(numbers))
