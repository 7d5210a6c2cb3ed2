"""Rewrites what unstructured skips as paragraphs of the body: it reads only the paragraphs and tables directly there.

Content controls, tracked insertions, fields, text boxes, and headings that are marked only by outline level.
"""

from __future__ import annotations

from typing import Any

from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml.ns import qn

from activities.readers.docx.content import PARAGRAPH, ROW

_TRANSPARENT = tuple(
    qn(f"w:{tag}") for tag in ("sdt", "ins", "moveTo", "smartTag", "customXml", "fldSimple", "dir", "bdo")
)
_DROPPED = (qn("w:del"), qn("w:moveFrom"))
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BOX = qn("w:txbxContent")
_OUTLINE = qn("w:outlineLvl")
_BODY_TEXT = "9"  # the outline level of text that is no heading


def without_changes(root: Any) -> None:
    """Carries out tracked changes, unwraps content controls and fields, moves text boxes out."""
    found = list(root.iter(*_TRANSPARENT, *_DROPPED, _FALLBACK, _BOX))
    for node in found:
        if node.tag in _DROPPED:
            _drop(node)
        elif node.tag == _FALLBACK:
            node.getparent().remove(node)
    for node in found:
        if node.tag in _TRANSPARENT:
            _unwrap(node)
    for node in found:
        if node.tag == _BOX:
            _move_out(node)


def _drop(node: Any) -> None:
    """Removes deleted content, also the row of a table that is marked as deleted."""
    parent = node.getparent()
    if parent is None or (not len(node) and parent.tag == qn("w:rPr")):
        return
    if parent.tag == qn("w:trPr"):
        node = next(parent.iterancestors(ROW), node)
    if node.getparent() is not None:
        node.getparent().remove(node)


def _unwrap(node: Any) -> None:
    """Replaces a wrapper by its content."""
    parent = node.getparent()
    if parent is None:
        return
    content = node.find(qn("w:sdtContent")) if node.tag == qn("w:sdt") else node
    for child in list(content) if content is not None else []:
        if not child.tag.endswith("Pr"):
            node.addprevious(child)
    parent.remove(node)


def _move_out(box: Any) -> None:
    """Moves the paragraphs of a text box after the paragraph that anchors it."""
    anchor = next(box.iterancestors(PARAGRAPH), None)
    if anchor is not None:
        for child in reversed(list(box)):
            anchor.addnext(child)


def outline_to_headings(document: Document) -> None:
    """Gives paragraphs that are headings by outline level the heading style that unstructured recognises."""
    if not _has_outline_levels(document):
        return
    styles = [style for style in document.styles if style.type == WD_STYLE_TYPE.PARAGRAPH]
    levels = {style.style_id: _outline_level(style) for style in styles}
    names = {style.style_id: style.name or "" for style in styles}
    for paragraph in document.element.body.iter(PARAGRAPH):
        own = paragraph.xpath("./w:pPr/w:outlineLvl/@w:val")
        if not own and (paragraph.style is None or names.get(paragraph.style, "").startswith(("Heading", "Title"))):
            continue
        level = int(own[0]) if own and own[0].isdigit() else levels.get(paragraph.style)
        if level is not None and level < 9:
            paragraph.style = _heading_style(document, level + 1)


def _has_outline_levels(document: Document) -> bool:
    """Whether a paragraph, or a style other than Word's built-in headings (named ``heading N``), has one."""
    if next(document.element.body.iter(_OUTLINE), None) is not None:
        return True
    levels = (node for node in document.styles.element.iter(_OUTLINE) if node.get(qn("w:val")) != _BODY_TEXT)
    styles = (next(node.iterancestors(qn("w:style")), node) for node in levels)
    return any(not _name(style).lower().startswith("heading ") for style in styles)


def _name(style: Any) -> str:
    name = style.find(qn("w:name"))
    return name.get(qn("w:val"), "") if name is not None else ""


def _outline_level(style: Any) -> int | None:
    seen = 0
    while style is not None and seen < 20:
        own = style.element.xpath("./w:pPr/w:outlineLvl/@w:val")
        if own:
            return int(own[0]) if own[0].isdigit() else None
        style, seen = style.base_style, seen + 1
    return None


def _heading_style(document: Document, level: int) -> str:
    name = f"Heading {level}"
    if name not in document.styles:
        document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    return str(document.styles[name].style_id)
