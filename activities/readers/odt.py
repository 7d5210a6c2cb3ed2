"""OpenDocument texts (.odt), by way of pandoc, which passes over text boxes: they are put into its sight first."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, EncryptedDocument, first_line
from activities.readers import archive
from activities.readers.pandoc import markup
from activities.readers.partition import Progress
from activities.settings import ParseSettings

_MANIFEST, _CONTENT = "META-INF/manifest.xml", "content.xml"
_READ = ("mimetype", _MANIFEST, "styles.xml", "meta.xml")  # by pandoc, beside the content; pictures are not
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_BOX = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}text-box"


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> tuple[list[Element], None]:
    """The elements of an OpenDocument text: headings, paragraphs, lists, tables, notes."""
    with archive.opened(path, limits, "odt") as whole:
        if _MANIFEST in whole.NameToInfo and b"encryption-data" in whole.read(_MANIFEST):
            raise EncryptedDocument()
        slim = _slim(whole, _revealed(whole.read(_CONTENT)))
    elements = markup(slim, "odt", limits)
    progress(1, 1)
    return elements, None


def _slim(whole: zipfile.ZipFile, content: bytes) -> bytes:
    """The document with ``content`` and without pictures."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as copy:
        for member in _READ:
            if member in whole.NameToInfo:
                copy.writestr(member, whole.read(member))
        copy.writestr(_CONTENT, content)
    return target.getvalue()


def _revealed(content: bytes) -> bytes:
    """The paragraphs of text boxes go after the paragraph that anchors them."""
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    except etree.XMLSyntaxError as exc:
        raise DamagedDocument(format="odt", detail=first_line(exc)) from exc
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
