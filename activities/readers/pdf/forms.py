"""Filled-in forms of a PDF: each value follows the label that is printed beside or above its field."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from activities.readers.layout import Line

_MOST = 10_000  # fields of a page that are read
_LONGEST = 10_000  # characters of a value
_ABOVE = 2.0  # heights of a label's print between it and a field below it
_CHECKED, _UNCHECKED = "☒", "☐"
_BUTTONS = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
_TEXTS = (pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)


class _Field(NamedTuple):
    """A field's value, its name, and its box in points from the lower left."""

    value: str
    name: str
    is_button: bool
    left: float
    bottom: float
    right: float
    top: float


def has_fields(document: pypdfium2.PdfDocument) -> bool:
    """Whether the document is a form; its fields can be read then. To be called before its pages are opened."""
    if document.get_formtype() == pdfium.FORMTYPE_NONE:
        return False
    document.init_forms()
    return document.formenv is not None


def filled(
    document: pypdfium2.PdfDocument,
    page: pypdfium2.PdfPage,
    text_page: pypdfium2.PdfTextPage,
    number: int,
    lines: list[Line],
) -> list[Line]:
    """The lines of a page with the values of its fields, each after its label."""
    fields = sorted(_fields(document, page), key=lambda field: (-field.top, field.left))
    _tick([field for field in fields if field.is_button], text_page, lines)
    for field in (field for field in fields if not field.is_button):
        label = _label(field, lines)
        if label is not None:
            label.text, label.right, label.alone = _labelled(label.text, field.value), field.right, True
        else:
            lines.insert(_place(field, lines), _line(field, page, number))
    return lines


def _tick(boxes: list[_Field], text_page: pypdfium2.PdfTextPage, lines: list[Line]) -> None:
    """Put each box in front of its label: the text right of it, or left of it where that is nearer."""
    for line in lines:
        row = sorted((box for box in boxes if box.bottom - line.size < line.first < box.top), key=lambda box: box.left)
        if not row or line.table is not None:
            continue
        borders = [line.left, *(border for box in row for border in (box.left, box.right)), line.right + line.size]
        low, high = min(box.bottom for box in row) - line.size, max(box.top for box in row) + line.size
        texts = [
            " ".join(text_page.get_text_bounded(left, low, right, high).split()) if right > left else ""
            for left, right in zip(borders[::2], borders[1::2], strict=True)
        ]
        labels = texts[1:] if all(texts[1:]) else texts[:-1]
        if "".join("".join(texts).split()) != "".join(line.text.split()) or not all(labels):
            continue
        ticked = [f"{box.value} {label.rstrip(' :：')}" for box, label in zip(row, labels, strict=True)]
        line.text = " ".join([texts[0], *ticked] if all(texts[1:]) else [*ticked, texts[-1]]).strip()
        line.alone = True


def _labelled(label: str, value: str) -> str:
    """``Name: value``; a further value of the same label follows the first."""
    label = label.rstrip(" _.…")
    return f"{label} {value}" if label.endswith((":", "：")) or ": " in label else f"{label}: {value}"


def _fields(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> Iterator[_Field]:
    """The fields that hold a value and are shown; passwords are none."""
    form = document.formenv.raw
    for index in range(min(_MOST, pdfium.FPDFPage_GetAnnotCount(page.raw))):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        try:
            field = _field(form, annotation)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
        if field is not None:
            yield field


def _field(form: Any, annotation: Any) -> _Field | None:
    if pdfium.FPDFAnnot_GetSubtype(annotation) != pdfium.FPDF_ANNOT_WIDGET:
        return None
    if pdfium.FPDFAnnot_GetFlags(annotation) & (pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW):
        return None
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    is_password = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & pdfium.FPDF_FORMFLAG_TEXT_PASSWORD
    if kind in _BUTTONS:
        value = _CHECKED if pdfium.FPDFAnnot_IsChecked(form, annotation) else _UNCHECKED
    elif kind in _TEXTS and not (kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and is_password):
        value = _text(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
    else:
        return None
    box = pdfium.FS_RECTF()
    if not value or not pdfium.FPDFAnnot_GetRect(annotation, box):
        return None
    names = (pdfium.FPDFAnnot_GetFormFieldAlternateName, pdfium.FPDFAnnot_GetFormFieldName)
    name = next(filter(None, (_text(each, form, annotation) for each in names)), "")
    return _Field(value, name, kind in _BUTTONS, box.left, box.bottom, box.right, box.top)


def _text(read: Callable[..., int], form: Any, annotation: Any) -> str:
    """A text of a field on one line; pdfium gives UTF-16 with a closing zero, and its length in bytes."""
    size = read(form, annotation, None, 0)
    buffer = ctypes.create_string_buffer(size)
    read(form, annotation, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return " ".join(buffer.raw[: max(0, size - 2)].decode("utf-16-le", "replace").split())[:_LONGEST]


def _label(field: _Field, lines: list[Line]) -> Line | None:
    """The nearest line left of a field, otherwise the nearest one right above it."""
    middle = (field.top + field.bottom) / 2
    beside = [line for line in lines if field.bottom - line.size < line.first < field.top and line.table is None]
    before = [line for line in beside if line.left < field.left]
    if before:
        return min(before, key=lambda line: (abs(line.first - middle) > line.size, field.left - line.right))
    above = [
        line
        for line in lines
        if line.table is None
        and 0 <= line.first - field.top < _ABOVE * line.size
        and line.left < field.right
        and line.right > field.left
    ]
    return min(above, key=lambda line: line.first, default=None)


def _place(field: _Field, lines: list[Line]) -> int:
    return next((at for at, line in enumerate(lines) if line.first < field.bottom), len(lines))


def _line(field: _Field, page: pypdfium2.PdfPage, number: int) -> Line:
    """A line of its own for a field without a printed label, under its name."""
    size = max(1.0, min(12.0, field.top - field.bottom))
    text = f"{field.name}: {field.value}" if field.name else field.value
    place = (field.left, field.right, field.bottom, field.bottom, size)
    return Line(text, number, *place, bold=False, page_height=page.get_size()[1], alone=True)
