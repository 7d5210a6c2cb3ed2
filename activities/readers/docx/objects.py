"""What stands in a document besides text: pictures, charts, diagrams, embedded files."""

from __future__ import annotations

import io
import struct
from collections import Counter
from pathlib import PurePosixPath
from typing import Any, Literal

import olefile  # type: ignore[import-untyped]
from docx.document import Document
from docx.opc.part import Part
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from lxml import etree

from activities.contracts.documents import Element
from activities.errors import DocumentError
from activities.phrases import RemarkText
from activities.readers.charts import chart_elements
from activities.readers.docx.content import Insertions
from activities.readers.docx.package import target
from activities.readers.embedded import Scope, demoted, read_embedded
from activities.readers.partition import Progress
from activities.readers.pictures import Pictures
from activities.settings import ParseSettings

_KINDS: dict[str, Literal["picture", "chart", "diagram", "file", "imported"]] = {
    qn("a:blip"): "picture",
    "{urn:schemas-microsoft-com:vml}imagedata": "picture",
    qn("c:chart"): "chart",
    "{http://schemas.microsoft.com/office/drawing/2014/chartex}chart": "chart",
    qn("dgm:relIds"): "diagram",
    "{urn:schemas-microsoft-com:office:office}OLEObject": "file",
    qn("w:altChunk"): "imported",
}
_ID, _EMBED, _DATA = qn("r:id"), qn("r:embed"), qn("r:dm")
_NATIVE = struct.Struct("<4xH")


class Objects:
    """Reads the objects of one document, and counts what cannot be read."""

    def __init__(self, document: Document, limits: ParseSettings, scope: Scope, progress: Progress) -> None:
        self._part = document.part
        self._nodes = list(document.element.body.iter(*_KINDS))
        self._limits = limits
        self._scope = scope
        self._progress = progress
        self._pictures = Pictures(limits)
        self._read: set[Part] = set()
        self.remarks: Counter[RemarkText] = Counter()
        self.files: list[Element] = []
        """Embedded files, which follow the document, each under its name."""

    @property
    def steps(self) -> int:
        """The units of progress of the whole document."""
        return len(self._nodes) + 1

    def insert(self, insertions: Insertions) -> None:
        """Lets the texts of pictures, charts and diagrams follow their paragraphs."""
        for done, node in enumerate(self._nodes, 1):
            insertions.after(node, self._elements(node))
            self._progress(done, self.steps)
        self.remarks[RemarkText.PICTURES] += self._pictures.unread

    def _elements(self, node: Any) -> list[Element]:
        """What an object says in its place."""
        part = target(self._part, node.get(_EMBED) or node.get(_ID) or node.get(_DATA))
        if part is None:
            return []
        match _KINDS[node.tag]:
            case "picture":
                is_preview = next(node.iterancestors(qn("w:object")), None) is not None
                return [] if is_preview else self._pictures.elements(part.blob)
            case "chart":
                found = chart_elements(part.blob)
                self.remarks[RemarkText.CHARTS] += not found
                return found
            case "diagram":
                return _diagram(part.blob)
            case "imported":
                return self._file(PurePosixPath(part.partname).name, part.blob)
            case "file":
                self._embedded(part)
        return []

    def _embedded(self, part: Part) -> None:
        if part in self._read:
            return
        self._read.add(part)
        name, content = unpacked(PurePosixPath(part.partname).name, part.blob)
        if found := self._file(name, content):
            self.files += [Element(text=name, kind="title", level=1), *demoted(found, 1)]

    def _file(self, name: str, content: bytes) -> list[Element]:
        try:
            reading = read_embedded(content, name, self._limits, self._scope)
        except DocumentError:
            self.remarks[RemarkText.EMBEDDED_FILES] += 1
            return []
        self.remarks.update(reading.remarks)
        return [Element(text=item.text, kind=item.kind, level=item.level) for item in reading.elements]


def unpacked(name: str, content: bytes) -> tuple[str, bytes]:
    """The file within an OLE object, with its own name where it has one; other content as it is."""
    if not content.startswith(olefile.MAGIC):
        return name, content
    try:
        with olefile.OleFileIO(io.BytesIO(content)) as container:
            for stream in ("Package", "CONTENTS"):
                if container.exists(stream):
                    return name, container.openstream(stream).read()
            if container.exists("\x01Ole10Native"):
                return _native(name, container.openstream("\x01Ole10Native").read())
    except (OSError, ValueError, IndexError, TypeError, struct.error):  # olefile does not validate its input
        pass
    return name, content


def _native(name: str, stream: bytes) -> tuple[str, bytes]:
    """The file in a stream of Windows' packager: sizes, label and paths as strings that end in NUL, content."""
    label, _, rest = stream[_NATIVE.size :].partition(b"\0")
    _, _, rest = rest.partition(b"\0")
    (path_size,) = struct.unpack_from("<4xI", rest)
    (size,) = struct.unpack_from("<I", rest, 8 + path_size)
    begin = 12 + path_size
    return label.decode("utf-8", "replace") or name, rest[begin : begin + size]


def _diagram(data: bytes) -> list[Element]:
    """The texts of a diagram's shapes, in the order in which they are stored."""
    try:
        root = parse_xml(data)
    except etree.XMLSyntaxError:
        return []
    texts = (" ".join("".join(text.itertext()).split()) for text in root.iter(qn("dgm:t")))
    return [Element(text=text, kind="list") for text in texts if text]
