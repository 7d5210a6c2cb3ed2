"""OpenDocument texts (.odt), read by pandoc after text boxes, which it skips, became paragraphs."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from lxml import etree

from activities.errors import DamagedDocument, EncryptedDocument, told
from activities.phrases import RemarkText
from activities.readers import archive
from activities.readers.encoding import without_controls
from activities.readers.pandoc import markup
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_MANIFEST, _CONTENT = "META-INF/manifest.xml", "content.xml"
_STYLES = "styles.xml"
_READ = ("mimetype", _MANIFEST, _STYLES, "meta.xml")  # the other parts that pandoc needs, no pictures
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_STYLED = (f"{_TEXT}span", f"{_TEXT}p", f"{_TEXT}h")
_IS_HIDDEN = f"{_TEXT}is-hidden"
_INLINE = frozenset(
    _TEXT + name
    for name in ("a", "h", "hidden-text", "line-break", "list", "note", "note-citation", "p", "ruby-base", "ruby-text")
    + ("s", "span", "tab")
)
"""Elements of a paragraph that pandoc reads, or that are not shown; the others with text are fields."""
_VALUE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}string-value"
_FRAME = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}frame"
_BOX = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}text-box"


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of an OpenDocument text: headings, paragraphs, lists, tables, notes."""
    with archive.opened(path, limits, "odt") as package:
        if _MANIFEST in package.NameToInfo and b"encryption-data" in package.read(_MANIFEST):
            raise EncryptedDocument()
        content = _tree(package.read(_CONTENT))
        named = _tree(package.read(_STYLES)) if _STYLES in package.NameToInfo else content
        hidden = 0 if limits.hidden == "read" else _remove_hidden(content, named)
        _write_fields_out(content)
        _move_text_boxes_out(content)
        reduced = _reduced(package, bytes(etree.tostring(content)))
    reading = markup(reduced, "odt", limits)
    remarks = Counter(reading.remarks)
    remarks[RemarkText.HIDDEN_TEXT] += hidden
    progress(1, 1)
    return Reading(reading.elements, remarks=+remarks)


def _tree(content: bytes) -> Any:
    held = without_controls(content.decode("utf-8", "replace")).encode()
    try:
        return etree.fromstring(held, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError as exc:
        raise DamagedDocument(format="odt", detail=told(exc)) from exc


def _remove_hidden(content: Any, named: Any) -> int:
    """Removes hidden sections, paragraphs and words, which pandoc would read; returns how many had text."""
    styles = {
        properties.getparent().get(f"{_STYLE}name")
        for tree in (content, named)
        for properties in tree.iter(f"{_STYLE}text-properties")
        if properties.get(f"{_TEXT}display") == "none"
    }
    removed = [node for node in content.iter(f"{_TEXT}section") if node.get(f"{_TEXT}display") == "none"]
    removed += [node for node in content.iter(*_STYLED) if node.get(f"{_TEXT}style-name") in styles]
    removed += [node.getparent() for node in content.iter(f"{_TEXT}hidden-paragraph") if node.get(_IS_HIDDEN) == "true"]
    count = 0
    for node in removed:
        parent, before = node.getparent(), node.getprevious()
        if parent is None:
            continue
        count += any(text.strip() for text in node.itertext())
        if before is not None:
            before.tail = (before.tail or "") + (node.tail or "")
        else:
            parent.text = (parent.text or "") + (node.tail or "")
        parent.remove(node)
    return count


def _reduced(package: zipfile.ZipFile, content: bytes) -> bytes:
    """The document with ``content`` as its text and without pictures."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as copy:
        for member in _READ:
            if member in package.NameToInfo:
                copy.writestr(member, package.read(member))
        copy.writestr(_CONTENT, content)
    return target.getvalue()


def _write_fields_out(root: Any) -> None:
    """Makes fields (dates, names, references, placeholders), which pandoc skips, the text that they show."""
    values = {node.get(f"{_TEXT}name"): node.get(_VALUE) for node in root.iter(f"{_TEXT}user-field-decl")}
    for paragraph in root.iter(f"{_TEXT}p", f"{_TEXT}h"):
        for node in paragraph.iter(f"{_TEXT}*"):
            if node.tag == f"{_TEXT}user-field-get" and not node.text:
                node.text = values.get(node.get(f"{_TEXT}name"))
            if node.text and node.tag not in _INLINE:
                node.tag = f"{_TEXT}span"


def _move_text_boxes_out(root: Any) -> None:
    """Moves the paragraphs of text boxes after the paragraph, or the frame on a page, that anchors them."""
    for box in list(root.iter(_BOX)):
        anchor = next(box.iterancestors(f"{_TEXT}p", f"{_TEXT}h"), next(box.iterancestors(_FRAME), None))
        for child in reversed(list(box)):
            _move_after(anchor, child)


def _move_after(anchor: Any, node: Any) -> None:
    if anchor is not None:
        tail, anchor.tail = anchor.tail, None
        anchor.addnext(node)
        node.tail = tail
