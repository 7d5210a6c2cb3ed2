"""Markdown: rendered by a CommonMark parser with tables, then read as HTML.

unstructured's own ``partition_md`` renders with Python-Markdown, which merges lists into the paragraph before
them and flattens two-space nesting; its HTML partitioning is the one used here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lxml.html import defs
from markdown_it import MarkdownIt
from markdown_it.token import Token

from activities.contracts.documents import Element
from activities.readers.html import reading_of
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.readers.text import decode_file
from activities.settings import ParseSettings

_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\r?\n((?:[\w-]++[ \t]*+:[^\n]*+\n|[ \t#][^\n]*+\n)++)(?:---|\.\.\.)[ \t]*+(?:\r?\n|\Z)"
)
_TAG = re.compile(r"</?([a-zA-Z][\w-]*)")


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a Markdown file; front matter becomes a paragraph of its own."""
    text = decode_file(path)
    elements: list[Element] = []
    if matter := _FRONT_MATTER.match(text):
        text = text[matter.end() :]
        elements.append(Element(text=matter[1].strip()))
    progress(1, 2)
    html = _renderer().render(text)
    reading = reading_of(html, limits) if html.strip() else Reading([])
    progress(2, 2)
    return Reading([*elements, *reading.elements], remarks=reading.remarks)


def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    renderer.add_render_rule("html_inline", _inline_html)
    return renderer


def _inline_html(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Keeps HTML tags and escapes text such as ``List<String>`` or ``<your name>``, which a browser would hide."""
    content = tokens[index].content
    tag = _TAG.match(content)
    if tag is None or tag[1].lower() in defs.tags:
        return content
    return content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
