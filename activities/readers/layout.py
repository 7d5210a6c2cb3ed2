"""Lines of printed pages → paragraphs: joins wrapped lines and divided words.

Independent of PDF. Coordinates are in points with the origin at the lower left, as in printing.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from statistics import median

import msgspec

from activities.readers.headings import heading
from activities.readers.tables.grid import Cell
from activities.readers.text import CJK_END, CJK_START, ITEM, columns, join
from activities.text.raised import superscript
from activities.text.scripts import HANGUL

DIVIDED = "\ufffe"
"""The character that pdfium puts in place of a hyphen at the end of a line."""

_HEADING_RATIO = 1.12
_MAX_HEADING = 150
_MAX_BOLD_HEADING = 100
_REAL_PARAGRAPH = 50
_MARK = 3  # characters of a raised number that stands alone
_FOOT, _SMALL_PRINT = 6, 0.95  # paragraphs at the foot of a page, in print smaller than this share of the text
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[^\W\d_]")
_NO_HEADING = re.compile(r"@|https?:|www\.|…|\.{3}")
_TERMINATED = re.compile(r"[.!?:;。！？：；…][\"'”’」』）)\]]*$")
_LETTERS = re.compile(r"[^\W\d_]")
_HANGUL = re.compile(f"[{HANGUL}]")
_CARRIED = re.compile(rf"[^\W\d_][-{DIVIDED}]$")
_DIVISION = re.compile(rf"((?<!\w)\w*+|){DIVIDED}\s*+(\w*+)")


class PrintedTable(msgspec.Struct):
    """A table, and where each of its columns begins and ends."""

    rows: list[list[Cell]]
    columns: list[tuple[float, float]]


class Line(msgspec.Struct):
    """One printed line and its position, or the place of a ``table``, whose texts are then its text.

    ``first`` and ``last`` are the baselines of its first and last character. They differ where pdfium joined two
    printed lines at a divided word. ``notes`` are the marks and texts of the notes that the line leads to.
    A line is ``carried`` when its first word was completed on the page before, and ``alone`` when no other line
    belongs to its paragraph.
    """

    text: str
    page: int
    left: float
    right: float
    first: float
    last: float
    size: float
    bold: bool
    page_height: float
    table: PrintedTable | None = None
    notes: tuple[tuple[str, str], ...] = ()
    carried: bool = False
    alone: bool = False


class Paragraph(msgspec.Struct):
    """A paragraph with the page it begins on; headings have a ``level`` (1 is the highest).

    ``text`` is that of its ``lines``, joined when all are known. A ``table`` stands alone.
    """

    lines: list[str]
    page: int
    size: float
    bold: bool
    last: Line
    text: str = ""
    level: int | None = None
    table: PrintedTable | None = None
    notes: tuple[tuple[str, str], ...] = ()


def divided_words(pages: list[list[Line]]) -> list[list[Line]]:
    """Joins words divided at the end of a line; keeps the hyphen of words that have one elsewhere in the text."""
    text = " ".join(line.text for page in pages for line in page)
    words = Counter(re.findall(r"\w+(?:-\w+)*", text)) if DIVIDED in text else Counter()

    def joined(match: re.Match[str]) -> str:
        before, after = match[1], match[2]
        hyphenated = f"{before}-{after}"
        keep = not after or not after[0].islower() or words[hyphenated] > words[before + after]
        return hyphenated if keep else before + after

    for page in pages:
        for line in page:
            if DIVIDED in line.text:
                line.text = _DIVISION.sub(joined, line.text)
                if line.table is not None:
                    line.table.rows = [
                        [msgspec.structs.replace(cell, text=_DIVISION.sub(joined, cell.text)) for cell in row]
                        for row in line.table.rows
                    ]
    return pages


def carried_words(pages: list[list[Line]]) -> list[list[Line]]:
    """Completes the words that are divided at the end of a page."""
    for page, after in pairwise(pages):
        if not page or not after:
            continue
        last, first = page[-1], after[0]
        word, _, rest = first.text.partition(" ")
        if last.table is not None or first.table is not None:
            continue
        if _CARRIED.search(last.text) and word[0].islower() and rest:
            last.text, first.text, first.carried = last.text[:-1] + DIVIDED + word, rest, True
    return divided_words(pages)


def paragraphs(pages: list[list[Line]]) -> list[Paragraph]:
    """All paragraphs in reading order; headings are marked where size, weight or wording is unambiguous."""
    everything = [line for page in pages for line in page]
    if not everything:
        return []
    body = body_size(everything)
    leading = _leading(everything)
    mostly_bold = sum(len(line.text) for line in everything if line.bold) * 2 > sum(
        len(line.text) for line in everything
    )
    document: list[Paragraph] = []
    for page in pages:
        for block in _blocks(page, leading):
            for index, group in enumerate(_split(block)):
                _append(document, group, column_break=index == 0 and _starts_column(document, block))
    for item in document:
        item.text = join(item.lines)
    _mark_headings(document, body, mostly_bold)
    return document


def whole_lines(lines: list[Line]) -> list[Line]:
    """Joins the parts of one printed line, which pdfium cuts at superscripts and wide gaps."""
    joined: list[Line] = []
    for line in lines:
        before = joined[-1] if joined else None
        if before is not None and _same_row(before, line):
            if len(before.text) <= _MARK and _is_raised(before, line):
                before.text, before.first = superscript(before.text), line.first
            elif len(line.text) <= _MARK and _is_raised(line, before):
                line.text, line.last = superscript(line.text), before.last
            space = "" if line.left - before.right < 0.15 * before.size else " "
            before.text = f"{before.text}{space}{line.text}"
            before.right, before.bold = max(before.right, line.right), before.bold and line.bold
            before.size, before.last = max(before.size, line.size), line.last
        else:
            joined.append(line)
    return joined


def _is_raised(mark: Line, line: Line) -> bool:
    """Whether a number stands above the line beside it, in smaller print."""
    rise = mark.first - line.first if mark.left < line.left else mark.first - line.last
    return mark.text.isdecimal() and mark.size < 0.92 * line.size and 0.12 * line.size < rise


def _same_row(before: Line, line: Line) -> bool:
    if before.table is not None or line.table is not None or before.alone or line.alone:
        return False
    gap, rise = line.left - before.right, abs(before.last - line.first)
    size = max(before.size, line.size)
    if not -0.5 * size <= gap < 3 * size:
        return False
    return rise < 0.2 * size or (rise < 0.7 * size and gap < 0.5 * size)


def body_size(lines: list[Line]) -> float:
    weights: Counter[float] = Counter()
    for line in lines:
        weights[round(line.size * 2) / 2] += len(line.text)
    return weights.most_common(1)[0][0]


def _leading(lines: list[Line]) -> float:
    """The usual distance from line to line, in font sizes."""
    steps = [
        (before.last - line.first) / line.size
        for before, line in pairwise(lines)
        if before.page == line.page and 0 < before.last - line.first < 3 * line.size
    ]
    return median(steps) if steps else 1.2


def _blocks(lines: list[Line], leading: float) -> list[list[Line]]:
    """Runs of consecutive lines of one font size at the usual distance."""
    blocks: list[list[Line]] = []
    for line in lines:
        before = blocks[-1][-1] if blocks else None
        if before is None or _starts_block(before, line, leading):
            blocks.append([])
        blocks[-1].append(line)
    return blocks


def _starts_block(before: Line, line: Line, leading: float) -> bool:
    if before.table is not None or line.table is not None or before.alone or line.alone:
        return True
    step = before.last - line.first
    if step <= 0 or step > 1.35 * leading * max(before.size, line.size):
        return True
    if abs(before.size - line.size) > 0.1 * max(before.size, line.size):
        return True
    if before.bold != line.bold and len(before.text) <= _MAX_BOLD_HEADING and not line.text[0].islower():
        return True
    return line.left > before.right or line.right < before.left


def _split(block: list[Line]) -> list[list[Line]]:
    """The paragraphs of a block, separated by indents, short last lines and list markers."""
    left, right = min(line.left for line in block), max(line.right for line in block)
    groups = [[block[0]]]
    for before, line in pairwise(block):
        if _starts_paragraph(before, line, left, right):
            groups.append([])
        groups[-1].append(line)
    return groups


def _starts_paragraph(before: Line, line: Line, left: float, right: float) -> bool:
    if ITEM.match(line.text):
        return True
    ended = _TERMINATED.search(before.text) is not None
    if ended and line.left > left + 0.8 * line.size and before.left < line.left - 0.5 * line.size:
        return True
    if CJK_START.match(line.text) and not _HANGUL.match(line.text):
        word = 1.5 * line.size
    else:
        word = 0.5 * line.size * (columns(line.text.split(maxsplit=1)[0]) + 1)
    # The next word would have fitted: the line break is deliberate.
    return right - before.right > (word if ended else 1.5 * word + line.size)


def _starts_column(document: list[Paragraph], block: list[Line]) -> bool:
    """Whether a block begins in another column or on another page than the last paragraph ends."""
    if not document:
        return False
    last, first = document[-1].last, block[0]
    return first.page != last.page or first.first > last.last


def _append(document: list[Paragraph], group: list[Line], *, column_break: bool) -> None:
    lines, first, last = [line.text for line in group], group[0], group[-1]
    notes = tuple(note for line in group for note in line.notes)
    before = _before_break(document, first) if column_break and first.table is None else None
    if before is not None and before.table is None and _continues(before, first):
        before.lines += lines
        before.last, before.notes = last, before.notes + notes
        return
    bold = all(line.bold for line in group)
    document.append(
        Paragraph(
            lines=lines,
            page=first.page,
            size=first.size,
            bold=bold,
            last=last,
            table=first.table,
            notes=notes,
        )
    )


def _before_break(document: list[Paragraph], line: Line) -> Paragraph | None:
    """The last paragraph that is not smaller print, such as notes, at the foot of the page before."""
    for paragraph in document[: -_FOOT - 1 : -1]:
        if paragraph.size >= _SMALL_PRINT * line.size or paragraph.last.page == line.page:
            return paragraph
    return None


def _continues(before: Paragraph, line: Line) -> bool:
    """Whether this line continues a paragraph that was cut by a column or page break."""
    if abs(before.size - line.size) > 0.05 * line.size or before.bold != line.bold:
        return False
    if line.carried or len(before.lines) < 2:
        return line.carried
    if _TERMINATED.search(before.last.text) or ITEM.match(line.text) or line.page - before.last.page > 1:
        return False
    if line.text[0].islower():
        return True
    return bool(CJK_START.match(line.text)) and bool(CJK_END.search(before.last.text)) and heading(line.text) is None


def _mark_headings(document: list[Paragraph], body: float, mostly_bold: bool) -> None:
    sizes = sorted(
        {round(item.size) for item in document if item.table is None and _is_large(item, body)}, reverse=True
    )
    for item, after in zip(document, [*document[1:], None], strict=True):
        if item.table is not None or (after is not None and after.table is None and after.text[0].islower()):
            continue  # the emphasised beginning of a sentence
        worded = heading(item.text) if len(item.lines) == 1 else None
        if _is_large(item, body):
            item.level = min(4, sizes.index(round(item.size)) + 1)
        elif item.bold and worded is not None:
            item.level = worded[1]
        elif item.bold and not mostly_bold and _heads_text(item, after):
            item.level = min(5, len(sizes) + 1)
    _level_by_number([item for item in document if item.level is not None])


def _heads_text(item: Paragraph, after: Paragraph | None) -> bool:
    """Whether a bold line heads a paragraph rather than labelling part of a figure or table."""
    if len(item.lines) > 2 or not _may_head(item, _MAX_BOLD_HEADING) or after is None:
        return False
    return not after.bold and (len(after.text) >= _REAL_PARAGRAPH or ITEM.match(after.text) is not None)


def _level_by_number(headings: list[Paragraph]) -> None:
    """Sets the level of numbered headings by their numbers: 3.1 is below 3, whatever the fonts are."""
    depths = [(len(number[1].split(".")), item) for item in headings if (number := _NUMBERED.match(item.text))]
    if not depths:
        return
    highest = min(depth for depth, _ in depths)
    base = min(item.level or 1 for depth, item in depths if depth == highest)
    for depth, item in depths:
        item.level = base + depth - highest


def _is_large(item: Paragraph, body: float) -> bool:
    return item.size >= _HEADING_RATIO * body and len(item.lines) <= 3 and _may_head(item, _MAX_HEADING)


def _may_head(item: Paragraph, longest: int) -> bool:
    text = item.text
    if len(text) > longest or text[-1] in ".,;:。，；：" or _NO_HEADING.search(text):
        return False
    return len(_LETTERS.findall(text)) >= 2
