"""Tables and definition lists of a tree of HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from lxml import etree

from activities.readers.tables.grid import Cell

_SPAN = re.compile(r"\s*+(\d{1,9})")
_MOST_COLUMNS = 1000  # that a browser lets one cell span
_SECTIONS = ("thead", "tbody", "tfoot")
_CELLS = ("td", "th")
INLINE = frozenset(
    (
        *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em", "font", "i", "ins"),
        *("kbd", "label", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub"),
        *("sup", "time", "tt", "u", "var", "wbr"),
    )
)
MERGED_LEFT, MERGED_ABOVE = "\u2063\u2063", "\u2064\u2064"
"""Texts of cells that a format without spans merges with the cell before, or above: invisible characters."""

_MERGED = (MERGED_LEFT, MERGED_ABOVE)
_SENTENCE_END = re.compile(r"[:：?？!！.。]$")


def text_of(node: Any) -> str:
    """The text of a node on one line; blocks, line breaks and the descriptions of pictures are words of their own."""
    parts: list[str] = []
    for event, part in etree.iterwalk(node, events=("start", "end")):
        apart = part.tag not in INLINE
        if event == "start":
            description = part.get("alt") if part.tag == "img" else None
            parts += [" " if apart else "", description or "", part.text or ""]
        else:
            parts.append(" " if apart else "")
            parts.append((part.tail or "") if part is not node else "")
    return " ".join("".join(parts).split())


def rows_of(table: Any) -> list[list[Cell]]:
    """The rows of a table as a browser shows them: those of ``tfoot`` last, spans no longer than their section."""
    groups: list[tuple[str, list[list[Any]]]] = []
    for section, new_row, cell in _own(table, "tbody"):
        if not groups or (new_row and groups[-1][0] != section):
            groups.append((section, []))
        if new_row or not groups[-1][1]:
            groups[-1][1].append([])
        if cell is not None:
            groups[-1][1][-1].append(cell)
    groups.sort(key=lambda group: group[0].startswith("tfoot"))
    cells = [
        [_cell(cell, len(rows) - at, in_head=section.startswith("thead")) for cell in row]
        for section, rows in groups
        for at, row in enumerate(rows)
    ]
    return _merged(cells) if any(cell.text in _MERGED for row in cells for cell in row) else cells


def _merged(rows: list[list[Cell]]) -> list[list[Cell]]:
    """The rows of a table without spans, whose merged cells say so by their text."""
    spans: dict[tuple[int, int], list[int]] = {}  # of the cell at a row and column: its last row and column
    above: dict[int, tuple[int, int]] = {}  # the cell that covers a column in the row before
    for number, row in enumerate(rows):
        covering: dict[int, tuple[int, int]] = {}
        for column, cell in enumerate(row):
            place = covering.get(column - 1) if cell.text == MERGED_LEFT else None
            place = above.get(column) if cell.text == MERGED_ABOVE else place
            if place is None:
                place = (number, column)
                spans[place] = [number, column]
            covering[column] = place
            spans[place] = [max(spans[place][0], number), max(spans[place][1], column)]
        above = covering
    return [
        [
            msgspec.structs.replace(
                cell,
                text="" if cell.text in _MERGED else cell.text,
                rows=spans[number, column][0] - number + 1,
                columns=spans[number, column][1] - column + 1,
            )
            for column, cell in enumerate(row)
            if (number, column) in spans
        ]
        for number, row in enumerate(rows)
    ]


def _own(node: Any, section: str) -> Iterator[tuple[str, bool, Any]]:
    """The rows and cells below a node, without those of tables within cells: (section, whether a row begins, cell)."""
    for number, child in enumerate(node):
        if child.tag in _CELLS:
            yield section, False, child
        elif child.tag == "tr":
            yield section, True, None
            yield from _own(child, section)
        elif child.tag in _SECTIONS:
            yield from _own(child, f"{child.tag} {number}")
        elif child.tag != "table":
            yield from _own(child, section)


def _cell(cell: Any, rows: int, *, in_head: bool) -> Cell:
    down = _span(cell.get("rowspan"), rows)
    across = _span(cell.get("colspan"), 1)
    return Cell(
        text_of(cell),
        rows=min(down, rows),
        columns=across if across <= _MOST_COLUMNS else 1,
        header=in_head or cell.tag == "th",
    )


def _span(value: str | None, zero: int) -> int:
    """A span as a browser reads it; 0 means ``zero``."""
    number = _SPAN.match(value or "1")
    return (int(number[1]) or zero) if number else 1


def join_definitions(root: Any) -> None:
    """Puts the terms of definition lists before each of their definitions: ``Term: definition``."""
    for first in list(root.iter("dd")):
        before = first.getprevious()
        if before is None or before.tag != "dt":
            continue
        terms, definitions = _run(before, "dt", forward=False), _run(first, "dd", forward=True)
        if any(_holds_blocks(node) for node in (*terms, *definitions)):
            continue
        label = ", ".join(filter(None, map(text_of, reversed(terms))))
        for definition in definitions:
            holder = definition[0] if len(definition) else definition
            holder = holder if holder.tag == "p" else definition
            mark = " " if not label or _SENTENCE_END.search(label) else ": "
            holder.text = f"{label}{mark}{(holder.text or '').lstrip()}"
        for term in terms:
            term.drop_tree()


def _run(node: Any, tag: str, *, forward: bool) -> list[Any]:
    """A node and the siblings of its tag that follow it, or come before it."""
    found = []
    while node is not None and node.tag == tag:
        found.append(node)
        node = node.getnext() if forward else node.getprevious()
    return found


def _holds_blocks(node: Any) -> bool:
    """Whether a node holds more than the text of one paragraph."""
    paragraphs = 0
    for part in node.iterdescendants():
        paragraphs += part.tag == "p"
        if part.tag not in INLINE and part.tag not in ("p", "br", "img"):
            return True
    return paragraphs > 1 or (paragraphs == 1 and node[0].tag != "p")
