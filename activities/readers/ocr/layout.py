"""Recognised lines → printed lines in reading order: levels pages, separates columns from tables, unifies sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import msgspec

from activities.readers.layout import DIVIDED, Line
from activities.readers.ocr.engine import Recognised
from activities.readers.text import CJK_END, CJK_START, columns

_SKEWED = 0.003  # radians; smaller angles are not corrected
_FLAT = 4.0  # width ÷ height of the lines that determine the page's angle
_FONT = 0.72  # font size ÷ height of a box
_BASELINE = 0.3  # of a font size, below the middle of a line
_SAME_ROW = 0.5  # vertical distance within a row, in heights of the lower line
_GUTTER = 0.4  # minimum width between columns, in line heights; boxes are larger than their text
_PROSE_LINES, _PROSE_WIDTH = 4, 8.0  # a column has at least this many lines of this median width in line heights
_CROSSING = 0.25  # maximum share of a page's lines that cross a gutter: titles, wide figures
_TABLE = 0.4  # share of rows with several pieces that makes a page a table
_SIMILAR = 1.2  # sizes whose ratio is smaller count as equal
_DIVIDED = re.compile(r"[^\W\d_]-$")
_STEP = 1.3  # larger sizes are rounded to powers of this ratio


class Piece(msgspec.Struct):
    """A recognised line, or a row of several, on a level page; in points, with ``top`` less than ``bottom``.

    ``advance`` is the width of the text: the sum of the widths of the lines in a row.
    """

    text: str
    left: float
    right: float
    top: float
    bottom: float
    advance: float
    upright: bool = True

    @property
    def middle(self) -> float:
        """Its vertical position on the page."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """The height of its line."""
        return self.bottom - self.top


def printed(recognised: Recognised, page: int, longer_side: float) -> list[Line]:
    """The lines of a page in reading order; ``longer_side`` is the length of the page's longer side in points."""
    scale = longer_side / max(recognised.width, recognised.height)
    pieces = _level(recognised, scale)
    vertical = sorted((piece for piece in pieces if not piece.upright), key=lambda piece: (-piece.left, piece.top))
    ordered = _ordered([piece for piece in pieces if piece.upright and not _is_scrap(piece, vertical)])
    return _with_divided_words([_line(piece, page, recognised.height * scale) for piece in [*ordered, *vertical]])


def even_sizes(lines: Sequence[Line], others: Sequence[Line] = ()) -> None:
    """Gives lines of similar font sizes one size.

    The body text gets the size of ``others``, the lines that were not recognised, where the two are close.
    """
    upright = [line for line in lines if line.size > 1]
    if not upright:
        return
    body = _median_size(upright)
    others_size = _median_size(others) if others else body
    target = others_size if 1 / _SIMILAR < others_size / body < _SIMILAR else body
    for line in upright:
        ratio = line.size / body
        if ratio < 1 / _SIMILAR:
            line.size = round(line.size * 2) / 2
        else:
            line.size = target * (_STEP ** max(1, round(math.log(ratio, _STEP))) if ratio > _SIMILAR else 1.0)


def _with_divided_words(lines: list[Line]) -> list[Line]:
    """Joins words divided at the end of a line and marks the hyphen, which ``layout.divided_words`` resolves."""
    for line, after in pairwise(lines):
        first, _, rest = after.text.partition(" ")
        if _DIVIDED.search(line.text) and rest and first[0].islower() and line.size > 1:
            line.text, after.text = line.text[:-1] + DIVIDED + first, rest
    return lines


def _median_size(lines: Sequence[Line]) -> float:
    """The median font size, weighted by characters."""
    ordered = sorted(lines, key=lambda line: line.size)
    half, seen = sum(len(line.text) for line in ordered) / 2, 0
    for line in ordered:
        seen += len(line.text)
        if seen >= half:
            return line.size
    return ordered[-1].size


def _level(recognised: Recognised, scale: float) -> list[Piece]:
    """The lines on a page rotated by their median angle."""
    flat = [line.box.angle for line in recognised.lines if line.box.width > _FLAT * line.box.height]
    angle = median(flat) if flat else 0.0
    angle = angle if abs(angle) > _SKEWED else 0.0
    cosine, sine = math.cos(angle), math.sin(angle)
    pieces = []
    for line in recognised.lines:
        box = line.box
        x, y = (box.x * cosine + box.y * sine) * scale, (box.y * cosine - box.x * sine) * scale
        width, height = box.width * scale, box.height * scale
        pieces.append(
            Piece(
                text=line.text,
                left=x - width / 2,
                right=x + width / 2,
                top=y - height / 2,
                bottom=y + height / 2,
                advance=width,
                upright=not box.tall,
            )
        )
    return pieces


