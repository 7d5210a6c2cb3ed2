"""Lines of printed pages → elements, each with the page on which it begins."""

from __future__ import annotations

from activities.contracts.documents import Element
from activities.readers.layout import Line, Paragraph, divided_words, paragraphs, without_running_lines
from activities.readers.partition import paragraph
from activities.readers.tables.continued import continued
from activities.readers.tables.grid import table_elements
from activities.readers.text import LONE_BULLET


def elements(pages: list[list[Line]]) -> list[Element]:
    """The elements of a document, given the lines of each page in reading order."""
    return _labelled(paragraphs(divided_words(continued(without_running_lines(pages)))))


def _labelled(document: list[Paragraph]) -> list[Element]:
    """Converts paragraphs to elements: headings by their print, list items by their text."""
    labelled: list[Element] = []
    for item in document:
        if item.table is not None:
            labelled += table_elements(item.table.rows, page=item.page)
            continue
        converted = None if LONE_BULLET.fullmatch(item.text) else paragraph(item.text, item.page)
        if converted is not None and item.level is not None:
            labelled.append(Element(text=item.text, kind="title", page=item.page, level=item.level))
        elif converted is not None:
            labelled.append(converted)
    return labelled
