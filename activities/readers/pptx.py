"""PowerPoint presentations (.pptx): slides become pages and titles headings, with notes, tables and charts.

unstructured's ``partition_pptx`` omits charts and diagrams, and assigns slides without a title to the slide before.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError
from pptx.package import Package

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, told
from activities.readers import archive
from activities.readers.partition import Progress, page_limit
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_DAMAGED = (
    *(*archive.BROKEN, PythonPptxError, etree.LxmlError),
    *(ValueError, TypeError, AttributeError, IndexError, ArithmeticError),
)
_RUNNING = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.HEADER)
_BULLETED = (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY, PP_PLACEHOLDER.VERTICAL_OBJECT)
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MAX_TITLE = 80
_MAX_GROUPS = 50
_MAX_POINTS = 200  # categories of a chart that are read


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of all slides, hidden ones too, in the order of the presentation."""
    elements: list[Element] = []
    try:
        with archive.opened(path, limits, "pptx"):
            slides = Package.open(str(path)).presentation_part.presentation.slides
            count = len(slides)
            page_limit(count, limits)
            for number, slide in enumerate(slides, 1):
                elements += _slide(slide, number)
                progress(number, count)
    except _DAMAGED as exc:
        raise DamagedDocument(format="pptx", detail=told(exc)) from exc
    return Reading(elements, count)


def _slide(slide: Any, page: int) -> list[Element]:
    shape = slide.shapes.title
    title = _clean(shape.text_frame.text) if shape is not None and shape.has_text_frame else ""
    body = [item for item in _shapes(slide.shapes, page) if item.text]
    if not title and body and body[0].kind != "table" and len(body[0].text) <= _MAX_TITLE:
        title = body.pop(0).text
    notes = list(_notes(slide, page))
    if not (title or body or notes):
        return []
    # A slide without a heading would be cited under the heading of the slide before.
    return [Element(text=title or f"#{page}", kind="title", page=page, level=1), *body, *notes]


def _notes(slide: Any, page: int) -> Iterator[Element]:
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    for paragraph in frame.paragraphs if frame is not None else ():
        if text := _clean(paragraph.text):
            yield Element(text=text, page=page)


def _shapes(shapes: Any, page: int, depth: int = 0) -> Iterator[Element]:
    """The shapes of a slide or group in reading order: top to bottom, left to right within a row."""
    for shape in sorted(shapes, key=_position) if depth == 0 else shapes:
        if shape.is_placeholder and shape.placeholder_format.type in _RUNNING:
            continue
        if hasattr(shape, "shapes"):
            if depth < _MAX_GROUPS:
                yield from _shapes(shape.shapes, page, depth + 1)
        elif getattr(shape, "has_table", False):
            rows = ([_clean(cell.text) for cell in row.cells] for row in shape.table.rows)
            yield Element(text="\n".join(" | ".join(row) for row in rows if any(row)), kind="table", page=page)
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape.chart, page)
        elif shape.has_text_frame:
            if not _is_title(shape):
                yield from _paragraphs(shape, page)
        elif diagram := _diagram(shape):
            yield from (Element(text=text, kind="list", page=page) for text in diagram)


def _position(shape: Any) -> tuple[int, int]:
    """Sort key of a shape: its row (a tenth of an inch), then its left edge; 0 for a placeholder without position."""
    top, left = shape.top, shape.left
    return ((top or 0) // 91_440, left or 0)


def _is_title(shape: Any) -> bool:
    return shape.is_placeholder and shape.placeholder_format.type in (
        PP_PLACEHOLDER.TITLE,
        PP_PLACEHOLDER.CENTER_TITLE,
        PP_PLACEHOLDER.VERTICAL_TITLE,
    )


def _paragraphs(shape: Any, page: int) -> Iterator[Element]:
    paragraphs = [text for paragraph in shape.text_frame.paragraphs if (text := _clean(paragraph.text))]
    bulleted = shape.is_placeholder and shape.placeholder_format.type in _BULLETED and len(paragraphs) > 1
    for text in paragraphs:
        yield Element(text=text, kind="list" if bulleted else "text", page=page)


def _chart(chart: Any, page: int) -> Iterator[Element]:
    """A chart as the table of its data: one row per category."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield Element(text=_clean(chart.chart_title.text_frame.text), page=page)
    for plot in chart.plots:
        series = list(plot.series)
        for at, category in enumerate(list(plot.categories)[:_MAX_POINTS]):
            values = [(item.name, item.values[at]) for item in series if at < len(item.values)]
            cells = [f"{_clean(title)}: {value:g}" for title, value in values if value is not None]
            if cells:
                yield Element(text=" | ".join([_clean(str(category)), *cells]), kind="table", page=page)


def _diagram(shape: Any) -> list[str]:
    """The texts of a SmartArt diagram, which are stored in a separate part of the package."""
    ids = next(shape._element.iter(f"{_DIAGRAM}relIds"), None)
    relation = shape.part.rels.get(ids.get(f"{_RELATION}dm")) if ids is not None else None
    if relation is None or relation.is_external or posixpath.splitext(relation.target_part.partname)[1] != ".xml":
        return []
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    points = etree.fromstring(relation.target_part.blob, parser).iter(f"{_DIAGRAM}pt")
    texts = (_clean("".join(text.text or "" for text in point.iter(f"{_DRAWING}t"))) for point in points)
    return [text for text in texts if text]


def _clean(text: str) -> str:
    """The text on one line; line breaks inside a paragraph become spaces."""
    return " ".join(text.replace("\v", " ").split())
