"""The ruling lines of a PDF page: strokes, thin filled rectangles and the edges of boxes, along and across the page."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from activities.readers.pdf import calls

_MOST_OBJECTS = 20_000  # of a page; drawings have more, tables do not
_MOST_POINTS = 8_000  # of the paths of a page
_DEEPEST = 4  # form objects in form objects
_THIN = 3.0  # points: a narrower box is a line
_SAME = 2.0  # points between strokes that are one rule
_GAP = 3.0  # points between the parts of one rule
_SHORTEST = 8.0  # points


class Rule(NamedTuple):
    """A straight line along one axis: its place on the other axis, and from where to where it goes."""

    at: float
    start: float
    end: float


class Rules(NamedTuple):
    """The rules of a page: those that go across, from low to high, and those that go up, from left to right."""

    across: list[Rule]
    upright: list[Rule]


Point = tuple[float, float]
_Matrix = tuple[float, float, float, float, float, float]
_UNTURNED: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class _Crowded(Exception):
    """The page holds a drawing."""


def rules(page: Any) -> Rules | None:
    """The ruling lines of a page; None when it has too many objects for tables to be looked for."""
    across: list[Rule] = []
    upright: list[Rule] = []
    try:
        for points in _Paths(calls.address(page.raw)).all():
            for low, high in _lines(points):
                if high[0] - low[0] >= high[1] - low[1]:
                    across.append(Rule((low[1] + high[1]) / 2, low[0], high[0]))
                else:
                    upright.append(Rule((low[0] + high[0]) / 2, low[1], high[1]))
    except _Crowded:
        return None
    return Rules(_joined(across), _joined(upright))


class _Paths:
    """The drawn paths of a page, as far as they consist of straight lines."""

    def __init__(self, page: int) -> None:
        self._page = page
        self._objects = self._points = 0
        self._numbers = (ctypes.c_float * 4)()
        self._flags = (ctypes.c_int * 2)()
        self._into_numbers = [ctypes.addressof(self._numbers) + 4 * place for place in range(4)]
        self._into_flags = [ctypes.addressof(self._flags) + 4 * place for place in range(2)]

    def all(self) -> Iterator[list[Point]]:
        """The points of each part of each path, in points of the page."""
        count = calls.object_count(self._page)
        return self._of(map(calls.page_object, repeat(self._page), range(count)), _UNTURNED, 0)

    def _of(self, objects: Iterable[int], place: _Matrix, depth: int) -> Iterator[list[Point]]:
        for item in objects:
            self._objects += 1
            if self._objects > _MOST_OBJECTS:
                raise _Crowded
            kind = calls.object_type(item)
            if kind == pdfium.FPDF_PAGEOBJ_PATH:
                yield from self._parts(item, place)
            elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
                inside = map(calls.form_object, repeat(item), range(calls.form_count(item)))
                yield from self._of(inside, _product(_matrix(item), place), depth + 1)

    def _parts(self, path: int, place: _Matrix) -> Iterator[list[Point]]:
        known = calls.object_bounds(path, *self._into_numbers)
        left, low, right, high = self._numbers
        if not known or max(right - left, high - low) < 1.0:
            return  # a dot
        count = calls.segment_count(path)
        self._points += count
        if self._points > _MOST_POINTS:
            raise _Crowded
        calls.path_mode(path, *self._into_flags)
        if not any(self._flags):
            return
        a, b, c, d, e, f = _product(_matrix(path), place)
        part: list[Point] = []
        for segment in map(calls.path_segment, repeat(path), range(count)):
            kind = calls.segment_type(segment)
            calls.segment_point(segment, *self._into_numbers[:2])
            x, y = self._numbers[:2]
            if kind == pdfium.FPDF_SEGMENT_MOVETO:
                yield part
                part = []
            elif kind != pdfium.FPDF_SEGMENT_LINETO:
                return  # a curve
            part.append((a * x + c * y + e, b * x + d * y + f))
            if calls.segment_closes(segment):
                part.append(part[0])
        yield part


def _matrix(item: int) -> _Matrix:
    matrix = pdfium.FS_MATRIX()
    if not calls.object_matrix(item, ctypes.byref(matrix)):
        return _UNTURNED
    return (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _product(first: _Matrix, then: _Matrix) -> _Matrix:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def _lines(points: list[Point]) -> Iterator[tuple[Point, Point]]:
    """The straight lines of one part of a path, each as its lower left and upper right end."""
    if len(points) < 2:
        return
    low, high = _box(points)
    if min(high[0] - low[0], high[1] - low[1]) <= _THIN:
        yield low, high
        return
    for ends in pairwise(points):
        low, high = _box(ends)
        if min(high[0] - low[0], high[1] - low[1]) < 0.5:
            yield low, high


def _box(points: Iterable[Point]) -> tuple[Point, Point]:
    across, up = zip(*points, strict=True)
    return (min(across), min(up)), (max(across), max(up))


def _joined(found: list[Rule]) -> list[Rule]:
    """The rules, of which those beside or behind one another are one."""
    groups: list[list[Rule]] = []
    for rule in sorted(found):
        if not groups or rule.at - groups[-1][-1].at > _SAME:
            groups.append([])
        groups[-1].append(rule)
    return [rule for group in groups for rule in _behind(group) if rule.end - rule.start >= _SHORTEST]


def _behind(group: list[Rule]) -> list[Rule]:
    at = sum(rule.at for rule in group) / len(group)
    whole: list[Rule] = []
    for rule in sorted(group, key=lambda rule: rule.start):
        if whole and rule.start <= whole[-1].end + _GAP:
            whole[-1] = Rule(at, whole[-1].start, max(whole[-1].end, rule.end))
        else:
            whole.append(Rule(at, rule.start, rule.end))
    return whole
