"""Raised and lowered text of a tree of HTML: exponents, indices, and marks whose notes join the paragraph.

``45<sup>3</sup> euros`` says 45 euros with a note. The mark is left out, and the note stands at the end of the row or
paragraph: ``45 euros (note 3: without tax)``. A note is the target of a link, or a line that begins with the same mark.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote

import msgspec
from lxml import etree

from activities.readers.markup.styles import Sheet
from activities.readers.markup.tables import INLINE, text_of
from activities.text import raised
from activities.text.scripts import is_han

LONGEST = 1000
"""Characters of a note that joins a paragraph."""

_MOST_PARTS = 50  # of a note that is a line
_MOST_REPEATS = 50  # of one note
_BEFORE = 60  # characters before a raised text that tell what it is
_SEVERAL = re.compile(r"[,;\s]+")
_SYMBOL = re.compile(r"\s*+([*†‡§]{1,3}|[①-⑳])(?=[\s\w])")
_CIRCLED = re.compile("[①-⑳]")
_BACK = re.compile(r"[\W_]*|back|return|返回", re.I)  # what a link from a note to its mark says
_NOTE_NAME = re.compile(r"note|fn|cite|ref|脚注|注", re.I)
_WHOLE = frozenset(("html", "body", "main", "article", "table", "h1", "h2", "h3", "h4", "h5", "h6"))
_APART = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "pre"))  # a note does not join these: it stands below them
_SKIPPED = frozenset(("head", "script", "style"))


class _Raised(msgspec.Struct, eq=False):
    """A raised or lowered text, or a link to a note; ``place`` and ``ends`` say where its paragraph ends."""

    node: Any
    position: int
    kind: str  # sup, sub, or empty for a link on the line
    text: str
    before: str
    first: bool  # it begins a line
    place: Any = None
    ends: bool = False


class _Note(msgspec.Struct, eq=False):
    """A note and the nodes that hold it."""

    mark: str
    text: str
    nodes: list[Any]
    repeats: int = 0


class _Page:
    """All raised text, targets of links and lines that begin with a mark, each with its position."""

    def __init__(self, root: Any, sheet: Sheet) -> None:
        self.raised: list[_Raised] = []
        self.targets: dict[str, tuple[int, Any]] = {}
        self.lines: dict[str, list[tuple[int, Any]]] = defaultdict(list)
        self._sheet = sheet
        self._read(root)

    def _read(self, root: Any) -> None:
        before, position = "", 0
        paragraph: list[_Raised] = []
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, node in walk:
            position += 1
            if node.tag not in INLINE:
                before = ""
                if node.tag != "br":
                    for item in paragraph:
                        item.place, item.ends = node, event == "end"
                    paragraph.clear()
            if event == "end":
                before = (before + (node.tail or ""))[-_BEFORE:]
                continue
            self._target(node, position)
            kind = self._sheet.raised(node)
            text = _uncircled(text_of(node)) if kind or node.tag == "a" else ""
            if node.tag in _SKIPPED:
                walk.skip_subtree()
            elif text and (kind or _is_mark_link(node, text)):
                item = _Raised(node, position, kind, text, before, first=not before.strip())
                self.raised.append(item)
                paragraph.append(item)
                if item.first and kind == "sup" and (mark := raised.mark_of(text)):
                    self.lines[mark].append((position, node))
                before += text
                for part in node.iterdescendants():
                    self._target(part, position)
                walk.skip_subtree()
            else:
                if not before.strip() and (symbol := _SYMBOL.match(node.text or "")):
                    self.lines[_uncircled(symbol[1])].append((position, node))
                before = (before + (node.text or ""))[-_BEFORE:]

    def _target(self, node: Any, position: int) -> None:
        for name in (node.get("id"), node.get("name") if node.tag == "a" else None):
            if name:
                self.targets.setdefault(name, (position, node))


def settle_notes(root: Any, sheet: Sheet) -> None:
    """Writes raised and lowered text as it is meant, and moves notes to the paragraphs and rows that refer to them."""
    page = _Page(root, sheet)
    marks = [(item, found) for item in page.raised if (found := _marks(item, page))]
    referring = {item.node for item, _ in marks}
    openers = [item for item in page.raised if item.first and item.node not in referring]
    for item in page.raised:
        if item.node not in referring and not item.first:
            _replace(item.node, _meant(item))
    notes: dict[Any, _Note | None] = {}
    blocks: set[Any] = set()
    for mark, node in (place for _, found in marks for place in found):
        if node not in notes:
            notes[node] = _note(mark, node, blocks)
    joined = [(item, _joining(item, found, notes)) for item, found in marks]
    for item, joining in joined:
        _join(item, joining)
    for note in notes.values():
        for node in note.nodes if note and note.repeats else ():
            if node.getparent() is not None:
                node.tail = None if node.tag in INLINE else node.tail
                node.drop_tree()
    for item in openers:
        if item.node.getparent() is not None:
            _replace(item.node, _meant(item))


def _marks(item: _Raised, page: _Page) -> list[tuple[str, Any]]:
    """The marks of a raised text, each with the node where its note begins."""
    links = [link for link in item.node.iter("a") if "#" in (link.get("href") or "")]
    found: list[tuple[str, Any]] = []
    for link in links:
        place, _, name = link.get("href").partition("#")
        position, target = page.targets.get(unquote(name), (0, None))
        if place or position <= item.position:
            continue
        if item.kind or _is_explicit(link) or _NOTE_NAME.search(_names(target)):
            found.append((raised.mark_of(text_of(link)) or text_of(link), target))
    if found or item.kind != "sup" or item.first:  # the first of a line is the mark of a note itself
        return found
    for mark in map(raised.mark_of, _SEVERAL.split(item.text)):
        lines = page.lines.get(mark, [])
        at = bisect_right(lines, item.position, key=lambda line: line[0])
        if at < len(lines):
            found.append((mark, lines[at][1]))
    is_mark = (
        len(found) > 1 or raised.meaning(item.before, item.text, item.node.tail or "", noted=bool(found)) == "mark"
    )
    return found if is_mark else []


def _uncircled(text: str) -> str:
    return unicodedata.normalize("NFKC", text) if _CIRCLED.fullmatch(text) else text


def _meant(item: _Raised) -> str:
    """What takes the place of a raised or lowered text without a note."""
    if item.kind == "sub":
        return raised.lowered(item.text)
    if not item.kind:
        return raised.apart(item.before, item.text) if raised.mark_of(item.text) == item.text else item.text
    meaning = raised.meaning(item.before, item.text, item.node.tail or "", noted=False)
    if meaning == "text":
        return item.text
    return raised.superscript(item.text) if meaning == "power" or item.first else raised.apart(item.before, item.text)


def _joining(item: _Raised, found: list[tuple[str, Any]], notes: dict[Any, _Note | None]) -> list[_Note]:
    """The notes of a raised text; takes out its marks, except those whose note cannot be told here."""
    joining, left = [], []
    for mark, node in found:
        note = notes[node]
        if note is None or note.repeats == _MOST_REPEATS:
            left.append(mark)
        else:
            note.repeats += 1
            joining.append(note)
    _replace(item.node, raised.apart(item.before, ",".join(left)) if left else "", apart=True)
    return joining


def is_note_link(link: Any) -> bool:
    """Whether a link, which may lead to another page, is the mark of a note."""
    around = (*link.iterdescendants("sup"), *islice(link.iterancestors(), 2))
    return _is_explicit(link) or (raised.mark_of(text_of(link)) != "" and any(node.tag == "sup" for node in around))


def _is_mark_link(link: Any, text: str) -> bool:
    """Whether a link on the line may lead to a note: its text is a mark in brackets, or it says so itself."""
    if link.tag != "a" or "#" not in (link.get("href") or ""):
        return False
    mark = raised.mark_of(text)
    return _is_explicit(link) or (mark != "" and (mark != text or next(link.iter("sup"), None) is not None))


def _is_explicit(link: Any) -> bool:
    kinds = f"{link.get('epub:type') or ''} {link.get('role') or ''} {link.get('class') or ''}".split()
    return not {"noteref", "doc-noteref", "footnote-ref", "footnote-reference"}.isdisjoint(kinds)


def _names(target: Any) -> str:
    """Names of an element and of those around it."""
    around = [target, *target.iterancestors()][:4]
    return " ".join(node.get(name) or "" for node in around for name in ("id", "class", "role", "epub:type"))


def _note(mark: str, start: Any, blocks: set[Any]) -> _Note | None:
    """The note that begins at a node: its line when it is one of several in a paragraph, else its block."""
    top = start
    while top.tag in INLINE and top.getparent() is not None:
        if top.getparent().tag not in INLINE:
            break
        top = top.getparent()
    block = top.getparent() if top.tag in INLINE else top
    if block is None or block.tag in _WHOLE or next(block.iter("br"), None) is not None:
        nodes = list(_line(top)) if top.tag in INLINE else []
        text = " ".join("".join(part for node in nodes for part in (*node.itertext(), node.tail or "")).split())
    elif block in blocks:
        return None
    else:
        blocks.add(block)
        if block.tag in ("td", "th") and (row := block.getparent()) is not None and row.tag == "tr":
            block = row
        for link in list(block.iter("a")):
            if "#" in (link.get("href") or "") and _BACK.fullmatch(text_of(link)):
                link.drop_tree()
        nodes, text = [block], text_of(block)
    text = text.rstrip("↩\ufe0e↑^ ")
    text = text.lstrip("^↑ ") if top.tag == "li" else _without_mark(text, mark)
    return _Note(mark, text, nodes) if text and len(text) <= LONGEST else None


def _line(node: Any) -> Iterator[Any]:
    """A node and those after it, up to the end of the line."""
    for _ in range(_MOST_PARTS):
        if node is None or node.tag not in INLINE:
            return
        yield node
        node = node.getnext()


def _without_mark(text: str, mark: str) -> str:
    """The text of a note without the mark at its beginning."""
    bare = (_uncircled(text[:1]) + text[1:]).lstrip("[(（^↑ ")
    return bare[len(mark) :].lstrip(" .:：)]）、") if bare.startswith(mark) else text


def _join(item: _Raised, notes: list[_Note]) -> None:
    """Puts notes at the end of the row or paragraph of a raised text."""
    text = "".join(
        raised.note_of_mark(note.mark, note.text, chinese=is_han(note.text)) for note in dict.fromkeys(notes)
    )
    if not text or item.place is None:
        return
    ancestors = [item.place, *item.place.iterancestors()] if item.ends else list(item.place.iterancestors())
    within = next((node for node in ancestors if node.tag in ("tr", "table", *_APART)), None)
    if within is not None and within.tag == "tr" and len(within):
        _append(within[-1], text)
    elif within is not None and within.tag in _APART:
        below = etree.Element("p")
        below.text = text.strip()
        within.addnext(below)
        below.tail, within.tail = within.tail, None
    elif item.ends:
        _append(item.place, text)
    elif (sibling := item.place.getprevious()) is not None:
        sibling.tail = (sibling.tail or "").rstrip() + text
    else:
        parent = item.place.getparent()
        parent.text = (parent.text or "").rstrip() + text


def _append(holder: Any, text: str) -> None:
    if len(holder):
        holder[-1].tail = (holder[-1].tail or "").rstrip() + text
    else:
        holder.text = (holder.text or "").rstrip() + text


def _replace(node: Any, text: str, *, apart: bool = False) -> None:
    """Puts a text in the place of a node; ``apart``: words before and after it do not touch."""
    tail = node.tail or ""
    if apart and tail[:1].isalnum() and tail[:1] < "\u2e80":
        text += " "
    for child in list(node):
        node.remove(child)
    node.text = text
    node.drop_tag()
