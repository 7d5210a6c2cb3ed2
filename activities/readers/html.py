"""HTML: tidies the tree so that unstructured's partitioning keeps all text that a browser shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lxml.html
import msgspec
from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, told
from activities.readers.encoding import without_controls
from activities.readers.markup.notes import settle_notes
from activities.readers.markup.styles import Sheet
from activities.readers.markup.tables import join_definitions, rows_of
from activities.readers.markup.unseen import remove_unseen
from activities.readers.partition import QUIET, Progress, check_depth, element, partition_html, source_elements
from activities.readers.reading import Reading
from activities.readers.tables.grid import table_elements
from activities.readers.text import decode_file
from activities.settings import ParseSettings
from activities.text.scripts import CJK

MAX_DEPTH = 250
"""Maximum nesting of elements; unstructured's parser loses the text of those below level 256."""

_KEEP = "\u2060"  # an invisible character that lengthens a text: unstructured drops paragraphs of one character
_CJK_BREAK = re.compile(rf"([{CJK}])[ \t]*\r?\n[ \t]*(?=[{CJK}])")
_NUMBER = re.compile(r"-?[0-9]{1,9}")  # browsers ignore larger ones
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
# Tags whose content unstructured omits although a browser shows it, and their replacements.
_SHOWN = {"details": "div", "summary": "p", "figure": "div", "figcaption": "p", "form": "div", "label": "span"}
_PARTS = ("h1", "h2", "h3", "h4", "h5", "h6", "table", "section", "article")
_LISTS = frozenset(("ul", "ol"))
_BLOCKS = frozenset((*_PARTS, "ul", "ol", "pre", "blockquote"))
# Descriptions of pictures that editors write by themselves: a word for "picture" with a number, or a file's name.
_NO_DESCRIPTION = re.compile(
    r"(?:(?:an? |the )?(?:image|img|picture|pic|photo|screen ?shot|alt(?: text)?|image description|untitled)"
    r"|图片?|图像|圖片?|圖像|截图|截圖|照片|插图|插圖|在这里插入图片描述|在這裡插入圖片描述)[\s\d_().-]*"
    r"|\S{1,200}\.(?:png|jpe?g|gif|webp|svg|bmp|tiff?)",
    re.I,
)
_VERBATIM = frozenset(("pre", "textarea", "script", "style"))


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a web page: headings, paragraphs, lists, tables as rows, code verbatim."""
    reading = reading_of(decode_file(path), limits)
    progress(1, 1)
    return reading


def elements_of(html: str, *, page_title: bool = True) -> list[Element]:
    """The elements of an HTML text, without hidden text."""
    return reading_of(html, ParseSettings(), page_title=page_title).elements


def reading_of(html: str, limits: ParseSettings, *, page_title: bool = True) -> Reading:
    """What an HTML text says. ``page_title``: ``<title>`` becomes the heading of a page without ``<h1>``."""
    return reading_of_tree(tree_of(html), limits, page_title=page_title)


def tree_of(html: str) -> Any:
    """The tree of an HTML text. Raises DamagedDocument and DocumentTooLarge."""
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    held = without_controls(_DECLARATION.sub("", html))
    try:
        root = lxml.html.document_fromstring(held.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError) as exc:
        raise DamagedDocument(format="html", detail=told(exc)) from exc
    check_depth(root, MAX_DEPTH)
    return root


def reading_of_tree(root: Any, limits: ParseSettings, *, page_title: bool = True) -> Reading:
    """What a tree of HTML says; changes the tree."""
    title = _document_title(root) if page_title else None
    sheet = Sheet(root)
    remarks = remove_unseen(root, sheet, hidden=limits.hidden == "read")
    tables = _tidy(root, sheet)
    text = lxml.html.tostring(root, encoding="unicode")
    elements = [title] if title else []
    for item in partition_html(text=text, **QUIET):
        if isinstance(item, source_elements.Table):
            elements += tables[int(item.text)]
            continue
        item.text = item.text.replace(_KEEP, "")
        converted = element(item)
        if converted is not None:
            elements.append(converted)
    return Reading(elements, remarks=remarks)


def _document_title(root: Any) -> Element | None:
    """``<title>`` as a heading, for pages without ``<h1>``."""
    text = " ".join((root.findtext(".//title") or "").split())
    return Element(text=text, kind="title", level=1) if text and root.find(".//h1") is None else None


def _tidy(root: Any, sheet: Sheet) -> list[list[Element]]:
    """Prepares a tree for unstructured; returns its tables, for each of which the tree then holds its number."""
    for node in list(root.iter("caption")):
        _move_caption_out(node)
    for node in list(root.iter("table")):
        if _is_layout(node):
            _unwrap_table(node)
    for node in root.iter("img"):
        if _NO_DESCRIPTION.fullmatch(node.get("alt", "").strip()):
            node.attrib.pop("alt", None)
    settle_notes(root, sheet)
    for node in list(root.iter(*_SHOWN)):
        node.tag = _SHOWN[node.tag]
    for node in list(root.iter("ol")):
        _number(node)
    for node in list(root.iter("li")):
        _join_item(node)
    join_definitions(root)
    body = root.find("body")
    verbatim = 0
    for event, node in etree.iterwalk(root if body is None else body, events=("start", "end")):
        if event == "start":
            verbatim += node.tag in _VERBATIM
            node.text = node.text if verbatim else _tidy_text(node.text)
        else:
            verbatim -= node.tag in _VERBATIM
            node.tail = node.tail if verbatim else _tidy_text(node.tail)
    return [_replaced(node, number) for number, node in enumerate(_outermost(root, "table"))]


def _outermost(root: Any, tag: str) -> list[Any]:
    """The elements of a tag that are not within another one."""
    found = []
    walk = etree.iterwalk(root, events=("start",), tag=tag)
    for _, node in walk:
        found.append(node)
        walk.skip_subtree()
    return found


def _replaced(table: Any, number: int) -> list[Element]:
    """The elements of a table, whose only cell then holds its number."""
    elements = table_elements(rows_of(table))
    tail = table.tail
    table.clear()
    table.tail = tail
    etree.SubElement(etree.SubElement(table, "tr"), "td").text = str(number)
    return [msgspec.structs.replace(item, text=item.text.replace(_KEEP, "")) for item in elements]


def _tidy_text(text: str | None) -> str | None:
    """Removes the space at line breaks between CJK characters and lengthens texts of one character."""
    if not text or text.isspace():
        return text
    text = _CJK_BREAK.sub(r"\1", text)
    return text.rstrip() + _KEEP + text[len(text.rstrip()) :] if len(text.strip()) == 1 else text


def _number(ordered: Any) -> None:
    """Puts the numbers that a browser shows in front of the items of an ordered list."""
    start = ordered.get("start", "1")
    number = int(start) if _NUMBER.fullmatch(start) else 1
    for item in ordered.iterchildren("li"):
        value = item.get("value", "")
        number = int(value) if _NUMBER.fullmatch(value) else number
        holder = item
        while len(holder) and holder[0].tag in ("p", "div") and not (holder.text or "").strip():
            holder = holder[0]
        holder.text = f"{number}. {(holder.text or '').lstrip()}"
        number += 1


def _join_item(item: Any) -> None:
    """Makes an item's first paragraph its text, and its other paragraphs items below it: unstructured would take
    all of them for paragraphs outside of the list.
    """
    paragraphs = item.findall("p")
    if not paragraphs or any(child.tag in _BLOCKS - _LISTS or child.tag == "div" for child in item):
        return
    if paragraphs[0] is item[0] and not (item.text or "").strip():
        paragraphs.pop(0).drop_tag()
    for paragraph in paragraphs:
        paragraph.tag = "li"
        holder = item.makeelement("ul")
        holder.tail, paragraph.tail = paragraph.tail, None
        paragraph.addprevious(holder)
        holder.append(paragraph)


def _move_caption_out(caption: Any) -> None:
    """Moves a caption into a paragraph before its table, so that the first row is the header."""
    table = caption.getparent()
    if table is None or table.tag != "table" or table.getparent() is None:
        return
    caption.tag, caption.tail = "p", None
    table.addprevious(caption)


def _is_layout(table: Any) -> bool:
    """Whether a table arranges a page rather than data: it has one cell, or cells that hold blocks."""
    if table.get("role") in ("presentation", "none"):
        return True
    cells = list(table.iter("td", "th"))
    if len(cells) <= 1:
        return True
    if any(cell.tag == "th" for cell in cells):
        return next(table.iterdescendants(*_PARTS), None) is not None
    return any(
        node.tag in _BLOCKS and not (node.tag in ("ul", "ol") and len(cells) > 2 and len(node) < 20)
        for node in table.iterdescendants()
        if isinstance(node.tag, str)
    ) or any(len(cell.findall("p")) > 3 for cell in cells)


def _unwrap_table(table: Any) -> None:
    for node in list(table.iterdescendants("thead", "tbody", "tfoot", "tr", "td", "th")):
        if next(node.iterancestors("table"), None) is table:
            node.tag = "div"
    table.tag = "div"
