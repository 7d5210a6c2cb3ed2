"""Text of DrawingML: the runs of paragraphs in shapes, cells and comments, equations as text in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from activities.readers.docx.equations import linear
from activities.readers.runs import Run

DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_CHOICE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Choice"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}oMath"
_TEXTS = (f"{DRAWING}r", f"{DRAWING}fld")
_LEVELS = ("0", "1", "2", "3", "4", "5", "6", "7", "8")
_STRUCK = ("sngStrike", "dblStrike")


def paragraphs(body: Any) -> list[list[Run]]:
    """The runs of each paragraph of a text body."""
    return [list(_runs(paragraph)) for paragraph in body.iterchildren(f"{DRAWING}p")] if body is not None else []


def levels(body: Any) -> list[int]:
    """The level of each paragraph of a text body in its list, from 1."""
    found = [] if body is None else [node.find(f"{DRAWING}pPr") for node in body.iterchildren(f"{DRAWING}p")]
    written = ["0" if properties is None else properties.get("lvl", "0") for properties in found]
    return [int(level) + 1 if level in _LEVELS else 1 for level in written]


def _runs(paragraph: Any) -> Iterator[Run]:
    for child in paragraph.iterchildren():
        if child.tag in _TEXTS:
            yield _run(child)
        elif child.tag == f"{DRAWING}br":
            yield Run(" ")
        elif isinstance(child.tag, str) and not child.tag.startswith(DRAWING):
            yield from (Run(f" {linear(math).strip()} ") for math in child.iter(_MATH))


def _run(element: Any) -> Run:
    text = "".join(item.text or "" for item in element.iterchildren(f"{DRAWING}t")).replace("\v", " ")
    print_ = element.find(f"{DRAWING}rPr")
    if print_ is None:
        return Run(text)
    baseline = print_.get("baseline", "0").strip().lstrip("+")
    if not baseline.strip("-0%"):
        return Run(text, struck=print_.get("strike") in _STRUCK)
    return Run(text, "lowered" if baseline.startswith("-") else "raised", print_.get("strike") in _STRUCK)


def without_alternatives(root: Any) -> None:
    """Replaces alternatives by the newest one, which programs of today show."""
    for alternatives in list(root.iter(ALTERNATIVES)):
        choice = alternatives.find(_CHOICE)
        for child in list(choice) if choice is not None else ():
            alternatives.addprevious(child)
        alternatives.getparent().remove(alternatives)
