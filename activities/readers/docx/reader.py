"""Word documents and templates: rewrites the content that unstructured skips, then partitions the document.

unstructured reads only the paragraphs and tables directly in the body. Content controls, tracked insertions,
fields, floating text boxes, footnotes and headings marked only by outline level are first rewritten as such
paragraphs.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.exceptions import PythonDocxError
from docx.opc.constants import CONTENT_TYPE
from docx.opc.part import PartFactory
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from docx.parts.document import DocumentPart
from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, told
from activities.readers import archive
from activities.readers.headings import heading
from activities.readers.partition import QUIET, Progress, element, page_limit, partition_docx, source_elements
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_TRANSPARENT = ("sdt", "ins", "moveTo", "smartTag", "customXml", "fldSimple")
_DROPPED = ("del", "moveFrom")
_HIDDEN_NAMES = (
    "sdt|ins |moveTo |smartTag|customXml|fldSimple|txbxContent|outlineLvl|footnoteReference|endnoteReference"
)
_HIDDEN = re.compile(f"<w:(?:{_HIDDEN_NAMES})".encode())
_MAX_BOLD_HEADING = 60
_DAMAGED = (
    *(KeyError, ValueError, AttributeError, IndexError, TypeError, ArithmeticError),
    *(OSError, etree.LxmlError, zipfile.BadZipFile, PythonDocxError),
)


class _AnyDocumentPart(DocumentPart):
    """The document in a template or in a file with macros, which python-docx refuses by its content type."""

    @property
    def content_type(self) -> str:
        """That of a document, also in a copy."""
        return CONTENT_TYPE.WML_DOCUMENT_MAIN


for _content_type in (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
):
    PartFactory.part_type_for[_content_type] = _AnyDocumentPart


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a Word document, with pages only where Word recorded its page breaks."""
    hidden = _check(path, limits)
    progress(0, 2)
    try:
        source = _rewritten(path) if hidden else path.open("rb")
        with source:
            progress(1, 2)
            items = partition_docx(file=source, include_page_breaks=False, **QUIET)
    except _DAMAGED as exc:
        raise DamagedDocument(format="docx", detail=told(exc)) from exc
    titled = any(isinstance(item, source_elements.Title) for item in items)
    elements = [
        converted for item in items if (converted := element(item) if titled else _bold_title(item)) is not None
    ]
    pages = max((converted.page for converted in elements if converted.page), default=None)
    page_limit(pages or 0, limits)
    progress(2, 2)
    return Reading(elements, pages)


def _check(path: Path, limits: ParseSettings) -> bool:
    """Whether the document has content that unstructured skips. Raises for zip bombs and damaged archives."""
    with archive.opened(path, limits, "docx") as package:
        parts = [package.read(part) for part in ("word/document.xml", "word/styles.xml") if part in package.NameToInfo]
    return _HIDDEN.search(parts[0]) is not None or _has_outline_styles(parts[1:])


def _has_outline_styles(styles: list[bytes]) -> bool:
    """Whether a style other than Word's built-in headings (all named ``heading N``) has an outline level."""
    return any(part.count(b"<w:outlineLvl") > part.lower().count(b'w:val="heading ') for part in styles)


def _rewritten(path: Path) -> IO[bytes]:
    """The document with all skipped content as paragraphs of its body."""
    document = docx.Document(str(path))
    body = document.element.body
    for tag in _DROPPED:
        for node in list(body.iter(qn(f"w:{tag}"))):
            if len(node) or node.getparent().tag != qn("w:rPr"):
                node.getparent().remove(node)
    for node in list(body.iter(*(qn(f"w:{tag}") for tag in _TRANSPARENT))):
        _unwrap(node)
    _move_text_boxes_out(body)
    _insert_notes(document)
    _outline_to_headings(document)
    target = io.BytesIO()
    document.save(target)
    target.seek(0)
    return target


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


def _move_text_boxes_out(body: Any) -> None:
    """Moves the paragraphs of text boxes after the paragraph that anchors them; drops fallback copies."""
    for fallback in list(body.iter("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback")):
        fallback.getparent().remove(fallback)
    for box in list(body.iter(qn("w:txbxContent"))):
        anchor = next((node for node in box.iterancestors(qn("w:p"))), None)
        if anchor is None:
            continue
        for child in reversed(list(box)):
            anchor.addnext(child)


def _insert_notes(document: Any) -> None:
    """Inserts footnotes and endnotes as paragraphs after the paragraph that refers to them."""
    for kind in ("footnote", "endnote"):
        part = next((rel.target_part for rel in document.part.rels.values() if rel.reltype.endswith(f"/{kind}s")), None)
        references = list(document.element.body.iter(qn(f"w:{kind}Reference")))
        if part is None or not references:
            continue
        notes = {note.get(qn("w:id")): note for note in parse_xml(part.blob).iter(qn(f"w:{kind}"))}
        for number, reference in reversed(list(enumerate(references, 1))):
            note = notes.get(reference.get(qn("w:id")))
            anchor = next(reference.iterancestors(qn("w:p")), None)
            if note is not None and anchor is not None:
                _add_note(anchor, number, "".join(text.text or "" for text in note.iter(qn("w:t"))).strip())


def _add_note(anchor: Any, number: int, text: str) -> None:
    if text:
        paragraph = anchor.makeelement(qn("w:p"))
        run = etree.SubElement(paragraph, qn("w:r"))
        etree.SubElement(run, qn("w:t")).text = f"[{number}] {text}"
        anchor.addnext(paragraph)


def _outline_to_headings(document: Any) -> None:
    """Gives paragraphs that are headings by outline level the heading style that unstructured recognises."""
    levels = {style.style_id: _outline_level(style) for style in document.styles if style.type == 1}
    names = {style.style_id: style.name or "" for style in document.styles if style.type == 1}
    for paragraph in document.element.body.iter(qn("w:p")):
        own = paragraph.xpath("./w:pPr/w:outlineLvl/@w:val")
        if not own and (paragraph.style is None or names.get(paragraph.style, "").startswith(("Heading", "Title"))):
            continue
        level = int(own[0]) if own and own[0].isdigit() else levels.get(paragraph.style)
        if level is not None and level < 9:
            paragraph.style = _heading_style(document, level + 1)


def _outline_level(style: Any) -> int | None:
    seen = 0
    while style is not None and seen < 20:
        own = style.element.xpath("./w:pPr/w:outlineLvl/@w:val")
        if own:
            return int(own[0]) if own[0].isdigit() else None
        style, seen = style.base_style, seen + 1
    return None


def _heading_style(document: Any, level: int) -> str:
    name = f"Heading {level}"
    if name not in document.styles:
        document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    return str(document.styles[name].style_id)


def _bold_title(item: source_elements.Element) -> Element | None:
    """In documents without heading styles, marks short bold lines and lines worded as headings."""
    converted = element(item)
    if converted is None or converted.kind != "text":
        return converted
    by_words = heading(converted.text)
    tags = item.metadata.emphasized_text_tags or []
    bold = "".join(
        text for text, tag in zip(item.metadata.emphasized_text_contents or [], tags, strict=False) if tag == "b"
    )
    all_bold = "".join(bold.split()) == "".join(converted.text.split())
    if by_words and (all_bold or len(converted.text) < _MAX_BOLD_HEADING):
        return Element(text=by_words[0], kind="title", page=converted.page, level=by_words[1])
    if all_bold and len(converted.text) < _MAX_BOLD_HEADING and converted.text[-1] not in ".。,，;；:：":
        return Element(text=converted.text, kind="title", page=converted.page, level=3)
    return converted
