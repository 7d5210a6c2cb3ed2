"""The characters of a PDF page with their positions and fonts.

A look-up costs half a microsecond, as much as reading thirty characters of plain text: read lines first, and ask only
for the characters whose position matters. Each look-up is made once.
Coordinates are in points with the origin at the lower left.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import msgspec
import pypdfium2.raw as pdfium

from activities.readers.pdf import calls

_BOLD_WEIGHT = 600
_BOLD_NAME = re.compile(rb"bold|black|heavy|semibold|demi|[-_,]bd|hei(?!sei)", re.I)
_INVISIBLE = 3  # the text rendering mode of text that is not drawn


class Style(msgspec.Struct, frozen=True):
    """What the characters of one text object share.

    ``size`` is in points as printed. ``turn`` is the direction of the text in quarter turns counter-clockwise.
    """

    size: float
    bold: bool
    turn: int = 0
    invisible: bool = False


class Character(msgspec.Struct, frozen=True):
    """One printed character. A space that pdfium supplies between words is as wide as the gap."""

    text: str
    index: int
    left: float
    bottom: float
    right: float
    top: float
    across: float
    baseline: float
    style: Style


def _call(function: Callable[..., Any], *arguments: Iterable[int]) -> None:
    deque(map(function, *arguments), maxlen=0)


class Characters:
    """Look-ups of the characters of one text page, by pdfium's index of a character."""

    def __init__(self, text_page: Any) -> None:
        self.text: str = text_page.get_text_range()
        self._page = calls.address(text_page.raw)
        self._count = int(calls.char_count(self._page))
        self._one_to_one = self._count == len(self.text)
        self._across, self._up = ctypes.c_double(), ctypes.c_double()
        self._box, self._matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        self._into_origin = ctypes.byref(self._across), ctypes.byref(self._up)
        self._into_box, self._into_matrix = ctypes.byref(self._box), ctypes.byref(self._matrix)
        self._origins: dict[int, tuple[float, float]] = {}
        self._rights: dict[int, float] = {}
        self._styles: dict[int | None, Style] = {}
        self._bold: dict[int, bool] = {}

    def at(self, position: int) -> int:
        """The index of the character at a position of the page's text."""
        return position if self._one_to_one else int(calls.char_index(self._page, position))

    def indexes(self, positions: Sequence[int]) -> Sequence[int]:
        """The same of many characters."""
        return positions if self._one_to_one else [self.at(position) for position in positions]

    def origin(self, index: int) -> tuple[float, float]:
        """Where the character begins on its baseline."""
        found = self._origins.get(index)
        if found is None:
            calls.char_origin(self._page, index, *self._into_origin)
            found = self._origins[index] = self._across.value, self._up.value
        return found

    def origins(self, indexes: Sequence[int]) -> list[tuple[float, float]]:
        """The same of many characters, each in half the time."""
        points = (ctypes.c_double * (2 * len(indexes)))()
        start, end = ctypes.addressof(points), ctypes.addressof(points) + ctypes.sizeof(points)
        _call(calls.char_origin, repeat(self._page), indexes, range(start, end, 16), range(start + 8, end, 16))
        return list(zip(points[::2], points[1::2], strict=True))

    def right(self, index: int) -> float:
        """The right edge of the character's advance."""
        found = self._rights.get(index)
        if found is None:
            calls.char_box(self._page, index, self._into_box)
            found = self._rights[index] = float(self._box.right)
        return found

    def rights(self, indexes: Sequence[int]) -> list[float]:
        """The same of many characters."""
        boxes = (ctypes.c_float * (4 * len(indexes)))()
        start, end = ctypes.addressof(boxes), ctypes.addressof(boxes) + ctypes.sizeof(boxes)
        _call(calls.char_box, repeat(self._page), indexes, range(start, end, 16))
        return boxes[2::4]  # the left edge comes first, then the upper one

    def end(self, index: int) -> tuple[float, float]:
        """Where the character's advance ends on its baseline, whatever its direction."""
        across, up = self.origin(index)
        turn = self.style(index).turn
        calls.char_box(self._page, index, self._into_box)
        box = self._box
        if turn % 2 == 0:
            return float(box.left if turn else box.right), up
        return across, float(box.top if turn == 1 else box.bottom)

    def style(self, index: int) -> Style:
        """The style of the character; looked up once per text object."""
        return self._style(calls.text_object(self._page, index), index)

    def styles(self, indexes: Sequence[int]) -> list[Style]:
        """The same of many characters."""
        return list(map(self._style, map(calls.text_object, repeat(self._page), indexes), indexes))

    def all(self) -> Iterator[Character]:
        """All characters of the page in pdfium's order, without the line breaks that pdfium supplies."""
        for index in range(self._count):
            code = calls.char_code(self._page, index)
            if code in (10, 13) and calls.is_generated(self._page, index) == 1:
                continue
            across, up = self.origin(index)
            calls.char_box(self._page, index, self._into_box)
            box = self._box
            yield Character(
                text=chr(code) if code <= 0x10FFFF else "\ufffd",
                index=index,
                left=float(box.left),
                bottom=float(box.bottom),
                right=float(box.right),
                top=float(box.top),
                across=across,
                baseline=up,
                style=self.style(index),
            )

    def _style(self, text_object: int | None, index: int) -> Style:
        found = self._styles.get(text_object)
        if found is None:
            found = self._look_up(text_object, index)
            if text_object:
                self._styles[text_object] = found
        return found

    def _look_up(self, text_object: int | None, index: int) -> Style:
        calls.char_matrix(self._page, index, self._into_matrix)
        matrix = self._matrix
        a, b = matrix.a, matrix.b
        size = calls.font_size(self._page, index) * math.hypot(b, matrix.d)
        turn = 0 if a > abs(b) else round(math.atan2(b, a) / (math.pi / 2)) % 4
        if not text_object:
            return Style(size, False, turn)
        font = calls.text_font(text_object) or 0
        if font not in self._bold:
            self._bold[font] = self._is_bold(index)
        return Style(size, self._bold[font], turn, calls.text_mode(text_object) == _INVISIBLE)

    def _is_bold(self, index: int) -> bool:
        if calls.font_weight(self._page, index) >= _BOLD_WEIGHT:
            return True
        name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
        calls.font_info(self._page, index, name, len(name), ctypes.byref(flags))
        return _BOLD_NAME.search(name.value) is not None
