"""OpenDocument texts (.odt), read by pandoc after text boxes, which it skips, became paragraphs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

from activities.errors import DamagedDocument, EncryptedDocument, told
from activities.readers import archive
from activities.readers.encoding import without_controls
from activities.readers.pandoc import markup
from activities.readers.partition import Progress
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_MANIFEST, _CONTENT = "META-INF/manifest.xml", "content.xml"
_READ = ("mimetype", _MANIFEST, "styles.xml", "meta.xml")  # the other parts that pandoc needs, no pictures
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_BOX = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}text-box"


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of an OpenDocument text: headings, paragraphs, lists, tables, notes."""
    with archive.opened(path, limits, "odt") as package:
        if _MANIFEST in package.NameToInfo and b"encryption-data" in package.read(_MANIFEST):
            raise EncryptedDocument()
        reduced = _reduced(package, _with_text_boxes(package.read(_CONTENT)))
    reading = markup(reduced, "odt", limits)
    progress(1, 1)
    return reading


def _reduced(package: zipfile.ZipFile, content: bytes) -> bytes:
    """The document with ``content`` as its text and without pictures."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as copy:
        for member in _READ:
            if member in package.NameToInfo:
                copy.writestr(member, package.read(member))
        copy.writestr(_CONTENT, content)
    return target.getvalue()


def _with_text_boxes(content: bytes) -> bytes:
    """The content with the paragraphs of text boxes moved after the paragraph that anchors them."""
    try:
        held = without_controls(content.decode("utf-8", "replace")).encode()
        root = etree.fromstring(held, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError as exc:
        raise DamagedDocument(format="odt", detail=told(exc)) from exc
    for box in list(root.iter(_BOX)):
        anchor = next((node for node in box.iterancestors(f"{_TEXT}p", f"{_TEXT}h")), None)
        for child in reversed(list(box)):
            _move_after(anchor, child)
    return bytes(etree.tostring(root))


def _move_after(anchor: Any, node: Any) -> None:
    if anchor is not None:
        tail, anchor.tail = anchor.tail, None
        anchor.addnext(node)
        node.tail = tail
