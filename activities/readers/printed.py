"""Lines of printed pages → elements, each with the page on which it begins."""

from __future__ import annotations

from activities.contracts.documents import Element
from activities.readers import notes
from activities.readers.layout import Line, Paragraph, carried_words, divided_words, paragraphs, whole_lines
from activities.readers.partition import paragraph
from activities.readers.running import without_running_lines
from activities.readers.tables.continued import continued
from activities.readers.tables.grid import table_elements
from activities.readers.text import LONE_BULLET


def elements(pages: list[list[Line]]) -> list[Element]:
    """The elements of a document, given the lines of each page in reading order."""
    pages = [whole_lines(page) for page in divided_words(without_running_lines(pages))]
    return _labelled(paragraphs(carried_words(continued(notes.led(pages)))))


def _labelled(document: list[Paragraph]) -> list[Element]:
    """Converts paragraphs to elements: headings by their print, list items by their text."""
    labelled: list[Element] = []
    for item in document:
        if item.table is not None:
            labelled += table_elements(item.table.rows, page=item.page)
            continue
        converted = None if LONE_BULLET.fullmatch(item.text) else paragraph(item.text, item.page)
        if converted is None:
            continue
        if item.level is not None:
            labelled.append(Element(text=item.text, kind="title", page=item.page, level=item.level))
        elif not item.notes:
            labelled.append(converted)
        if item.notes:
            text = notes.with_notes("" if item.level is not None else converted.text, item.notes)
            kind = "text" if item.level is not None else converted.kind
            labelled.append(Element(text=text.strip(), kind=kind, page=converted.page))
    return labelled
