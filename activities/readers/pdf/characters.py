"""The characters of a PDF page with their positions and fonts.

A look-up costs half a microsecond, as much as reading thirty characters of plain text: read lines first, and ask only
for the characters whose position matters. Coordinates are in points with the origin at the lower left.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pypdfium2.raw as pdfium

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


class Characters:
    """Look-ups of the characters of one text page, by pdfium's index of a character."""

    def __init__(self, text_page: Any) -> None:
        self.page = text_page.raw
        self._across, self._up = ctypes.c_double(), ctypes.c_double()
        self._origin = ctypes.byref(self._across), ctypes.byref(self._up)
        self._box, self._matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        self._styles: dict[int, Style] = {}
        self._bold: dict[int, bool] = {}

    def count(self) -> int:
        """The number of characters, with those that have no text."""
        return int(pdfium.FPDFText_CountChars(self.page))

    def at(self, position: int) -> int:
        """The index of the character at a position of the page's text."""
        return int(pdfium.FPDFText_GetCharIndexFromTextIndex(self.page, position))

    def origin(self, index: int) -> tuple[float, float]:
        """Where the character begins on its baseline."""
        pdfium.FPDFText_GetCharOrigin(self.page, index, *self._origin)
        return self._across.value, self._up.value

    def right(self, index: int) -> float:
        """The right edge of the character's advance."""
        pdfium.FPDFText_GetLooseCharBox(self.page, index, self._box)
        return float(self._box.right)

    def end(self, index: int) -> tuple[float, float]:
        """Where the character's advance ends on its baseline, whatever its direction."""
        across, up = self.origin(index)
        turn = self.style(index).turn
        pdfium.FPDFText_GetLooseCharBox(self.page, index, self._box)
        box = self._box
        if turn % 2 == 0:
            return float(box.left if turn else box.right), up
        return across, float(box.top if turn == 1 else box.bottom)

    def style(self, index: int) -> Style:
        """The style of the character; looked up once per text object."""
        text_object = pdfium.FPDFText_GetTextObject(self.page, index)
        key = ctypes.c_void_p.from_buffer(text_object).value or 0
        found = self._styles.get(key)
        if found is None:
            found = self._look_up(text_object, key, index)
            if key:
                self._styles[key] = found
        return found

    def all(self) -> Iterator[Character]:
        """All characters of the page in pdfium's order, without the line breaks that pdfium supplies."""
        for index in range(self.count()):
            code = pdfium.FPDFText_GetUnicode(self.page, index)
            across, up = self.origin(index)
            if code in (10, 13) and pdfium.FPDFText_IsGenerated(self.page, index) == 1:
                continue
            pdfium.FPDFText_GetLooseCharBox(self.page, index, self._box)
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

    def _look_up(self, text_object: Any, key: int, index: int) -> Style:
        pdfium.FPDFText_GetMatrix(self.page, index, self._matrix)
        matrix = self._matrix
        size = pdfium.FPDFText_GetFontSize(self.page, index) * math.hypot(matrix.b, matrix.d)
        turn = 0 if matrix.a > abs(matrix.b) else round(math.atan2(matrix.b, matrix.a) / (math.pi / 2)) % 4
        if not key:
            return Style(size, False, turn)
        font = ctypes.c_void_p.from_buffer(pdfium.FPDFTextObj_GetFont(text_object)).value or 0
        if font not in self._bold:
            self._bold[font] = self._is_bold(index)
        return Style(size, self._bold[font], turn, pdfium.FPDFTextObj_GetTextRenderMode(text_object) == _INVISIBLE)

    def _is_bold(self, index: int) -> bool:
        if pdfium.FPDFText_GetFontWeight(self.page, index) >= _BOLD_WEIGHT:
            return True
        name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
        pdfium.FPDFText_GetFontInfo(self.page, index, name, len(name), flags)
        return _BOLD_NAME.search(name.value) is not None
