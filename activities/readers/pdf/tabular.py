"""Whether rows of short texts are a table.

Columns of prose, lists, tables of contents and addresses leave gaps free too. What is a table has to show it: three
rows or more, short cells, and a column of values, a bold header, labels with colons or rules between its rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from activities.readers.pdf.parts import FEWEST, Columns, Row, is_typed, rules_across, texts_of
from activities.readers.pdf.rules import Rules
from activities.readers.pdf.words import is_value

_GAPPED = 0.3  # empty places in a row of a table in type of one width, on average
_SHORT, _LONG = 32, 90  # characters of a cell
_ITEM = re.compile(r"(?:[•●▪■◦‣·–—*-]|[(（]?\w{1,3}[.)）、])")
_OPERATORS = frozenset("=≈≡≠≤≥<>+×→⇒∝")
_LEADERS = re.compile(r"(?:\.\s?){4}|…|·{4}")


def is_table(block: list[Row], columns: Columns, found: Rules) -> bool:
    """Whether the rows of a block are those of a table."""
    strong = [row for row in block if len(row.parts) > 1]
    if len(strong) < FEWEST or len(columns) < 2:
        return False
    grid = [texts_of(row, columns) for row in strong]
    if any(is_typed(row.words()) for row in strong) and sum(row.count("") for row in grid) > _GAPPED * len(grid):
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
    lined = len(columns) > 2 and len(rules_across(block, columns, found)) > 2
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
    if len(numbers) < len(last) - 1 or len(numbers) < FEWEST or columns > 3:
        return False
    return numbers == sorted(numbers)
