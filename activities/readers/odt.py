"""OpenDocument texts (.odt), by way of pandoc."""

from __future__ import annotations

from pathlib import Path

from activities.contracts import Element
from activities.errors import EncryptedDocument
from activities.readers import archive
from activities.readers.pandoc import markup
from activities.readers.partition import Progress
from activities.settings import ParseSettings

_MANIFEST = "META-INF/manifest.xml"


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> tuple[list[Element], None]:
    """The elements of an OpenDocument text: headings, paragraphs, lists, tables, notes."""
    with archive.opened(path, limits, "odt") as whole:
        if _MANIFEST in whole.NameToInfo and b"encryption-data" in whole.read(_MANIFEST):
            raise EncryptedDocument()
        whole.getinfo("content.xml")
    elements = markup(path.read_bytes(), "odt", limits)
    progress(1, 1)
    return elements, None
