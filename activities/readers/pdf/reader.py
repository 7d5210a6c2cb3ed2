"""PDF: reads the text layer with pdfium and rebuilds paragraphs from the position of the lines.

Pages without a usable text layer go through text recognition (``pdf_scan``), page by page.

unstructured's ``partition_pdf`` needs a vision stack of several gigabytes even for a text layer. Only what tells it
the items of a list is used.
"""

from __future__ import annotations

from pathlib import Path

import pypdfium2

from activities.errors import DamagedDocument, EncryptedDocument, plain_line, told
from activities.phrases import Phrase, RemarkText
from activities.readers import pdf_scan
from activities.readers.layout import Line
from activities.readers.partition import Progress, page_limit
from activities.readers.pdf import forms
from activities.readers.pdf.fields import Fields
from activities.readers.pdf.page import Page
from activities.readers.pdf.tables import Tables
from activities.readers.printed import elements
from activities.readers.reading import Reading
from activities.settings import ParseSettings


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a PDF, each with the page on which it begins."""
    document = _open(path)
    fields = Fields(document, read_hidden=limits.hidden == "read")
    try:
        count = len(document)
        if count == 0:
            raise DamagedDocument(format="pdf", detail=Phrase.NO_PAGES)
        page_limit(count, limits)
        pages, left_out, tables = [], 0, Tables()
        scans = pdf_scan.Scans() if limits.ocr == "auto" else None
        for number in range(count):
            lines, hidden = _lines(document, number, tables, scans, fields, hidden=limits.hidden == "read")
            pages.append(lines)
            left_out += hidden
            progress(number + 1, count)
    finally:
        fields.close()
        document.close()
    if scans is not None:
        scans.even_sizes(pages)
    remarks = {RemarkText.HIDDEN_TEXT: left_out + fields.hidden, RemarkText.FIELDS: fields.left_out}
    return Reading(elements(pages), count, {remark: number for remark, number in remarks.items() if number})


def _open(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as exc:
        # pypdfium2 reports pdfium's FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY only in the message.
        if "password" in str(exc).lower() or "security" in str(exc).lower():
            raise EncryptedDocument() from exc
        raise DamagedDocument(format="pdf", detail=told(exc)) from exc


def _lines(
    document: pypdfium2.PdfDocument,
    number: int,
    tables: Tables,
    scans: pdf_scan.Scans | None,
    fields: Fields,
    *,
    hidden: bool,
) -> tuple[list[Line], int]:
    """The lines of one page in reading order, with their positions, and the number of hidden lines left out."""
    try:
        page = document[number]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError as exc:
        raise DamagedDocument(format="pdf", detail=Phrase.BROKEN_PAGE, page=number + 1, said=plain_line(exc)) from exc
    try:
        entered = fields.of(page)
        content = Page(page, text_page, number + 1, hidden=hidden, fields=entered)
        lines = tables.completed(page, content, content.lines())
        if scans is not None:
            lines = scans.completed(page, text_page, number + 1, lines)
        if entered:
            lines = forms.filled(entered, lines, number + 1, content.height, labels=bool(content.fields))
        return lines, content.left_out
    finally:
        text_page.close()
        page.close()
