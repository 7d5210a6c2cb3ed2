"""Configures unstructured: no downloads, no telemetry, no work on results that are discarded.

unstructured labels text with a spaCy model that it fetches from the internet on first use. Holdfast treats its
labels ``NarrativeText`` and ``Text`` alike, so a rule-based pipeline serves as well and is 15 times faster.
Importing this module installs that pipeline; every reader imports unstructured through this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal, Protocol

os.environ.update(DO_NOT_TRACK="1", SCARF_NO_ANALYTICS="true", UNSTRUCTURED_DISABLE_NOTICE="1")

import lxml.html
import spacy
from docx.document import Document
from lxml import etree
from spacy.tokens import Doc
from unstructured.cleaners.core import clean_bullets
from unstructured.documents import elements as source_elements
from unstructured.nlp import tokenize
from unstructured.partition.docx import DocxPartitionerOptions, _DocxPartitioner, _ListLabels
from unstructured.partition.html import partition_html
from unstructured.partition.text import element_from_text
from unstructured.partition.text_type import (
    is_bulleted_text,
    is_email_address,
    is_possible_numbered_list,
    is_us_city_state_zip,
)

from activities.contracts.documents import Element
from activities.errors import DocumentTooLarge
from activities.phrases import Phrase
from activities.readers.numerals import numeral
from activities.settings import ParseSettings

__all__ = [
    "DEEPEST",
    "QUIET",
    "Progress",
    "check_depth",
    "element",
    "page_limit",
    "paragraph",
    "partition_html",
    "partition_word",
    "source_elements",
    "table_text",
]

QUIET: dict[str, Any] = {"languages": [""], "detect_language_per_element": False}
"""Options of every ``partition_*`` call: language detection is off because its result is not used."""

#: The deepest level of a heading, or of an item of a list.
DEEPEST = 9

_WORD = re.compile(r"\w+|[^\w\s]")
_SPACES = re.compile("[ \t\u00a0]+")
_BREAK = re.compile(r"[^\S \t\u00a0]")


class Progress(Protocol):
    """Progress callback: receives the units done and their total."""

    def __call__(self, done: int, total: int) -> None: ...


class _WordTokenizer:
    """Splits at white space and punctuation, which suffices for counting words and sentences."""

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab

    def __call__(self, text: str) -> Doc:
        return Doc(self._vocab, words=_WORD.findall(text[:_LABELLED_CHARACTERS]))


_LABELLED_CHARACTERS = 100  # a label depends only on the beginning of a paragraph


def _pipeline() -> Any:
    nlp = spacy.blank("en")
    nlp.tokenizer = _WordTokenizer(nlp.vocab)
    nlp.add_pipe("sentencizer")
    return nlp


tokenize._load_spacy_model = _pipeline


def page_limit(pages: int, limits: ParseSettings) -> None:
    """Raises DocumentTooLarge for more than ``limits.max_pages`` pages."""
    if pages > limits.max_pages:
        raise DocumentTooLarge(detail=Phrase.TOO_MANY_PAGES, pages=pages, limit=limits.max_pages)


def check_depth(root: Any, levels: int) -> None:
    """Raises DocumentTooLarge when elements of a tree of lxml are nested more than so many levels deep."""
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > levels:
            raise DocumentTooLarge(detail=Phrase.NESTED_LEVELS, limit=levels)


def partition_word(document: Document) -> list[source_elements.Element]:
    """The elements of a Word document in memory, their tables without content.

    ``partition_docx`` takes files only: a document that was rewritten would be written and read again.
    """
    options = DocxPartitionerOptions(file=None, file_path=None, include_page_breaks=False, infer_table_structure=False)
    options.document = document
    return list(_Partitioner.iter_document_elements(options))


class _Labels(_ListLabels):
    """The numbers before the items of lists, also Chinese and Japanese ones."""

    @staticmethod
    def _format_number(value: int, num_fmt: str) -> str:
        return numeral(value, num_fmt) or _ListLabels._format_number(value, num_fmt)


class _Partitioner(_DocxPartitioner):
    """Partitions a Word document, with the numbers of its lists."""

    @cached_property
    def _list_labels(self) -> _ListLabels:
        return _Labels(self._document)


def element(item: source_elements.Element, outermost: int = 1) -> Element | None:
    """Converts an element of unstructured; None for page breaks, running headers and elements without text.

    ``outermost`` is the depth that unstructured gives to the items of a list that is in no other one.
    """
    if isinstance(
        item, (source_elements.PageBreak, source_elements.Header, source_elements.Footer, source_elements.PageNumber)
    ):
        return None
    page, depth = item.metadata.page_number, item.metadata.category_depth
    text, kind, level = _SPACES.sub(" ", item.text).strip(), _kind(item), None
    if kind == "table":
        text = table_text(item.metadata.text_as_html) or text
    elif kind == "code":
        text = item.text.strip("\r\n").rstrip()
    elif kind == "title":
        text, level = " ".join(text.split()), min(DEEPEST, (depth or 0) + 1)
    elif kind == "list" and depth is not None:
        level = min(DEEPEST, max(1, depth - outermost + 1))
    return Element(text=text, kind=kind, page=page, level=level) if text else None


def paragraph(text: str, page: int | None = None) -> Element | None:
    """Converts a paragraph of plain text, or an item of a list; None when it has no text.

    ``partition_text`` of unstructured would split it again, in time that grows with the square of a run of blanks.
    Whether a text may be a title is asked only where it makes a difference, which is where white space other than
    blanks would be joined: it takes as long as finding the text on its page.
    """
    text = text.strip()
    if _BREAK.search(text):
        converted = element(element_from_text(text))
        kind, text = (converted.kind, converted.text) if converted is not None else ("text", "")
    elif is_bulleted_text(text):
        kind, text = "list", clean_bullets(text)
    else:
        kind = "list" if _is_numbered(text) else "text"
    text = _SPACES.sub(" ", text).strip()
    return Element(text=text, kind="list" if kind == "list" else "text", page=page) if text else None


def _is_numbered(text: str) -> bool:
    return is_possible_numbered_list(text) and not (is_email_address(text) or is_us_city_state_zip(text))


def _kind(item: source_elements.Element) -> Literal["title", "text", "list", "table", "code"]:
    match item:
        case source_elements.Table():
            return "table"
        case source_elements.CodeSnippet():
            return "code"
        case source_elements.Title():
            return "title"
        case source_elements.ListItem():
            return "list"
        case _:
            return "text"


def table_text(html: str | None) -> str:
    """One line per row of unstructured's ``text_as_html``, its cells joined by `` | ``."""
    if not html:
        return ""
    rows: Iterable[Any] = lxml.html.fromstring(html).iter("tr")
    lines = []
    for row in rows:
        cells = [" ".join(cell.text_content().split()) for cell in row if cell.tag in ("td", "th")]
        if any(cells):
            lines.append(" | ".join(cells))
    return "\n".join(lines)
