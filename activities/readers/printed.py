"""Lines of printed pages → elements, each with the page that it begins on."""

from __future__ import annotations

from activities.contracts.documents import Element
from activities.readers.layout import Line, Paragraph, divided_words, paragraphs, without_running_lines
from activities.readers.partition import QUIET, element, partition_text
from activities.readers.text import LONE_BULLET


def elements(pages: list[list[Line]]) -> list[Element]:
    """The elements of a document whose lines, in reading order, stand on these pages."""
    return _labelled(paragraphs(divided_words(without_running_lines(pages))))


def _labelled(found: list[Paragraph]) -> list[Element]:
    """The paragraphs as elements, labelled page by page by unstructured's text partitioning."""
    labelled_elements: list[Element] = []
    by_page: dict[int, list[Paragraph]] = {}
    for paragraph in found:
        by_page.setdefault(paragraph.page, []).append(paragraph)
    for page, everything in by_page.items():
        group = [paragraph for paragraph in everything if not LONE_BULLET.fullmatch(paragraph.text)]
        text = "\n".join(paragraph.text for paragraph in group)
        labelled = partition_text(text=text, paragraph_grouper=False, metadata_page_number=page, **QUIET)
        for paragraph, item in zip(group, labelled, strict=True):
            mine = element(item)
            if mine is not None and paragraph.level is not None:
                labelled_elements.append(Element(text=paragraph.text, kind="title", page=page, level=paragraph.level))
            elif mine is not None:
                labelled_elements.append(
                    Element(text=mine.text, kind="list" if mine.kind == "list" else "text", page=page)
                )
    return labelled_elements