def _is_scrap(piece: Piece, vertical: list[Piece]) -> bool:
    """Whether a piece is a fragment of a vertical line that was also detected as a line of its own."""
    middle = (piece.left + piece.right) / 2
    return len(piece.text) < 3 and any(line.left < middle < line.right for line in vertical)


def _ordered(pieces: list[Piece]) -> list[Piece]:
    """The pieces in reading order: column by column where there are columns, row by row elsewhere."""
    gutter = _gutter(pieces)
    if gutter is None:
        return _by_rows(pieces)
    crossing = sorted((piece for piece in pieces if piece.left < gutter < piece.right), key=lambda piece: piece.middle)
    ordered: list[Piece] = []
    above = -math.inf
    for separator in [*crossing, None]:
        below = separator.middle if separator else math.inf
        band = [piece for piece in pieces if above <= piece.middle < below]
        ordered += _ordered([piece for piece in band if piece.right <= gutter])
        ordered += _ordered([piece for piece in band if piece.left >= gutter])
        ordered += [separator] if separator else []
        above = below
    return ordered


def _gutter(pieces: list[Piece]) -> float | None:
    """The x position between two columns of running text that few lines cross; None without columns."""
    if len(pieces) < 2 * _PROSE_LINES:
        return None
    height = median(piece.height for piece in pieces)
    best: tuple[float, float, float] | None = None
    for edge in sorted({round(piece.right) for piece in pieces}):
        x = edge + _GUTTER * height / 2
        left = [piece for piece in pieces if piece.right <= x]
        right = [piece for piece in pieces if piece.left >= x]
        crossing = len(pieces) - len(left) - len(right)
        if crossing > _CROSSING * len(pieces) or not _is_prose(left) or not _is_prose(right):
            continue
        begins, ends = min(piece.left for piece in right), max(piece.right for piece in left)
        if begins - ends >= _GUTTER * height and (best is None or (crossing, ends - begins) < best[:2]):
            best = (crossing, ends - begins, (begins + ends) / 2)
    return best[2] if best else None


def _is_prose(pieces: list[Piece]) -> bool:
    """Whether the pieces are lines of running text rather than cells of a table."""
    if len(pieces) < _PROSE_LINES:
        return False
    return median(piece.right - piece.left for piece in pieces) >= _PROSE_WIDTH * median(
        piece.height for piece in pieces
    )


def _by_rows(pieces: list[Piece]) -> list[Piece]:
    """The pieces from top to bottom; in a table, the cells of each row are joined."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.middle):
        row = rows[-1] if rows else None
        if row is not None and piece.middle - row[0].middle < _SAME_ROW * min(piece.height, row[0].height):
            row.append(piece)
        else:
            rows.append([piece])
    for row in rows:
        row.sort(key=lambda piece: piece.left)
    if sum(len(row) > 1 for row in rows) < max(2, _TABLE * len(rows)):
        return [piece for row in rows for piece in row]
    return [_joined(row) for row in rows]


def _joined(row: list[Piece]) -> Piece:
    """The cells of a row joined into one line."""
    text = row[0].text
    for before, piece in pairwise(row):
        close = piece.left - before.right < 0.5 * piece.height
        space = "" if close and CJK_END.search(text) and CJK_START.match(piece.text) else " "
        text += space + piece.text
    return Piece(
        text=text,
        left=row[0].left,
        right=row[-1].right,
        top=min(piece.top for piece in row),
        bottom=max(piece.bottom for piece in row),
        advance=sum(piece.advance for piece in row),
    )


def _line(piece: Piece, page: int, page_height: float) -> Line:
    size = max(1.0, _size(piece)) if piece.upright else 1.0  # vertical text in the margin is never a heading
    baseline = page_height - piece.middle - _BASELINE * size
    return Line(
        text=piece.text, page=page, left=piece.left, right=piece.right, first=baseline, last=baseline,
        size=size, bold=False, page_height=page_height,
    )  # fmt: skip


def _size(piece: Piece) -> float:
    """The font size in points: the geometric mean of estimates from height and from width, both of which are rough."""
    by_height, wide = _FONT * piece.height, columns(piece.text)
    if wide < 4:
        return by_height
    return math.sqrt(by_height * 2 * max(1.0, piece.advance - 0.4 * piece.height) / wide)
