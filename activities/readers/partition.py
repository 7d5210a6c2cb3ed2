"""unstructured, set up so that it downloads nothing, tells nobody, and does not spend time on what we drop.

unstructured labels text with a spaCy model that it fetches from the internet on first use. Its labels
``NarrativeText`` and ``Text`` are one to us, so a rule-based pipeline serves as well and is 15 times faster.
Importing this module installs it; every reader imports unstructured through here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, Literal, Protocol

os.environ.update(DO_NOT_TRACK="1", SCARF_NO_ANALYTICS="true", UNSTRUCTURED_DISABLE_NOTICE="1")

import lxml.html
import spacy
from spacy.tokens import Doc
from unstructured.documents import elements as found
from unstructured.nlp import tokenize
from unstructured.partition.docx import partition_docx
from unstructured.partition.html import partition_html
from unstructured.partition.text import partition_text

from activities.contracts.documents import Element
from activities.errors import DocumentTooLarge
from activities.phrases import Phrase
from activities.settings import ParseSettings

__all__ = [
    "QUIET",
    "Progress",
    "element",
    "found",
    "page_limit",
    "partition_docx",
    "partition_html",
    "partition_text",
    "table_text",
]

QUIET: dict[str, Any] = {"languages": [""], "detect_language_per_element": False}
"""Options of every ``partition_*`` call: no language detection, whose result nobody would read."""

_WORD = re.compile(r"\w+|[^\w\s]")
_SPACES = re.compile("[ \t\u00a0]+")


class Progress(Protocol):
    """Called now and then with how much is done."""

    def __call__(self, done: int, total: int) -> None: ...


class _WordTokenizer:
    """Splits at white space and punctuation: enough for counting words and sentences."""

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab

    def __call__(self, text: str) -> Doc:
        return Doc(self._vocab, words=_WORD.findall(text[:_LABELLED_CHARACTERS]))


_LABELLED_CHARACTERS = 100  # a label never depends on more than the beginning of a paragraph


def _pipeline() -> Any:
    nlp = spacy.blank("en")
    nlp.tokenizer = _WordTokenizer(nlp.vocab)
    nlp.add_pipe("sentencizer")
    return nlp


tokenize._load_spacy_model = _pipeline


def page_limit(pages: int, limits: ParseSettings) -> None:
    """Raise DocumentTooLarge for more pages than a document may have."""
    if pages > limits.max_pages:
        raise DocumentTooLarge(detail=Phrase.TOO_MANY_PAGES, pages=pages, limit=limits.max_pages)


def element(item: found.Element) -> Element | None:
    """unstructured's element as ours; None for page breaks, running headers and what has no text."""
    if isinstance(item, (found.PageBreak, found.Header, found.Footer, found.PageNumber)):
        return None
    page, depth = item.metadata.page_number, item.metadata.category_depth
    text, kind, level = _SPACES.sub(" ", item.text).strip(), _kind(item), None
    if kind == "table":
        text = table_text(item.metadata.text_as_html) or text
    elif kind == "code":
        text = item.text.strip("\r\n").rstrip()
    elif kind == "title":
        text, level = " ".join(text.split()), min(9, (depth or 0) + 1)
    return Element(text=text, kind=kind, page=page, level=level) if text else None


def _kind(item: found.Element) -> Literal["title", "text", "list", "table", "code"]:
    match item:
        case found.Table():
            return "table"
        case found.CodeSnippet():
            return "code"
        case found.Title():
            return "title"
        case found.ListItem():
            return "list"
        case _:
            return "text"


def table_text(html: str | None) -> str:
    """A table of unstructured's (``text_as_html``) as lines: one row each, cells joined by `` | ``."""
    if not html:
        return ""
    rows: Iterable[Any] = lxml.html.fromstring(html).iter("tr")
    lines = []
    for row in rows:
        cells = [" ".join(cell.text_content().split()) for cell in row if cell.tag in ("td", "th")]
        if any(cells):
            lines.append(" | ".join(cells))
    return "\n".join(lines)
