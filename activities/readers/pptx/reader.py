"""PowerPoint presentations (.pptx): slides become pages and titles headings, with notes, tables, charts and comments.

unstructured's ``partition_pptx`` omits charts and diagrams, and assigns slides without a title to the slide before.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from lxml import etree
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError
from pptx.opc.package import PartFactory
from pptx.package import Package
from pptx.parts.presentation import PresentationPart

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, told
from activities.phrases import RemarkText
from activities.readers import archive, embedded
from activities.readers.drawing import DRAWING, levels, paragraphs, without_alternatives
from activities.readers.objects import Objects
from activities.readers.partition import DEEPEST, Progress, page_limit
from activities.readers.pptx.comments import authors, comments
from activities.readers.reading import Reading
from activities.readers.runs import Run, joined, note_of, with_notes
from activities.readers.strict import readable
from activities.readers.tables.grid import Cell, table_elements
from activities.settings import ParseSettings

_BROKEN = (
    *(PythonPptxError, etree.LxmlError),
    *(KeyError, ValueError, TypeError, AttributeError, IndexError, ArithmeticError, NotImplementedError),
)
_DAMAGED = (*archive.BROKEN, *_BROKEN)
_RUNNING = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.HEADER)
_TITLES = (PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE, PP_PLACEHOLDER.VERTICAL_TITLE)
_BULLETED = (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY, PP_PLACEHOLDER.VERTICAL_OBJECT)
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_SLIDE = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_BODIES = (f"{_SLIDE}txBody", f"{DRAWING}txBody")
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_OTHER_CHART = "{http://schemas.microsoft.com/office/drawing/2014/chartex}chart"
_TRUE = ("1", "true")
_MAX_TITLE = 80
_MAX_GROUPS = 50

for _content_type in (  # slide shows and templates with macros, which python-pptx does not know
    "application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml",
    "application/vnd.ms-powerpoint.template.macroEnabled.main+xml",
):
    PartFactory.part_type_for[_content_type] = PresentationPart


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of all slides in the order of the presentation, then those of embedded files."""
    elements: list[Element] = []
    try:
        with archive.opened(path, limits, "pptx") as package, embedded.scope(path) as scope:
            presentation = Package.open(readable(package, path)).presentation_part
            slides = presentation.presentation.slides
            count = len(slides)
            page_limit(count, limits)
            objects = Objects(limits, scope)
            names = authors(presentation)
            remarks: Counter[RemarkText] = Counter()
            for number, slide in enumerate(slides, 1):
                if slide._element.get("show", "1") in ("0", "false") and limits.hidden == "skip":
                    remarks[RemarkText.HIDDEN_SLIDES] += 1
                else:
                    reader = _Slide(slide, number, objects, limits)
                    elements += reader.elements(names)
                    remarks += reader.remarks
                progress(number, count)
    except _DAMAGED as exc:
        raise DamagedDocument(format="pptx", detail=told(exc)) from exc
    return Reading([*elements, *objects.files], count, remarks=remarks + objects.remarks)


