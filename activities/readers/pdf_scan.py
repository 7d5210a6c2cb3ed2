"""Pages of PDFs whose text layer is missing, rubbish, or no more than a stamp: drawn, and read by recognition."""

from __future__ import annotations

from typing import Any, Literal

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from activities.readers.layout import Line
from activities.readers.ocr.engine import recognise
from activities.readers.ocr.layout import even_sizes, printed

_DPI = 200
_MOST_PIXELS = 20_000_000
_SAMPLE = 200  # characters of a page whose mapping is looked at
_RUBBISH = 0.3  # of them
_LITTLE, _COVERED = 300, 0.25  # a scan with a stamp: so few letters, so much of the page in pictures
_STAMP, _PICTURE, _DRAWN = 60, 0.01, 300  # hardly any letters: beside some picture, or text turned into outlines
_DEPTH = 3  # of forms in forms
_BLANK = 24  # between the darkest and the lightest pixel
_KNOWN = 0.6  # of a recognised line's letter triples are in the text layer


class Scans:
    """The scanned pages of one document."""

    def __init__(self) -> None:
        self._recognised: list[Line] = []

    def completed(self, page: pypdfium2.PdfPage, text_page: Any, number: int, lines: list[Line]) -> list[Line]:
        """The lines of a page: those of its text layer as they are, and what recognition adds where it is needed."""
        need = _need(page, text_page, lines)
        if need == "nothing":
            return lines
        kept = [] if need == "everything" else lines
        image = _drawn(page)
        if image is None:
            return kept
        added = _unknown(printed(recognise(image), number, max(page.get_size())), kept)
        self._recognised += added
        if _letters(added) >= _letters(kept):
            return [*added, *kept]
        return [*kept, *added]

    def even_sizes(self, pages: list[list[Line]]) -> None:
        """Make the sizes of recognised lines one with those of the text layers, for headings are told by them."""
        mine = {id(line) for line in self._recognised}
        even_sizes(self._recognised, [line for page in pages for line in page if id(line) not in mine])


def _need(page: pypdfium2.PdfPage, text_page: Any, lines: list[Line]) -> Literal["nothing", "more", "everything"]:
    """What recognition has to find on a page."""
    letters = _letters(lines)
    if letters and _is_rubbish(text_page):
        return "everything"
    if letters >= _LITTLE:
        return "nothing"
    if not letters:
        return "everything" if pdfium.FPDFPage_CountObjects(page) else "nothing"
    if _covered(page) >= (_PICTURE if letters < _STAMP else _COVERED):
        return "more"
    return "more" if letters < _STAMP and pdfium.FPDFPage_CountObjects(page) >= _DRAWN else "nothing"


def _letters(lines: list[Line]) -> int:
    return sum(character.isalnum() for line in lines for character in line.text)


def _is_rubbish(text_page: Any) -> bool:
    """Whether the fonts do not say which characters their shapes are."""
    count = pdfium.FPDFText_CountChars(text_page)
    looked_at = bad = 0
    for index in range(0, count, max(1, count // _SAMPLE)):
        code = pdfium.FPDFText_GetUnicode(text_page, index)
        if pdfium.FPDFText_IsGenerated(text_page, index) == 1 or code in (0x20, 0xA0):
            continue
        looked_at += 1
        private = 0xE000 <= code <= 0xF8FF or code in (0, 0xFFFD)
        bad += private or pdfium.FPDFText_HasUnicodeMapError(text_page, index) == 1
    return bad > _RUBBISH * looked_at


def _covered(page: pypdfium2.PdfPage) -> float:
    """The share of the page that its pictures take; those that lie upon one another count once too often."""
    width, height = page.get_size()
    area = 0.0
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH):
        left, bottom, right, top = item.get_bounds()
        area += max(0.0, right - left) * max(0.0, top - bottom)
    return area / float(width * height)


def _drawn(page: pypdfium2.PdfPage) -> Image.Image | None:
    """The page as a picture; None when there is nothing to see on it."""
    width, height = page.get_size()
    scale = min(_DPI / 72, (_MOST_PIXELS / (width * height)) ** 0.5)
    bitmap = page.render(scale=scale, rev_byteorder=True)
    try:
        image = bitmap.to_pil().convert("RGB")
    finally:
        bitmap.close()
    darkest, lightest = image.convert("L").getextrema()
    return image if lightest - darkest >= _BLANK else None


def _unknown(lines: list[Line], known: list[Line]) -> list[Line]:
    """The recognised lines that the text layer does not have; recognition need not have read them well."""
    triples = _triples(" ".join(line.text for line in known))
    return [line for line in lines if not _is_among(_triples(line.text), triples)]


def _is_among(triples: set[str], known: set[str]) -> bool:
    return bool(triples) and len(triples & known) >= _KNOWN * len(triples)


def _triples(text: str) -> set[str]:
    letters = "".join(character for character in text.lower() if character.isalnum())
    return {letters[index : index + 3] for index in range(max(1, len(letters) - 2))} if letters else set()
