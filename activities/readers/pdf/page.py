"""The lines of a PDF page in reading order, from the text as pdfium reads it.

pdfium's lines are kept where they are right, which costs a few look-ups for each. What they do not tell is looked up
where they give a sign of it: raised characters, columns side by side, upright columns, Arabic, text that is turned.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import pypdfium2

from activities.readers.layout import Line
from activities.readers.pdf.bidi import RIGHT_TO_LEFT, ordered
from activities.readers.pdf.characters import Characters, Style
from activities.readers.pdf.columns import GAP, in_columns
from activities.readers.pdf.fields import Field
from activities.readers.pdf.raised import ends_raised, formed, shift, with_raised
from activities.readers.pdf.vertical import may_be_vertical, vertical_lines
from activities.readers.pdf_scan import covered
from activities.readers.text import columns

_FEWEST_DOTS = 5  # of a table of contents
_LEADERS = re.compile(rf"(?<!\s)\s*+(?:\.\s?+){{{_FEWEST_DOTS},}}+\s*+")
_LIGATURES = {
    code: unicodedata.normalize("NFKC", chr(code))
    for block in (range(0xFB00, 0xFB07), range(0x2F00, 0x2FE0), range(0x2E80, 0x2F00))
    for code in block
}
_NOT_PRINTED = (range(9), range(14, 32), range(0x7F, 0x85), range(0x86, 0xA0), range(0x202A, 0x202F))
_DROPPED = dict.fromkeys([code for block in _NOT_PRINTED for code in block] + [0x200B, 0x200E, 0x200F, 0xFEFF])
_SPACES = dict.fromkeys((10, 11, 12, 13, 0x85, 0xA0, 0x2028, 0x2029), " ")
_CLEAN = str.maketrans({**_LIGATURES, **_DROPPED, **_SPACES})
_BORDER = " \r\n\t\u00a0"
_WORDS = re.compile(r"\S+")
_SAMPLE, _LONG = 2, 30  # so many lines of at least so many columns are looked at for gaps
_JUMPS = 4  # lines that stand to the right of the one before them

_MOST_FIELDS = 1_000  # of a page that are put beside their labels
_MOST_COMPARED = 5_000_000  # characters of such a page times its fields
_BLANK = "_.…"  # printed where somebody is to write
_SCANNED = 0.5  # the share of a page that images cover if its invisible text is what recognition found in them


class _Gap(NamedTuple):
    """White space in a line before the character at ``position``."""

    position: int
    left: float
    right: float


def cleaned(text: str) -> str:
    """The text with ligatures as letters, and without what is not printed."""
    return text if text.isascii() and text.isprintable() else text.translate(_CLEAN)


class Page:
    """One page's text, the look-ups of its characters, and its lines."""

    def __init__(
        self,
        page: pypdfium2.PdfPage,
        text_page: pypdfium2.PdfTextPage,
        number: int,
        *,
        hidden: bool = False,
        fields: Sequence[Field] = (),
    ) -> None:
        self.characters = Characters(text_page)
        self.text = self.characters.text
        self.number = number
        self.width, self.height = page.get_size()
        if page.get_rotation() in (90, 270):
            self.width, self.height = self.height, self.width
        few = len(fields) <= _MOST_FIELDS and len(self.text) * len(fields) <= _MOST_COMPARED
        self.fields = [field for field in fields if field.kind != "comment"] if few else []
        self.left_out = 0
        self._page, self._hidden = page, hidden
        self._right_to_left = RIGHT_TO_LEFT.search(self.text) is not None
        self._turns: Counter[int] = Counter()
        self._invisible, self._only_drawn = 0, False

    def lines(self) -> list[Line]:
        """The lines in reading order, on a page turned so that most of its text is upright.

        Text that is not drawn is read where it belongs to the image of a page; ``left_out`` counts its lines elsewhere.
        """
        lines = self._lines()
        if self._invisible and not self._hidden and covered(self._page) < _SCANNED:
            self.left_out, self._only_drawn = self._invisible, True
            lines = self._lines()
        turn = self._turns.most_common(1)[0][0] if self._turns else 0
        if turn:
            lines = self._lines(turn)
            if sum(after.first > line.last for line, after in pairwise(lines)) * 2 > len(lines) - 1:
                lines.sort(key=lambda line: (-line.first, line.left))
        if may_be_vertical(self.text, lines):
            return vertical_lines(self.characters, self.number, self.width, self.height) or lines
        if turn == 0 and self.fields:
            return list(self._between_fields())
        if turn == 0 and self._has_gaps(lines):
            lines = in_columns(list(self._parts())) or lines
        return lines

    def _lines(self, turn: int = 0) -> list[Line]:
        found = (self._line(text, first, turn) for text, first in self._pieces())
        return [line for line in found if line is not None]

    def _pieces(self) -> Iterator[tuple[str, int]]:
        """Each of pdfium's lines with the position of its first character in the text."""
        start = 0
        for raw in self.text.split("\r\n"):
            stripped = raw.strip(_BORDER)
            if stripped:
                yield stripped, start + raw.index(stripped)
            start += len(raw) + 2

    def _line(self, text: str, start: int, turn: int = 0) -> Line | None:
        """A line, positioned by its first and last character: two look-ups per line instead of one per character."""
        characters = self.characters
        first, last = self.characters.at(start), self.characters.at(start + len(text) - 1)
        begins, ends = characters.style(first), characters.style(last)
        self._turns[begins.turn] += len(text)
        if begins.invisible:
            if self._only_drawn:
                return None
            self._invisible += 1
        begin, end = characters.origin(first), characters.origin(last)
        right = characters.right(last)
        first_baseline, last_baseline = begin[1], end[1]
        size = max(begins.size, ends.size)
        if turn == begins.turn == 0 and last - first == len(text) - 1:
            if self._right_to_left and RIGHT_TO_LEFT.search(text):
                text = ordered(characters, text, first)
            text, first_baseline, last_baseline = self._raised(text, first, begin[1], end[1], begins, ends)
        elif turn:
            begin, (right, last_baseline) = self._turned(begin, turn), self._turned(characters.end(last), turn)
            first_baseline = begin[1]
        clean = cleaned(text)
        if clean.count(".") >= _FEWEST_DOTS:
            clean = _LEADERS.sub(" … ", clean)
        clean = clean.strip()
        if not clean:
            return None
        left = begin[0]
        if right < left and self._right_to_left:  # on a page seen from behind
            left, right = self.width - characters.right(first), self.width - end[0]
        return Line(
            text=clean,
            page=self.number,
            left=left,
            right=right,
            first=first_baseline,
            last=last_baseline,
            size=max(1.0, size) if (begins.turn - turn) % 2 == 0 else 1.0,  # across the others: a stamp
            bold=begins.bold and ends.bold,
            page_height=self.width if turn % 2 else self.height,
        )

    def _raised(
        self, text: str, first: int, begin: float, end: float, begins: Style, ends: Style
    ) -> tuple[str, float, float]:
        """The text with its raised characters in Unicode forms, and the baselines of the line without them."""
        raised = ""
        if end != begin and (ends.size < begins.size or len(text) == 1):
            cut = ends_raised(self.characters, text, first)
            if cut < len(text):
                raised = formed(text[:cut], text[cut:], shift(self.characters, first + cut, first + cut - 1))
                text, end = text[:cut], begin
        if begin != end and begins.size < ends.size:
            begin = end
        return with_raised(self.characters, text, first, begin, max(begins.size, ends.size)) + raised, begin, end

    def _turned(self, point: tuple[float, float], turn: int) -> tuple[float, float]:
        """A point of the page on the page turned until text in this direction is upright."""
        x, y = point
        return ((x, y), (y, self.width - x), (self.width - x, self.height - y), (self.height - y, x))[turn]

    def _has_gaps(self, lines: list[Line]) -> bool:
        """Whether lines go on beyond one gap, or line after line stands beside another: a sample of the page."""
        jumps = sum(
            after.left > line.right
            and abs(after.first - line.last) < line.size
            and min(len(line.text), len(after.text)) >= _LONG / 2
            for line, after in pairwise(lines)
        )
        if jumps >= _JUMPS and jumps > len(lines) / 4:
            return True
        long = [piece for piece in self._pieces() if len(piece[0]) >= _LONG or columns(piece[0]) >= _LONG]
        return any(self._gaps(*long[number * len(long) // (_SAMPLE + 1)]) for number in range(1, _SAMPLE + 1) if long)

    def _gaps(self, text: str, start: int) -> list[_Gap]:
        """The wide gaps in a line."""
        gaps = []
        first = self.characters.at(start)
        size = self.characters.style(first).size
        for before, after in pairwise(_WORDS.finditer(text)):
            right = self.characters.origin(first + after.start())[0]
            left = self.characters.right(first + before.end() - 1)
            if right - left >= GAP * size:
                gaps.append(_Gap(after.start(), left, right))
        return gaps

    def _parts(self) -> Iterator[Line]:
        """The lines, cut at wide gaps."""
        for text, start in self._pieces():
            for begin, end in pairwise([0, *(gap.position for gap in self._gaps(text, start)), len(text)]):
                line = self._line(text[begin:end].rstrip(), start + begin)
                if line is not None:
                    yield line

    def _between_fields(self) -> Iterator[Line]:
        """The lines, cut where a field stands between two words, or where one begins right below a gap."""
        for text, start in self._pieces():
            first = self.characters.at(start)
            up, size = self.characters.origin(first)[1], max(1.0, self.characters.style(first).size)
            beside = [field.middle for field in self.fields if field.is_beside(up, size)]
            below = [field.left for field in self.fields if -3 <= up - field.top < 2 * size]
            cuts = [0]
            words = [word for word in _WORDS.finditer(text) if word[0].strip(_BLANK)] if beside or below else []
            for before, after in pairwise(words):
                right = self.characters.origin(first + after.start())[0]
                left = self.characters.right(first + before.end() - 1)
                gap = right - left
                if (
                    any(left < place < right for place in beside)
                    or (beside and gap >= 2 * size)
                    or (gap >= GAP * size and any(left < place < right + 3 for place in below))
                ):
                    cuts.append(after.start())
            for begin, end in pairwise([*cuts, len(text)]):
                line = self._line(text[begin:end].rstrip(), start + begin)
                if line is not None:
                    yield line
