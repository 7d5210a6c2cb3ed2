"""The text of runs, paragraphs and cells, and what is inserted among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docx.oxml.ns import qn
from lxml import etree

from activities.contracts.documents import Element

BODY, PARAGRAPH, RUN, TABLE, ROW, CELL = (qn(f"w:{tag}") for tag in ("body", "p", "r", "tbl", "tr", "tc"))
VALUE = qn("w:val")

_TEXT = qn("w:t")
_SHOWN = {qn("w:tab"): "\t", qn("w:ptab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_REFERENCES = (qn("w:footnoteReference"), qn("w:endnoteReference"))
_CLEARED = frozenset((_TEXT, *_SHOWN, *_REFERENCES, qn("w:sym")))


def text_of(node: Any) -> str:
    """The text of a run, or of all runs within a node."""
    found = []
    for item in node.iter(_TEXT, *_SHOWN):
        if item.tag == _TEXT:
            found.append(item.text or "")
        elif item.getparent().tag == RUN and item.get(qn("w:type"), "textWrapping") == "textWrapping":
            found.append(_SHOWN[item.tag])
    return "".join(found)


def paragraphs_text(node: Any) -> str:
    """The text of all paragraphs within a node, in one line."""
    return " ".join(" ".join(map(text_of, node.iter(PARAGRAPH))).split())


def clear(run: Any) -> None:
    """Removes the text of a run; its pictures and page breaks stay."""
    for child in list(run):
        if child.tag in _CLEARED and child.get(qn("w:type"), "textWrapping") == "textWrapping":
            run.remove(child)


def set_text(run: Any, text: str) -> None:
    """Replaces the text of a run."""
    clear(run)
    etree.SubElement(run, _TEXT).text = text


def new_run(near: Any, text: str) -> Any:
    """A run for the tree of another node."""
    run = near.makeelement(RUN)
    etree.SubElement(run, _TEXT).text = text
    return run


def new_paragraph(near: Any, text: str) -> Any:
    """A paragraph for the tree of another node."""
    paragraph = near.makeelement(PARAGRAPH)
    paragraph.append(new_run(near, text))
    return paragraph


def on(node: Any) -> bool:
    """Whether a property that can be on or off, such as ``w:strike``, is on."""
    return node is not None and node.get(VALUE, "true") not in ("0", "false", "off", "none")


def number(node: Any) -> int:
    """The value of a property as a number without a sign; 0 when it has none, or one that no document needs."""
    value = node.get(VALUE, "") if node is not None else ""
    return int(value) if len(value) < 8 and value.isdecimal() else 0


class Insertions:
    """Elements that follow a paragraph or table of the body.

    They stand in the tree as paragraphs of private characters, which ``elements`` replaces.
    """

    def __init__(self, body: Any) -> None:
        self._body = body
        self._after: dict[Any, list[Element]] = {}
        self._placed: dict[str, list[Element]] = {}

    def after(self, node: Any, elements: list[Element]) -> None:
        """Lets elements follow the block of the body that contains ``node``."""
        block = node
        while block is not None and block.getparent() is not self._body:
            block = block.getparent()
        if block is not None and elements:
            self._after.setdefault(block, []).extend(elements)

    def place(self) -> None:
        """Puts the paragraphs into the tree."""
        for number, (block, elements) in enumerate(self._after.items()):
            mark = f"\ue000{number}\ue001"
            self._placed[mark] = elements
            block.addnext(new_paragraph(block, mark))

    def elements(self, text: str) -> list[Element] | None:
        """The elements that a text stands for; None for the document's own text."""
        return self._placed.pop(text, None)


def top_level(body: Any, tag: str) -> Iterator[Any]:
    """The children of the body with a tag."""
    return iter(body.iterchildren(tag))
