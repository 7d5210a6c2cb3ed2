"""What was entered on a page of a PDF: the values of form fields, and comments."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pypdfium2
import pypdfium2.raw as pdfium

from activities.readers.text import join
from activities.text.scripts import is_han

_MOST = 10_000  # fields and comments of a document that are read
_MOST_SEEN = 100_000  # annotations that are looked at; most are links
_LONGEST = 10_000  # characters of a value
_OPTIONS = 200  # of a list that are looked at
_NOT_SHOWN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_BOXES = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
_TYPED = pdfium.FPDF_FORMFIELD_TEXTFIELD
_LISTS = (pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)
_COMMENTS = (pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_FREETEXT)


class Field(msgspec.Struct, eq=False):
    """A value, the name of its field, and its place in points from the lower left; an empty field has no value.

    It is ``placed`` when the text of the page has the value.
    """

    kind: Literal["text", "box", "comment"]
    value: str
    name: str
    left: float
    bottom: float
    right: float
    top: float
    placed: bool = False

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    def is_beside(self, baseline: float, size: float) -> bool:
        """Whether print with this baseline stands at the height of the field."""
        return self.bottom - 0.5 * size < baseline < self.top


class Fields:
    """Reads the fields and comments of a document's pages.

    pypdfium2's own environment of forms prepares every page for input, in time that grows with the square of its
    fields, and draws the values on the pictures that text is recognised from: they would be read twice.

    ``hidden`` counts the hidden values that were left out, ``left_out`` what is beyond the limits.
    """

    def __init__(self, document: pypdfium2.PdfDocument, *, read_hidden: bool) -> None:
        self._form, self._config = None, pdfium.FPDF_FORMFILLINFO(version=2)
        if document.get_formtype() != pdfium.FORMTYPE_NONE:
            self._form = pdfium.FPDFDOC_InitFormFillEnvironment(document, self._config)
        self._read_hidden = read_hidden
        self._found = self._seen = 0
        self.hidden = self.left_out = 0

    def close(self) -> None:
        """To be called before the document is closed."""
        if self._form:
            pdfium.FPDFDOC_ExitFormFillEnvironment(self._form)
            self._form = None

    def of(self, page: pypdfium2.PdfPage) -> list[Field]:
        """The fields and comments of a page, from top to bottom."""
        found: list[Field] = []
        count = pdfium.FPDFPage_GetAnnotCount(page.raw)
        for index in range(count):
            if self._found == _MOST or self._seen == _MOST_SEEN:
                self.left_out += count - index
                break
            self._seen += 1
            field, is_hidden = self._read(page, index)
            if field is None:
                continue
            self._found += 1
            if is_hidden and not self._read_hidden:
                self.hidden += field.kind != "box" and bool(field.value)
            else:
                found.append(field)
        return sorted(found, key=lambda field: (-field.top, field.left))

    def _read(self, page: pypdfium2.PdfPage, index: int) -> tuple[Field | None, bool]:
        """An annotation as a field, and whether it is hidden."""
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            return None, False
        try:
            field = _field(self._form, annotation)
            return field, field is not None and bool(pdfium.FPDFAnnot_GetFlags(annotation) & _NOT_SHOWN)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _field(form: Any, annotation: Any) -> Field | None:
    subtype = pdfium.FPDFAnnot_GetSubtype(annotation)
    if subtype not in _COMMENTS and (subtype != pdfium.FPDF_ANNOT_WIDGET or not form):
        return None
    box = pdfium.FS_RECTF()
    if not pdfium.FPDFAnnot_GetRect(annotation, box):
        return None
    place = (min(box.left, box.right), min(box.bottom, box.top), max(box.left, box.right), max(box.bottom, box.top))
    if subtype in _COMMENTS:
        return _comment(annotation, place)
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    names = (pdfium.FPDFAnnot_GetFormFieldAlternateName, pdfium.FPDFAnnot_GetFormFieldName)
    name = next(filter(None, (_text(each, form, annotation) for each in names)), "")
    if kind in _BOXES:
        return Field("box", "☒" if _is_checked(form, annotation) else "☐", name, *place)
    if kind in _LISTS:
        return Field("text", _chosen(form, annotation), name, *place)
    return Field("text", _entered(form, annotation), name, *place) if kind == _TYPED else None


def _is_checked(form: Any, annotation: Any) -> bool:
    """Whether a box shows its mark; without a state it does when the value of the field is its own."""
    if pdfium.FPDFAnnot_HasKey(annotation, b"AS"):
        return _text(pdfium.FPDFAnnot_GetStringValue, annotation, b"AS") not in ("", "Off")
    value = _text(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
    return value not in ("", "Off") and value == _text(pdfium.FPDFAnnot_GetFormFieldExportValue, form, annotation)


def _entered(form: Any, annotation: Any) -> str:
    """What was typed; passwords are not told."""
    is_password = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & pdfium.FPDF_FORMFLAG_TEXT_PASSWORD
    return "" if is_password else _text(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)


def _chosen(form: Any, annotation: Any) -> str:
    """The choices of a list as it shows them; otherwise what was typed."""
    count = min(_OPTIONS, pdfium.FPDFAnnot_GetOptionCount(form, annotation))
    chosen = [
        _text(pdfium.FPDFAnnot_GetOptionLabel, form, annotation, option)
        for option in range(count)
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, option)
    ]
    return ", ".join(filter(None, chosen))[:_LONGEST] or _text(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)


def _comment(annotation: Any, place: tuple[float, float, float, float]) -> Field | None:
    """A note with its author. Text that was typed on the page is that of a field; a reply that sets a state is none."""
    text, author, intent = (
        _text(pdfium.FPDFAnnot_GetStringValue, annotation, key) for key in (b"Contents", b"T", b"IT")
    )
    if not text or pdfium.FPDFAnnot_HasKey(annotation, b"StateModel"):
        return None
    if intent.lower() == "freetexttypewriter":
        return Field("text", text, "", *place)
    if is_han(text):
        return Field("comment", f"{author}的批注：{text}" if author else f"批注：{text}", "", *place)
    return Field("comment", f"Comment by {author}: {text}" if author else f"Comment: {text}", "", *place)


def _text(read: Callable[..., int], *of: Any) -> str:
    """A text on one line; pdfium gives UTF-16 with a closing zero, and its length in bytes."""
    size = read(*of, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    read(*of, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    text = buffer.raw[: min(size - 2, 4 * _LONGEST)].decode("utf-16-le", "ignore")
    return join([line for line in (" ".join(line.split()) for line in text.splitlines()) if line])[:_LONGEST]
