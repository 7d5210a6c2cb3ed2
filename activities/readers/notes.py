"""Notes at the foot of a page: each goes to the text that its raised mark stands in, the mark to no word or number.

Raised characters are in their Unicode forms. The same form is an exponent or index (10⁵, m², R²) where no note has
that mark, or where what stands before it says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

import msgspec

from activities.readers.layout import Line, body_size
from activities.readers.tables.grid import Cell
from activities.readers.text import join
from activities.text.raised import meaning, note_of_mark
from activities.text.scripts import HAN

_DIGITS, _LETTERS, _SIGNS = "⁰¹²³⁴⁵⁶⁷⁸⁹", "ᵃᵇᶜᵈᵉᶠᵍʰ", "*∗†‡§¶"
_PLAIN = str.maketrans(_DIGITS + _LETTERS + "∗", "0123456789abcdefgh*", "⁽⁾")
_RAISED = rf"(?:⁽?(?:[{_DIGITS}]{{1,3}}|[{_LETTERS}])⁾?)"
_SIGN = re.compile(f"[{_DIGITS}{_LETTERS}{_SIGNS}]")
_MARKS = re.compile(rf"(?<=[^\s⁺⁻]) ?{_RAISED}(?:, ?{_RAISED}){{0,9}}(?![⁺⁻\w])|(?<=\w)[{_SIGNS}]{{1,3}}(?!\w)")
_MARK = re.compile(rf"{_RAISED}|[{_SIGNS}]+")
_NOTE = re.compile(rf"({_RAISED})[).]?\s*+(\S.*)", re.S)
_SMALL_NOTE = re.compile(
    rf"(?:\[(\d{{1,3}})\]|(\d{{1,3}})[).]?(?=\s)|(\d{{1,3}})\)|([{_SIGNS}]{{1,3}}))\s*+([^\W\d].*)", re.S
)
_NEXT = re.compile(rf"(?<=[.;。；!?)]) (?={_RAISED} ?\w)")
_TERMINATED = re.compile(r"[.!?。！？][\"'”’」』）)\]]*$")
_SMALLER = 0.95  # of the body text
_LONGEST, _MOST = 1000, 20  # characters of a note, and texts to which it is led
_BEFORE, _AFTER, _MOST_ON_LINE = 80, 2, 50  # characters that tell what a raised one is; notes of one line
_STEP, _LINES = 1.8, 12  # font sizes between the lines of a note, and how many it has
_HAN = re.compile(f"[{HAN}]")


class Note(msgspec.Struct, eq=False):
    """A note with its mark, and the number of texts that it was led to."""

    mark: str
    text: str
    uses: int = 0


class _Foot(msgspec.Struct, eq=False):
    """The lines of one note, or of several that follow one another on a line."""

    lines: list[Line]
    notes: list[Note]


def with_notes(text: str, notes: Iterable[tuple[str, str]]) -> str:
    """A paragraph or table row followed by the notes, mark and text, that its marks lead to; each once."""
    chinese = _HAN.search(text) is not None
    shown = [
        note_of_mark(mark, note, chinese=chinese or _HAN.search(note) is not None)
        for mark, note in dict.fromkeys(notes)
    ]
    return "".join([text, *shown])


def led(pages: list[list[Line]]) -> list[list[Line]]:
    """The lines without the notes that a mark on their page leads to; these are in ``notes`` of the marked lines.

    A mark without a note stands apart from the word before it.
    """
    lines = [line for page in pages for line in page]
    if not any(_SIGN.search(line.text) for line in lines):
        return pages
    body = body_size(lines)
    return [_led(page, body) for page in pages]


def _led(page: list[Line], body: float) -> list[Line]:
    signed = [line for line in page if _SIGN.search(line.text)]
    if not signed:
        return page
    feet = _feet(page, body)
    taken = {id(line): foot for foot in feet for line in foot.lines}
    notes: dict[str, Note] = {note.mark: note for foot in feet for note in foot.notes}
    marked = [line for line in signed if id(line) not in taken and _MARKS.search(line.text)]
    for line in marked:
        if line.table is None:
            line.text = _MARKS.sub(partial(_resolved, line, notes), line.text).strip()
        else:
            line.table.rows = [_led_row(row, line, notes) for row in line.table.rows]
    kept = []
    for line in page:
        foot = taken.get(id(line))
        if foot is None or not any(note.uses for note in foot.notes):
            kept.append(line)
        elif line is foot.lines[0] and (rest := [note for note in foot.notes if not note.uses]):
            line.text = " ".join(f"{note.mark} {note.text}" for note in rest)
            kept.append(line)
    return [line for line in kept if line.text]


def _led_row(row: list[Cell], line: Line, notes: dict[str, Note]) -> list[Cell]:
    """A row of a table whose last cell is followed by the notes that the marks in its cells lead to."""
    place = msgspec.structs.replace(line, notes=())
    texts = [_MARKS.sub(partial(_resolved, place, notes), cell.text).strip() for cell in row]
    texts[-1] = with_notes(texts[-1], place.notes).strip()
    return [msgspec.structs.replace(cell, text=text) for cell, text in zip(row, texts, strict=True)]


def _resolved(line: Line, notes: dict[str, Note], match: re.Match[str]) -> str:
    """What stays in the text in place of a mark or exponent; notes of a mark go to its line."""
    before, stays = match.string[max(0, match.start() - _BEFORE) : match.start()], []
    after = match.string[match.end() : match.end() + _AFTER]
    for raised in _MARK.findall(match[0]):
        label = raised.translate(_PLAIN)
        note = notes.get(label)
        if meaning(before, label, after, noted=note is not None) != "mark" or (raised[0] in _SIGNS and note is None):
            return match[0]
        if note is None or note.uses >= _MOST or len(line.notes) >= _MOST_ON_LINE:
            stays.append(raised)
        else:
            note.uses += 1
            line.notes = (*line.notes, (note.mark, note.text))
    return f" {','.join(stays)}" if stays else ""


def _feet(page: list[Line], body: float) -> list[_Foot]:
    """The lines of a page that may be notes: they begin with a mark, or with a number in small print below the text."""
    feet: list[_Foot] = []
    foot: list[Line] = []
    for line in page:
        if _begins(line, body):
            foot = [line]
            feet.append(_Foot(foot, []))
        elif foot and _goes_on(foot, line, body):
            foot.append(line)
        else:
            foot = []
    for item in feet:
        for part in _NEXT.split(join([line.text for line in item.lines])):
            found = _NOTE.match(part) or _SMALL_NOTE.match(part)
            if found is not None and len(part) <= _LONGEST:
                mark = next(group for group in found.groups() if group)
                item.notes.append(Note(mark.translate(_PLAIN), found[found.re.groups].strip()))
    return [item for item in feet if item.notes]


def _begins(line: Line, body: float) -> bool:
    if _NOTE.match(line.text):
        return True
    small = line.size < _SMALLER * body and line.first < line.page_height / 2
    return small and _SMALL_NOTE.match(line.text) is not None


def _goes_on(foot: list[Line], line: Line, body: float) -> bool:
    """Whether a line is the next one of a note."""
    first, before = foot[0], foot[-1]
    step = before.last - line.first
    if (
        len(foot) >= _LINES
        or line.text[0] in _SIGNS
        or abs(line.size - first.size) > 0.06 * first.size
        or not 0 < step < _STEP * line.size
    ):
        return False
    if abs(line.left - first.left) > 4 * line.size:
        return False
    return line.size < _SMALLER * body or not _TERMINATED.search(before.text)
