"""PDF: reads the text layer with pdfium and rebuilds paragraphs from the position of the lines.

Pages without a usable text layer go through text recognition (``pdf_scan``), page by page.

unstructured's ``partition_pdf`` needs a vision stack of several gigabytes even for a text layer. Only its text
partitioning is used, to label the paragraphs page by page.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from activities.errors import DamagedDocument, EncryptedDocument, plain_line, told
from activities.phrases import Phrase
from activities.readers import pdf_scan
from activities.readers.layout import Line
from activities.readers.partition import Progress, page_limit
from activities.readers.printed import elements
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_BOLD_WEIGHT = 600
_BOLD_NAME = re.compile(rb"bold|black|heavy|semibold|demi|[-_,]bd|hei|heiti", re.I)
_LEADERS = re.compile(r"(?<!\s)\s*+(?:\.\s?+){5,}+\s*+")  # the dots of a table of contents
_LIGATURES = {
    code: unicodedata.normalize("NFKC", chr(code))
    for block in (range(0xFB00, 0xFB07), range(0x2F00, 0x2FE0), range(0x2E80, 0x2F00))
    for code in block
}
_INVISIBLE = dict.fromkeys((*range(0, 9), 11, 14, 15, *range(16, 32), 8203, 65279))
_CLEAN = str.maketrans({**_LIGATURES, **_INVISIBLE, 0xA0: " "})


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of a PDF, each with the page on which it begins."""
    document = _open(path)
    try:
        count = len(document)
        if count == 0:
            raise DamagedDocument(format="pdf", detail=Phrase.NO_PAGES)
        page_limit(count, limits)
        pages = []
        scans = pdf_scan.Scans() if limits.ocr == "auto" else None
        for number in range(count):
            pages.append(_lines(document, number, scans))
            progress(number + 1, count)
    finally:
        document.close()
    if scans is not None:
        scans.even_sizes(pages)
    return Reading(elements(pages), count)


def _open(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as exc:
        # pypdfium2 reports pdfium's FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY only in the message.
        if "password" in str(exc).lower() or "security" in str(exc).lower():
            raise EncryptedDocument() from exc
        raise DamagedDocument(format="pdf", detail=told(exc)) from exc


def _lines(document: pypdfium2.PdfDocument, number: int, scans: pdf_scan.Scans | None) -> list[Line]:
    """The lines of one page in reading order, with their positions."""
    try:
        page = document[number]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError as exc:
        raise DamagedDocument(format="pdf", detail=Phrase.BROKEN_PAGE, page=number + 1, said=plain_line(exc)) from exc
    try:
        text, height = text_page.get_text_range(), page.get_height()
        lines, start = [], 0
        for raw in text.split("\r\n"):
            stripped = raw.strip(" \r\n\t\u00a0")
            if stripped:
                first = start + raw.index(stripped)
                line = _line(text_page, number + 1, height, stripped, first)
                if line is not None:
                    lines.append(line)
            start += len(raw) + 2
        return scans.completed(page, text_page, number + 1, lines) if scans is not None else lines
    finally:
        text_page.close()
        page.close()


def _line(text_page: Any, page: int, page_height: float, text: str, start: int) -> Line | None:
    """A line, positioned by its first and last character: two look-ups per line instead of one per character."""
    first = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, start)
    last = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, start + len(text) - 1)
    clean = _LEADERS.sub(" … ", text.translate(_CLEAN)).strip()
    if not clean:
        return None
    left, first_baseline = _origin(text_page, first)
    _, last_baseline = _origin(text_page, last)
    return Line(
        text=clean,
        page=page,
        left=left,
        right=_right(text_page, last),
        first=first_baseline,
        last=last_baseline,
        size=max(1.0, _size(text_page, first), _size(text_page, last)),
        bold=_is_bold(text_page, first) and _is_bold(text_page, last),
        page_height=page_height,
    )


def _origin(text_page: Any, index: int) -> tuple[float, float]:
    across, up = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(text_page, index, across, up)
    return across.value, up.value


def _right(text_page: Any, index: int) -> float:
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
    return float(box.right)


def _size(text_page: Any, index: int) -> float:
    """Font size in points as printed; files store it in the font or in the text matrix."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(text_page, index, matrix)
    if abs(matrix.b) > abs(matrix.d):
        return 1.0  # vertical text in the margin: a stamp, never a heading
    return float(pdfium.FPDFText_GetFontSize(text_page, index)) * math.hypot(matrix.b, matrix.d)


def _is_bold(text_page: Any, index: int) -> bool:
    if pdfium.FPDFText_GetFontWeight(text_page, index) >= _BOLD_WEIGHT:
        return True
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text_page, index, name, len(name), flags)
    return _BOLD_NAME.search(name.value) is not None
