"""Running headers and footers of printed pages: found by their height, and dropped."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from activities.readers.layout import Line, body_size

_MARGIN = 0.08  # running lines stand in this share of the page, at its top or bottom
_RUNNING_PAGES = 4
_SAME_HEIGHT = 4.0  # points
_APART, _SMALLER = 1.8, 0.95  # in font sizes, from baseline to baseline; of the size of the body text
_DIGITS = re.compile(r"\d{1,9}")
_MAX_RUNNING = 80
_PAGE_NUMBER = re.compile(r"^(\d{1,4})\b(?!\.\d)|\b(\d{1,4})$")
_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b", re.I)
_ONLY_NUMBER = re.compile(
    r"(?:[^\w#]|_)*+(?:page|seite|第)?+\s*+#\s*+(?:页|頁)?+(?:\s*+(?:of|/|von|共)\s*+#\s*+(?:页|頁)?+)?+[\W_]*+", re.I
)


def without_running_lines(pages: list[list[Line]]) -> list[list[Line]]:
    """Drops running headers and footers: lines at the same height of many pages that differ only in their numbers.

    A page that consists only of such lines is kept unchanged, and so are lines larger than the body text.
    """
    if not any(pages):
        return pages
    body = body_size([line for page in pages for line in page])
    seen: dict[str, list[Line]] = {}
    for line in (line for page in pages for line in page if in_margin(line) and line.size <= 1.05 * body):
        seen.setdefault(_NUMBER.sub("#", line.text), []).append(line)
    running = _numbered_with_pages(pages) | _on_all_of_few(pages, body) | _on_facing_pages(pages, seen, body)
    for key, lines in seen.items():
        needed = 3 if _ONLY_NUMBER.fullmatch(key) else _RUNNING_PAGES
        running |= {id(line) for line, on_pages in _at_same_height(lines) if on_pages >= needed}
    return [[line for line in page if id(line) not in running] or page for page in pages]


def _at_same_height(lines: list[Line]) -> Iterator[tuple[Line, int]]:
    """Each line with the number of pages that have one of the lines at its height; one pass from bottom to top."""
    ordered = sorted(lines, key=lambda line: line.first)
    pages: Counter[int] = Counter()
    start = end = 0
    for line in ordered:
        while end < len(ordered) and ordered[end].first - line.first <= _SAME_HEIGHT:
            pages[ordered[end].page] += 1
            end += 1
        while start < end and line.first - ordered[start].first > _SAME_HEIGHT:
            page = ordered[start].page
            pages[page] -= 1
            if not pages[page]:
                del pages[page]
            start += 1
        yield line, len(pages)


def _numbered_with_pages(pages: list[list[Line]]) -> set[int]:
    """Ids of lines such as “What is cancer? 5” whose number counts up with the pages while their words change."""
    offsets: dict[int, list[Line]] = {}
    for line in (line for page in pages for line in page if in_margin(line) and len(line.text) <= _MAX_RUNNING):
        if number := _PAGE_NUMBER.search(line.text):
            offsets.setdefault(int(number[1] or number[2]) - line.page, []).append(line)
    largest = max(offsets.values(), key=len, default=[])
    return {id(line) for line in largest} if len({line.page for line in largest}) >= _RUNNING_PAGES else set()


def _on_all_of_few(pages: list[list[Line]], body: float) -> set[int]:
    """Ids of the running lines of a document of two or three pages: the outermost lines of all pages, and equal.

    They are set apart from the text, by white space or a smaller size, and are no bold line of its size: a heading.
    """
    if not 1 < len(pages) < _RUNNING_PAGES or not all(pages):
        return set()
    found: set[int] = set()
    for outwards in (1, -1):
        ordered = [sorted(page, key=lambda line: -outwards * line.first) for page in pages]
        rows = list(zip(*ordered, strict=False))
        same = 0
        while same < len(rows) and _are_one(rows[same], body):
            same += 1
        while same and not all(_is_apart(page[same - 1], page[same:], body) for page in ordered):
            same -= 1
        found |= {id(line) for row in rows[:same] for line in row}
    return found


def _on_facing_pages(pages: list[list[Line]], seen: dict[str, list[Line]], body: float) -> set[int]:
    """Ids of the running lines of left and right pages: other words, on every second page each, at one height.

    Of a document with so few pages that neither has enough of them.
    """
    if len(pages) >= 2 * _RUNNING_PAGES:
        return set()
    by_height = {page[0].page: sorted(page, key=_height) for page in pages if page}
    sides: tuple[list[list[Line]], list[list[Line]]] = ([], [])
    for lines in seen.values():
        numbers = sorted({line.page for line in lines})
        alternate = len(numbers) > 1 and all(after - before == 2 for before, after in pairwise(numbers))
        same = all(abs(line.first - lines[0].first) <= _SAME_HEIGHT for line in lines)
        if alternate and same and all(_is_apart(line, _inward(line, by_height[line.page]), body) for line in lines):
            sides[numbers[0] % 2].append(lines)
    found: set[int] = set()
    for side, facing in (sides, sides[::-1]):
        heights = sorted(lines[0].first for lines in facing)
        for lines in side:
            at = bisect_left(heights, lines[0].first - _SAME_HEIGHT)
            if at < len(heights) and heights[at] <= lines[0].first + _SAME_HEIGHT:
                found |= {id(line) for line in lines}
    return found


def _inward(line: Line, by_height: list[Line]) -> list[Line]:
    """The nearest line between one in a margin and the middle of its page, if there is any."""
    if line.first > line.page_height / 2:
        at = bisect_left(by_height, line.first - _SAME_HEIGHT, key=_height)
        return by_height[max(0, at - 1) : at]
    at = bisect_right(by_height, line.first + _SAME_HEIGHT, key=_height)
    return by_height[at : at + 1]


def _height(line: Line) -> float:
    return line.first


def _are_one(lines: tuple[Line, ...], body: float) -> bool:
    """Whether lines of successive pages are one running line; its numbers stay the same or count the pages."""
    heights = [line.first for line in lines]
    if max(heights) - min(heights) > _SAME_HEIGHT or not all(in_margin(line) for line in lines):
        return False
    if any(line.size > 1.05 * body or (line.bold and line.size > _SMALLER * body) for line in lines):
        return False
    if len({_DIGITS.sub("#", line.text) for line in lines}) > 1:
        return False
    for numbers in zip(*(map(int, _DIGITS.findall(line.text)) for line in lines), strict=True):
        steps = {after - before for before, after in pairwise(numbers)}
        if steps not in ({0}, {1}):
            return False
    return True


def _is_apart(line: Line, others: list[Line], body: float) -> bool:
    """Whether white space or its smaller size sets a line apart from the nearest of the lines inward of it."""
    if not others:
        return False
    distance = abs(line.first - others[0].first)
    return line.size < _SMALLER * body or distance > _APART * max(line.size, others[0].size)


def in_margin(line: Line) -> bool:
    """Whether a line stands where running lines do."""
    edge = _MARGIN * line.page_height
    return line.table is None and (line.last < edge or line.first > line.page_height - edge)
