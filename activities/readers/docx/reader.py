"""Word documents and templates: rewrites what unstructured skips or misreads, then partitions the document.

Rewritten are wrappers and text boxes (``structure``), struck-out, hidden and raised text (``runs``, ``notes``),
equations and form fields. Read apart, and put where they stand, are tables, comments and objects; headers and footers
come first, embedded files last.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from docx.document import Document
from docx.exceptions import PythonDocxError
from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, told
from activities.phrases import RemarkText
from activities.readers import embedded
from activities.readers.docx import package, tables
from activities.readers.docx.comments import insert_comments
from activities.readers.docx.content import TABLE, Insertions
from activities.readers.docx.notes import Notes, references
from activities.readers.docx.objects import Objects
from activities.readers.docx.running import facts
from activities.readers.docx.runs import Styles, leave_out, leave_out_rows, prints, write_equations, write_fields
from activities.readers.docx.structure import outline_to_headings, without_changes
from activities.readers.headings import heading
from activities.readers.partition import Progress, element, page_limit, partition_word, source_elements
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_MAX_BOLD_HEADING = 60
_DAMAGED = (
    *(KeyError, ValueError, AttributeError, IndexError, TypeError, ArithmeticError),
    *(OSError, etree.LxmlError, zipfile.BadZipFile, PythonDocxError),
)


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a Word document, with pages only where Word recorded its page breaks."""
    with embedded.scope(path) as scope:
        try:
            document = package.opened(path, limits)
            reading = _Document(document, limits).read(scope, progress)
        except _DAMAGED as exc:
            raise DamagedDocument(format="docx", detail=told(exc)) from exc
    page_limit(reading.pages or 0, limits)
    return reading


class _Document:
    """One document that is being read."""

    def __init__(self, document: Document, limits: ParseSettings) -> None:
        self._document = document
        self._body = document.element.body
        self._limits = limits
        self._styles = Styles(document.styles.element)
        self._remarks: Counter[RemarkText] = Counter()

    def read(self, scope: embedded.Scope, progress: Progress) -> Reading:
        """Rewrites the document and reads it."""
        insertions = Insertions(self._body)
        write_fields(self._body)
        self._rewrite(self._body)
        objects = Objects(self._document, self._limits, scope, progress)
        objects.insert(insertions)
        insert_comments(self._document, insertions, self._rewrite)
        outline_to_headings(self._document)
        insertions.place()
        elements = self._with_facts(self._elements(insertions))
        pages = max((item.page for item in elements if item.page), default=None)
        progress(objects.steps, objects.steps)
        return Reading([*elements, *objects.files], pages, remarks=self._remarks + objects.remarks)

    def _rewrite(self, root: Any) -> None:
        """Rewrites the tree of the body, or of notes, comments, headers and footers."""
        without_changes(root)
        leave_out_rows(root, self._remarks, hidden=self._limits.hidden == "read")
        found = prints(root, self._styles)
        leave_out(found, self._remarks, hidden=self._limits.hidden == "read")
        write_equations(root)
        notes = references(self._document, self._rewrite) if root is self._body else {}
        Notes(root, found, notes).write()

    def _elements(self, insertions: Insertions) -> list[Element]:
        items = partition_word(self._document)
        titled = any(isinstance(item, source_elements.Title) for item in items)
        bodies = iter(self._body.iterchildren(TABLE))
        elements: list[Element] = []
        for item in items:
            page = item.metadata.page_number
            if isinstance(item, source_elements.Table):
                elements += tables.elements_of(next(bodies), page)
            elif (inserted := insertions.elements(item.text)) is not None:
                elements += [msgspec.structs.replace(found, page=page) for found in inserted]
            elif (converted := element(item, 0) if titled else _bold_title(item)) is not None:
                elements.append(converted)
        return elements

    def _with_facts(self, elements: list[Element]) -> list[Element]:
        """The elements with headers and footers behind the title of the document."""
        titles = {item.text.lower() for item in elements if item.kind == "title"}
        found = facts(self._document, titles, self._rewrite)
        if not found:
            return elements
        at = 1 if elements and elements[0].kind == "title" else 0
        page = elements[0].page if elements else None
        return [*elements[:at], *(Element(text=text, page=page) for text in found), *elements[at:]]


def _bold_title(item: source_elements.Element) -> Element | None:
    """In documents without heading styles, marks short bold lines and lines worded as headings."""
    converted = element(item, 0)
    if converted is None or converted.kind != "text":
        return converted
    by_words = heading(converted.text)
    tags = item.metadata.emphasized_text_tags or []
    bold = "".join(
        text for text, tag in zip(item.metadata.emphasized_text_contents or [], tags, strict=False) if tag == "b"
    )
    all_bold = "".join(bold.split()) == "".join(converted.text.split())
    if by_words and (all_bold or len(converted.text) < _MAX_BOLD_HEADING):
        return Element(text=by_words[0], kind="title", page=converted.page, level=by_words[1])
    if all_bold and len(converted.text) < _MAX_BOLD_HEADING and converted.text[-1] not in ".。,，;；:：":
        return Element(text=converted.text, kind="title", page=converted.page, level=3)
    return converted
