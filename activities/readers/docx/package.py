"""Opens the package of a Word document: templates, documents with macros, and Strict Open XML included."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import IO

import docx
from docx.document import Document
from docx.opc.constants import CONTENT_TYPE
from docx.opc.part import Part, PartFactory
from docx.parts.document import DocumentPart

from activities.readers import archive
from activities.settings import ParseSettings

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w{1,40})/")
_HYPHENATED = {b"/extendedProperties": b"/extended-properties", b"/customProperties": b"/custom-properties"}


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


def opened(path: Path, limits: ParseSettings) -> Document:
    """The document at ``path``. Raises for zip bombs and damaged archives."""
    with archive.opened(path, limits, "docx") as package:
        is_strict = "_rels/.rels" in package.NameToInfo and _STRICT.search(package.read("_rels/.rels")) is not None
        source: str | IO[bytes] = transitional(package) if is_strict else str(path)
    return docx.Document(source)


def transitional(package: zipfile.ZipFile) -> IO[bytes]:
    """A package of Strict Open XML with the namespaces that libraries know."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as copy:
        for name in package.namelist():
            content = package.read(name)
            if name.endswith((".xml", ".rels")):
                content = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", content)
                for strict, usual in _HYPHENATED.items():
                    content = content.replace(strict, usual)
            copy.writestr(name, content)
    target.seek(0)
    return target


def related(part: Part, kind: str) -> Part | None:
    """The first part that another one refers to by a relationship of a kind, such as ``footnotes``."""
    found = (item for item in part.rels.values() if not item.is_external and item.reltype.endswith(f"/{kind}"))
    return next((item.target_part for item in found), None)


def target(part: Part, identifier: str | None) -> Part | None:
    """The part that a relationship leads to; None for one outside of the package, and for a dangling identifier."""
    relationship = part.rels.get(identifier) if identifier else None
    if relationship is None or relationship.is_external:
        return None
    found: Part = relationship.target_part
    return found
