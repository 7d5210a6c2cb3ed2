"""Lines of printed pages → elements, each with the page on which it begins."""

from __future__ import annotations

from activities.contracts.documents import Element
from activities.readers.layout import Line, Paragraph, divided_words, paragraphs, without_running_lines
from activities.readers.partition import QUIET, element, partition_text
from activities.readers.text import LONE_BULLET


def elements(pages: list[list[Line]]) -> list[Element]:
    """The elements of a document, given the lines of each page in reading order."""
    return _labelled(paragraphs(divided_words(without_running_lines(pages))))


def _labelled(document: list[Paragraph]) -> list[Element]:
    """Converts paragraphs to elements, labelled page by page by unstructured's text partitioning."""
    labelled_elements: list[Element] = []
    by_page: dict[int, list[Paragraph]] = {}
    for paragraph in document:
        by_page.setdefault(paragraph.page, []).append(paragraph)
    for page, page_paragraphs in by_page.items():
        group = [paragraph for paragraph in page_paragraphs if not LONE_BULLET.fullmatch(paragraph.text)]
        text = "\n".join(paragraph.text for paragraph in group)
        labelled = partition_text(text=text, paragraph_grouper=False, metadata_page_number=page, **QUIET)
        for paragraph, item in zip(group, labelled, strict=True):
            converted = element(item)
            if converted is not None and paragraph.level is not None:
                labelled_elements.append(Element(text=paragraph.text, kind="title", page=page, level=paragraph.level))
            elif converted is not None:
                labelled_elements.append(
                    Element(text=converted.text, kind="list" if converted.kind == "list" else "text", page=page)
                )
    return labelled_elements
