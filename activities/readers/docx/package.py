"""Opens the package of a Word document: templates, documents with macros, and Strict Open XML included."""

from __future__ import annotations

from pathlib import Path

import docx
from docx.document import Document
from docx.opc.constants import CONTENT_TYPE
from docx.opc.part import Part, PartFactory
from docx.parts.document import DocumentPart

from activities.readers import archive
from activities.readers.strict import readable
from activities.settings import ParseSettings


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
        source = readable(package, path)
    return docx.Document(source)


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
