"""Markdown: rendered by a CommonMark parser with tables, then read as HTML.

unstructured's own ``partition_md`` renders with Python-Markdown, which merges lists into the paragraph before
them and flattens two-space nesting; its HTML partitioning is the one used here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lxml.html import defs
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
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
_NOTE = re.compile(r"\[\^([^\]\s]{1,80})\]:[ \t]*+")
_NOTE_MARK = re.compile(r"\[\^([^\]\s]{1,80})\](?!:)")
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
    renderer.block.ruler.before("reference", "note", _note, {"alt": ["paragraph", "reference"]})
    renderer.inline.ruler.before("link", "note_mark", _note_mark)
    return renderer


def _note(state: StateBlock, line: int, last: int, silent: bool) -> bool:
    """A footnote, ``[^1]: text``, as a paragraph that the links of its marks lead to."""
    start = state.bMarks[line] + state.tShift[line]
    found = None if state.is_code_block(line) else _NOTE.match(state.src, start, state.eMarks[line])
    if found is None or silent:
        return found is not None
    end = line + 1
    while end < last and not state.isEmpty(end) and not _NOTE.match(state.src, state.bMarks[end] + state.tShift[end]):
        end += 1
    opening = state.push("paragraph_open", "p", 1)
    opening.attrSet("id", f"note-{found[1]}")
    inline = state.push("inline", "", 0)
    text = state.getLines(line, end, state.blkIndent, False)
    inline.content = f"[{found[1]}] {text[found.end() - start :].strip()}"
    inline.map, inline.children = [line, end], []
    state.push("paragraph_close", "p", -1)
    state.env.setdefault("notes", set()).add(found[1])
    state.line = end
    return True


def _note_mark(state: StateInline, silent: bool) -> bool:
    """The mark of a footnote in a text, ``[^1]``."""
    found = _NOTE_MARK.match(state.src, state.pos)
    if found is None or found[1] not in state.env.get("notes", ()):
        return False
    if not silent:
        mark = escape(found[1])
        state.push("html_inline", "", 0).content = f'<a role="doc-noteref" href="#note-{quote(found[1])}">{mark}</a>'
    state.pos = found.end()
    return True


def _inline_html(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Keeps HTML tags and escapes text such as ``List<String>`` or ``<your name>``, which a browser would hide."""
    content = tokens[index].content
    tag = _TAG.match(content)
    if tag is None or tag[1].lower() in defs.tags:
        return content
    return content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
