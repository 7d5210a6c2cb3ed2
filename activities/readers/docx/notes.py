"""Raised and lowered text: exponents, indices, and the marks of notes, whose texts follow the paragraph or row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from docx.document import Document
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml

from activities.readers.docx.content import (
    CELL,
    PARAGRAPH,
    ROW,
    RUN,
    clear,
    new_paragraph,
    new_run,
    paragraphs_text,
    set_text,
    text_of,
)
from activities.readers.docx.package import related
from activities.readers.docx.runs import Print
from activities.text.raised import apart, lowered, mark_of, meaning, note_of_mark, superscript
from activities.text.scripts import is_han

_FOLLOWS = qn("w:customMarkFollows")
_REPEATED = 500  # characters of a note that is written at each of its marks; a longer one is written once


class Note(msgspec.Struct):
    """A note, the paragraph that it is in if it belongs to the text, and how often it was written."""

    mark: str
    text: str
    paragraph: Any = None
    uses: int = 0


def references(document: Document, prepare: Callable[[Any], None]) -> dict[Any, Note]:
    """The footnotes and endnotes of a document by the runs that refer to them.

    ``prepare`` rewrites their trees like that of the document.
    """
    found: dict[Any, Note] = {}
    for kind in ("footnote", "endnote"):
        marks = list(document.element.body.iter(qn(f"w:{kind}Reference")))
        part = related(document.part, f"{kind}s")
        if part is None or not marks:
            continue
        root = parse_xml(part.blob)
        prepare(root)
        texts = {note.get(qn("w:id")): paragraphs_text(note) for note in root.iter(qn(f"w:{kind}"))}
        count = 0
        for mark in marks:
            run, text = mark.getparent(), texts.get(mark.get(qn("w:id")), "")
            own = text_of(run).strip() if mark.get(_FOLLOWS) else ""
            count += not own
            if run.tag == RUN:
                found[run] = Note(own or str(count), text)
    return found


class Notes:
    """The raised and lowered text of a tree, and its notes: by reference, and by the marks that begin paragraphs."""

    def __init__(self, root: Any, prints: Mapping[Any, Print], references: Mapping[Any, Note]) -> None:
        self._prints = prints
        self._references = references
        self._marked: dict[str, list[Note]] = defaultdict(list)
        self._passed: dict[str, int] = defaultdict(int)
        self._raised = {
            run for run, printed in prints.items() if printed.shift and run not in references and text_of(run)
        }
        self._paragraphs = dict.fromkeys(
            paragraph
            for run in (root.iter(RUN) if self._raised or references else ())
            if run in self._raised or run in references
            for paragraph in run.iterancestors(PARAGRAPH)
        )
        self._collect_marked()

    def _collect_marked(self) -> None:
        """Paragraphs that begin with a raised mark are the notes of that mark."""
        for paragraph in self._paragraphs:
            runs = [run for run in paragraph.iter(RUN) if text_of(run)]
            if len(runs) < 2 or runs[0] not in self._raised or self._prints[runs[0]].shift != "superscript":
                continue
            mark, text = mark_of(text_of(runs[0])), " ".join("".join(map(text_of, runs[1:])).split())
            if mark and len(text) > len(mark):
                self._marked[mark].append(Note(mark, text, paragraph))

    def write(self) -> None:
        """Rewrites the raised and lowered text of all paragraphs, and removes notes that now follow their marks."""
        own = {note.paragraph: note for notes in self._marked.values() for note in notes}
        for paragraph, note in own.items():
            self._write_paragraph(paragraph)
            runs = [run for run in paragraph.iter(RUN) if text_of(run)]
            note.text = " ".join("".join(map(text_of, runs[1:])).split())
        for paragraph in self._paragraphs:
            if paragraph in own:
                self._passed[own[paragraph].mark] += 1
            else:
                self._write_paragraph(paragraph)
        for notes in self._marked.values():
            for note in notes:
                if note.uses:
                    for run in note.paragraph.iter(RUN):
                        clear(run)

    def _write_paragraph(self, paragraph: Any) -> None:
        runs = [run for run in paragraph.iter(RUN) if run in self._references or text_of(run)]
        if all(run in self._raised for run in runs):
            return
        found: list[Note] = []
        before, place = "", 0
        while place < len(runs):
            run = runs[place]
            place += 1
            if run in self._references:
                found.append(self._references[run])
                clear(run)
            elif run not in self._raised:
                before = (before + text_of(run))[-80:]
            else:
                shift, raised = self._prints[run].shift, text_of(run)
                while place < len(runs) and runs[place] in self._raised and self._prints[runs[place]].shift == shift:
                    raised += text_of(runs[place])
                    clear(runs[place])
                    place += 1
                after = text_of(runs[place]) if place < len(runs) else ""
                shown, notes = self._shown(before, raised, after, shift == "superscript")
                set_text(run, shown)
                found += notes
                before = (before + shown)[-80:]
        if found:
            _append(paragraph, found)

    def _shown(self, before: str, raised: str, after: str, is_superscript: bool) -> tuple[str, list[Note]]:
        """What stands in place of a raised or lowered text, and the notes that it refers to."""
        mark = raised.strip()
        if not is_superscript:
            return lowered(raised), []
        if not mark or not before.strip():
            return superscript(raised) if mark_of(mark).isalnum() else raised, []
        if before[-1:].isspace() and after[:1].isalnum():
            return superscript(mark), []
        notes = [note for part in mark.replace("，", ",").split(",") if (note := self._note(part)) is not None]
        noted = len(notes) == len(mark.replace("，", ",").split(","))
        kind = meaning(before, raised, after, noted=noted)
        if kind == "mark":
            return ("", notes) if noted else (apart(before, mark), [])
        return (superscript(mark) if kind == "power" else raised), []

    def _note(self, mark: str) -> Note | None:
        """The next note of a mark below this place, else the last one above."""
        notes = self._marked.get(mark_of(mark), [])
        return notes[min(self._passed[mark_of(mark)], len(notes) - 1)] if notes else None


def _append(paragraph: Any, notes: list[Note]) -> None:
    """Writes notes behind the text of a paragraph, of the row that it is in, or of the heading that it is."""
    texts = []
    for note in {id(note): note for note in notes}.values():
        shown = note.text if note.uses == 0 or len(note.text) <= _REPEATED else ""
        note.uses += 1
        if shown:
            texts.append(note_of_mark(note.mark, shown, chinese=is_han(shown)))
    text = "".join(texts)
    if not text:
        return
    row = next(paragraph.iterancestors(ROW), None)
    if row is not None:
        cells = list(row.iterchildren(CELL))
        paragraph = (list(cells[-1].iterchildren(PARAGRAPH)) or [paragraph])[-1] if cells else paragraph
    elif _is_heading(paragraph):
        paragraph.addnext(new_paragraph(paragraph, text.strip()))
        return
    paragraph.append(new_run(paragraph, text))


def _is_heading(paragraph: Any) -> bool:
    style = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
    name = style.get(qn("w:val"), "") if style is not None else ""
    return (
        name.lower().startswith(("heading", "title"))
        or paragraph.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}") is not None
    )
