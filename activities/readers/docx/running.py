"""Headers and footers as facts about the document: its number, date, author. Each once, without page numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from docx.document import Document
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml

from activities.readers.docx.content import (
    CELL,
    PARAGRAPH,
    ROW,
    RUN,
    TABLE,
    clear,
    new_run,
    on,
    paragraphs_text,
    text_of,
)
from activities.readers.docx.package import related, target

_REFERENCES = (qn("w:headerReference"), qn("w:footerReference"))
_FIELD, _INSTRUCTION, _SIMPLE_FIELD = qn("w:fldChar"), qn("w:instrText"), qn("w:fldSimple")
_PAGE_FIELDS = frozenset(("PAGE", "NUMPAGES", "SECTIONPAGES", "SECTION"))
_PAGE = "\ue002"  # stands for a page number
_WORD = r"\b(?:page|pg|p|seite|blatt|pagina|página|strona|str|sida|side|sivu)\.?"
_NUMBERS = rf"(?:[\dA-Z]{{1,3}} ?[-–.] ?)?{_PAGE}(?: ?(?:of|von|de|sur|di|av|af|z|/|\|)? ?{_PAGE})?"
_TYPED = r"(?:[\dA-Z]{1,3}[-–.])?\d{1,4}(?: ?(?:of|von|de|sur|di|/) ?\d{1,4})?$"
_PAGE_WORDS = re.compile(
    rf"(?:{_WORD}|[第共])? ?{_NUMBERS} ?[页頁]?|{_WORD} ?{_TYPED}|[第共] ?\d{{1,4}} ?[页頁]", re.IGNORECASE
)
"""A page number that Word counts, or one that was typed, with the words around it."""

_EDGES = " _|/·•–—-,;，；、"
_LABEL = 40  # characters of a label in a table
_DIGIT = re.compile(r"\d")


def facts(document: Document, titles: set[str], prepare: Callable[[Any], None]) -> list[str]:
    """One text for all headers and one for all footers; ``titles``, in lower case, are left out."""
    seen = set(titles)
    found = []
    for tag in _REFERENCES:
        parts: list[str] = []
        for root in _shown(document, tag):
            prepare(root)
            _mark_page_numbers(root)
            for text in map(_without_page, _texts(root)):
                if text and text.lower() not in seen and not text.isdecimal():
                    seen.add(text.lower())
                    parts.append(text)
        if parts:
            found.append(" | ".join(parts))
    return found


def _shown(document: Document, tag: str) -> Iterator[Any]:
    """The trees of the headers, or of the footers, that some page shows."""
    settings = related(document.part, "settings")
    even = settings is not None and on(parse_xml(settings.blob).find(qn("w:evenAndOddHeaders")))
    seen = set()
    for reference in document.element.body.iter(tag):
        kind, section = reference.get(qn("w:type"), "default"), reference.getparent()
        if (kind == "even" and not even) or (kind == "first" and not on(section.find(qn("w:titlePg")))):
            continue
        part = target(document.part, reference.get(qn("r:id")))
        if part is not None and part.partname not in seen:
            seen.add(part.partname)
            yield parse_xml(part.blob)


def _mark_page_numbers(root: Any) -> None:
    """Replaces the numbers that Word counts by a mark."""
    for node in list(root.iter(_SIMPLE_FIELD)):
        if _is_page(node.get(qn("w:instr"), "")):
            node.getparent().replace(node, new_run(node, _PAGE))
    depth, instruction, is_result, is_page = 0, "", False, False
    for node in list(root.iter(_FIELD, _INSTRUCTION, RUN)):
        if node.tag == _INSTRUCTION:
            instruction += node.text or ""
        elif node.tag == RUN:
            if is_result and is_page:
                clear(node)
        else:
            kind = node.get(qn("w:fldCharType"))
            depth += {"begin": 1, "end": -1}.get(kind, 0)
            if kind == "begin":
                instruction, is_result, is_page = "", False, False
            else:
                if not is_page and _is_page(instruction):
                    is_page = True
                    node.getparent().append(new_run(node, _PAGE)[0])
                is_result = kind == "separate"
                instruction = instruction if is_result else ""
                is_page = is_page and is_result


def _is_page(instruction: str) -> bool:
    return (instruction.split() or [""])[0].upper() in _PAGE_FIELDS


def _texts(root: Any) -> Iterator[str]:
    for block in root.iterchildren(PARAGRAPH, TABLE):
        if block.tag == TABLE:
            yield from _table_texts(block)
        else:
            yield from text_of(block).replace("\n", "\t").split("\t")


def _table_texts(table: Any) -> Iterator[str]:
    """The cells of a table: labels with their values, where one can tell them apart."""
    rows = [[paragraphs_text(cell) for cell in row.iterchildren(CELL)] for row in table.iterchildren(ROW)]
    rows = [cells for row in rows if (cells := [text for text in row if text])]
    if len(rows) == 2 and len(rows[0]) == len(rows[1]) > 1 and all(map(_is_label, rows[0])) and _has_digit(rows[1]):
        yield from map(_labelled, *rows)
        return
    for cells in rows:
        labels, values = cells[::2], cells[1::2]
        if len(labels) == len(values) and all(map(_is_label, labels)) and _are_pairs(rows, labels, values):
            yield from map(_labelled, labels, values)
        else:
            yield from cells


def _are_pairs(rows: list[list[str]], labels: list[str], values: list[str]) -> bool:
    if all(label.endswith((":", "：")) for label in labels):
        return True
    return _has_digit(values) or (len(rows) > 1 and all(len(cells) == 2 for cells in rows))


def _is_label(text: str) -> bool:
    return len(text) <= _LABEL and not _DIGIT.search(text) and _PAGE not in text


def _has_digit(texts: list[str]) -> bool:
    return any(map(_DIGIT.search, texts))


def _labelled(label: str, value: str) -> str:
    label = label.rstrip(":： ")
    return f"{label}: {value}" if _without_page(value) else ""


def _without_page(text: str) -> str:
    return " ".join(_PAGE_WORDS.sub(" ", " ".join(text.split())).split()).strip(_EDGES)
