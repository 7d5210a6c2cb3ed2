"""The sources of an answer as text, for readers who are shown nothing else of it.

A list is the platform's own: neither a quote nor a document's name can look like one, or hide it. Lines of an answer
that read as its heading are quoted, code that has no end gets one, and names stand in code spans, in which no Markdown
counts.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from activities.contracts.answers import Citation
from activities.errors import Language
from activities.phrases import Bilingual
from api.http.markup import end_of_code, harmless


class Label(Bilingual):
    """Words of a list of sources."""

    SOURCES = ("Sources", "来源")
    PAGE = ("page {page}", "第 {page} 页")


_HEADINGS = frozenset(each.casefold() for each in Label.SOURCES.value)
_WHOLE_LINE = re.compile(r"[^\r\n]++")

#: Characters that turn the direction of what follows.
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def answer_text(answer: str) -> str:
    """The answer for readers of Markdown, in front of a list of its sources."""
    return _WHOLE_LINE.sub(lambda line: f"“{line[0].strip()}”" if _is_heading(line[0]) else line[0], harmless(answer))


def _is_heading(line: str) -> bool:
    """Whether a line reads as the heading of a list: its letters do, whatever stands between them."""
    shown = unicodedata.normalize("NFKC", html.unescape(line))
    return "".join(filter(str.isalpha, shown)).casefold() in _HEADINGS


class ListedSource(NamedTuple):
    """A source in a list: its number in the answer, the document's name, its page and its address."""

    n: int
    name: str
    page: int | None
    url: str


def cited_sources(citations: Sequence[Citation], knowledge_base: str, page_url: str) -> list[ListedSource]:
    """The cited sources with their addresses in the web page."""
    return [
        ListedSource(each.n, each.document_name, each.page, document_link(page_url, knowledge_base, each.document_name))
        for each in citations
    ]


def source_list(text: str, sources: Sequence[ListedSource], language: Language) -> str:
    """The sources, each once and in a line, to follow ``text``; empty without any."""
    cited = {source.n: source for source in reversed(sources)}
    if not cited:
        return ""
    lines = [_line(cited[n], language) for n in sorted(cited)]
    return f"{end_of_code(text)}\n\n**{Label.SOURCES.render(language)}**\n\n" + "\n".join(lines)


def document_link(page_url: str, knowledge_base: str, document_name: str) -> str:
    """The address in the web page at which a document is found."""
    return f"{page_url}/#/kb/{quote(knowledge_base, safe='')}/documents?search={quote(document_name, safe='')}"


def _line(source: ListedSource, language: Language) -> str:
    name = " ".join(_TURNING.sub("", source.name).replace("`", "'").split())
    page = Label.PAGE.render(language, page=source.page) if source.page else ""
    where = ", ".join(filter(None, (f"`{name}`", page)))
    return f"* [{source.n}] {where}: <{source.url}>"
