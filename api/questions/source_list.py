"""The sources of an answer as text, for readers who are shown nothing else of it.

A list is the platform's own: neither a quote nor a document's name can look like one. Lines of an answer that read as
its heading are quoted, and names stand in code spans, in which no Markdown counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from activities.contracts.answers import Citation
from activities.errors import Language
from activities.phrases import Bilingual
from api.http.markup import harmless


class Label(Bilingual):
    """Words of a list of sources."""

    SOURCES = ("Sources", "来源")
    PAGE = ("page {page}", "第 {page} 页")


_HEADINGS = "|".join(Label.SOURCES.value)
_HEADING = re.compile(
    rf"^[^\w\n]*+(?:{_HEADINGS})[^\w\n\[]*+(?:\[\d{{1,6}}\][^\w\n\[]*+)*+$",
    re.IGNORECASE | re.MULTILINE,
)


def answer_text(answer: str) -> str:
    """The answer for readers of Markdown, in front of a list of its sources."""
    return _HEADING.sub(lambda line: f"“{line[0].strip()}”", harmless(answer))


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


def source_list(sources: Sequence[ListedSource], language: Language) -> str:
    """The sources, each once and in a line; empty without any."""
    cited = {source.n: source for source in reversed(sources)}
    if not cited:
        return ""
    lines = [_line(cited[n], language) for n in sorted(cited)]
    return f"\n\n**{Label.SOURCES.render(language)}**\n\n" + "\n".join(lines)


def document_link(page_url: str, knowledge_base: str, document_name: str) -> str:
    """The address in the web page at which a document is found."""
    return f"{page_url}/#/kb/{quote(knowledge_base, safe='')}/documents?search={quote(document_name, safe='')}"


def _line(source: ListedSource, language: Language) -> str:
    name = " ".join(source.name.replace("`", "'").split())
    page = Label.PAGE.render(language, page=source.page) if source.page else ""
    where = ", ".join(filter(None, (f"`{name}`", page)))
    return f"* [{source.n}] {where}: <{source.url}>"