class _Slide:
    """Reads one slide. A shape that cannot be read is counted and left out."""

    def __init__(self, slide: Any, page: int, objects: Objects, limits: ParseSettings) -> None:
        self._slide = slide
        self._page = page
        self._objects = objects
        self._limits = limits
        self.remarks: Counter[RemarkText] = Counter()
        without_alternatives(slide._element)
        found = [runs for kind in _BODIES for body in slide._element.iter(kind) for runs in paragraphs(body)]
        self._notes = dict(note for runs in found if (note := note_of(runs)) is not None)
        self._used = {mark for runs in found for mark in joined(runs, self._notes)[1]}

    def elements(self, names: dict[str, str]) -> list[Element]:
        """Title, shapes in reading order, speaker's notes and comments; empty for an empty slide."""
        shape = self._slide.shapes.title
        title = " ".join(self._texts(shape._element)) if shape is not None and shape.has_text_frame else ""
        body = [item for item in self._shapes(self._slide.shapes) if item.text]
        if not title and body and body[0].kind != "table" and len(body[0].text) <= _MAX_TITLE:
            title = body.pop(0).text
        body += [Element(text=text, page=self._page) for text in [*self._spoken(), *comments(self._slide.part, names)]]
        if not (title or body):
            return []
        # A slide without a heading would be cited under the heading of the slide before.
        return [Element(text=title or f"#{self._page}", kind="title", page=self._page, level=1), *body]

    def _spoken(self) -> list[str]:
        frame = self._slide.notes_slide.notes_text_frame if self._slide.has_notes_slide else None
        return [text for runs in paragraphs(frame._txBody if frame is not None else None) if (text := self._text(runs))]

    def _shapes(self, shapes: Any, depth: int = 0) -> Iterator[Element]:
        """The shapes of a slide or group in reading order: top to bottom, left to right within a row."""
        for shape in sorted(shapes, key=_position) if depth == 0 else shapes:
            try:
                yield from list(self._shape(shape, depth))
            except _BROKEN:
                self.remarks[RemarkText.SHAPES] += 1

    def _shape(self, shape: Any, depth: int) -> Iterator[Element]:
        kind = shape.placeholder_format.type if shape.is_placeholder else None
        if kind in _RUNNING:
            return
        if self._limits.hidden == "skip" and shape._element._nvXxPr.cNvPr.get("hidden") in _TRUE:
            self.remarks[RemarkText.HIDDEN_TEXT] += any(shape._element.itertext(f"{DRAWING}t"))
        elif hasattr(shape, "shapes"):
            if depth < _MAX_GROUPS:
                yield from self._shapes(shape.shapes, depth + 1)
        elif getattr(shape, "has_table", False):
            rows = [[self._cell(cell) for cell in row.cells if not cell.is_spanned] for row in shape.table.rows]
            yield from table_elements(rows, page=self._page)
        elif shape.has_text_frame:
            if kind not in _TITLES:
                yield from self._paragraphs(shape, kind in _BULLETED)
            yield from self._pictures(shape)
        else:
            yield from self._object(shape)

    def _paragraphs(self, shape: Any, bulleted: bool) -> Iterator[Element]:
        body = shape._element.find(f"{_SLIDE}txBody")
        found = [
            (text, level)
            for runs, level in zip(paragraphs(body), levels(body), strict=True)
            if (text := self._text(runs))
        ]
        for text, level in found:
            if bulleted and len(found) > 1:
                yield Element(text=text, kind="list", page=self._page, level=min(DEEPEST, level))
            else:
                yield Element(text=text, page=self._page)

    def _object(self, shape: Any) -> Iterator[Element]:
        element = shape._element
        chart = next(element.iter(_CHART, _OTHER_CHART), None)
        file = next(element.iter(f"{_SLIDE}oleObj"), None)
        if chart is not None:
            part = self._part(chart, "id")
            yield from self._paged(self._objects.chart(part.blob if part is not None else b""))
        elif file is not None:
            if (part := self._part(file, "id")) is not None:
                self._objects.file(str(part.partname), part.blob)
        elif (ids := next(element.iter(f"{_DIAGRAM}relIds"), None)) is not None:
            part = self._part(ids, "dm")
            yield from (Element(text=text, kind="list", page=self._page) for text in _diagram(part))
        else:
            yield from self._pictures(shape)

    def _pictures(self, shape: Any) -> Iterator[Element]:
        for blip in shape._element.iter(f"{DRAWING}blip"):
            if (part := self._part(blip, "embed")) is not None:
                yield from self._paged(self._objects.picture(part.blob))

    def _paged(self, elements: list[Element]) -> list[Element]:
        return [msgspec.structs.replace(item, page=self._page) for item in elements]

    def _part(self, element: Any, attribute: str) -> Any:
        """The part that an element refers to; None when it lies elsewhere or is missing."""
        relation = self._slide.part.rels.get(element.get(f"{_RELATION}{attribute}", ""))
        return None if relation is None or relation.is_external else relation.target_part

    def _cell(self, cell: Any) -> Cell:
        text = " ".join(filter(None, map(self._text, paragraphs(cell._tc.txBody))))
        return Cell(text, rows=cell.span_height, columns=cell.span_width)

    def _texts(self, element: Any) -> list[str]:
        found = paragraphs(element.find(f"{_SLIDE}txBody"))
        return [text for runs in found if (text := self._text(runs))]

    def _text(self, runs: list[Run]) -> str:
        self.remarks[RemarkText.STRUCK_TEXT] += sum(run.struck and bool(run.text.strip()) for run in runs)
        note = note_of(runs)
        if note is not None and note[0] in self._used:
            return ""
        text, marks = joined(runs, self._notes)
        return with_notes(text, marks, self._notes)


def _position(shape: Any) -> tuple[int, int]:
    """Sort key of a shape: its row (a tenth of an inch), then its left edge; 0 for a placeholder without position."""
    try:
        return ((shape.top or 0) // 91_440, shape.left or 0)
    except _BROKEN:
        return (0, 0)


def _diagram(part: Any) -> list[str]:
    """The texts of a SmartArt diagram, which are stored in a separate part of the package."""
    if part is None or posixpath.splitext(part.partname)[1] != ".xml":
        return []
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    points = etree.fromstring(part.blob, parser).iter(f"{_DIAGRAM}pt")
    texts = (" ".join("".join(text.text or "" for text in point.iter(f"{DRAWING}t")).split()) for point in points)
    return [text for text in texts if text]
