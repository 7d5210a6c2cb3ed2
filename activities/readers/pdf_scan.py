"""Renders and recognises PDF pages whose text layer is missing, unusable or no more than a stamp."""

from __future__ import annotations

import re
from typing import Any, Literal

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from activities.readers.layout import Line
from activities.readers.ocr.engine import recognise
from activities.readers.ocr.layout import even_sizes, printed

_DPI = 200
_MOST_PIXELS = 20_000_000
_NARROWEST, _LONGEST = 8, 50  # pixels of a page's shorter side, and its longer side ÷ it, for a page that has text
_SAMPLE = 50  # characters of a page whose Unicode mapping is checked
_UNMAPPED = 0.3  # share of them without a mapping that makes a text layer unusable
_UNREADABLE = re.compile("[\ue000-\uf8ff\ufffd]")
_GLYPH_NUMBER = re.compile(r"\(cid:\d{1,5}\)")
_LETTER = re.compile(r"[^\W_]")
_MANY, _ONE_GLYPH, _LIKELY = 40, 0.6, 20  # characters of a page, the share that is one, where that one is looked for
_FEW_LETTERS, _COVERED = 300, 0.25  # a scan with a stamp: fewer letters than this, images on this share of the page
_STAMP, _PICTURE, _DRAWN = 60, 0.01, 300  # fewer letters, with such an image or that many objects (text as outlines)
_DEPTH = 3  # nesting of form objects
_BLANK = 24  # brightness range below which a page counts as blank
_KNOWN = 0.6  # share of a recognised line's letter triples that makes it part of the text layer


class Scans:
    """Recognition of one document's pages; keeps the recognised lines to adjust their sizes at the end."""

    def __init__(self) -> None:
        self._recognised: list[Line] = []

    def completed(self, page: pypdfium2.PdfPage, text_page: Any, number: int, lines: list[Line]) -> list[Line]:
        """The lines of a page: its text layer, plus recognised lines where the text layer does not suffice."""
        need = _need(page, text_page, lines)
        if need == "nothing":
            return lines
        kept = [] if need == "everything" else lines
        image = _rendered(page)
        if image is None:
            return kept
        added = _unknown(printed(recognise(image), number, max(page.get_size())), kept)
        self._recognised += added
        if _letters(added) >= _letters(kept):
            return [*added, *kept]
        return [*kept, *added]

    def even_sizes(self, pages: list[list[Line]]) -> None:
        """Aligns the font sizes of recognised lines with those of the text layers, as headings depend on them."""
        recognised = {id(line) for line in self._recognised}
        even_sizes(self._recognised, [line for page in pages for line in page if id(line) not in recognised])


def _need(page: pypdfium2.PdfPage, text_page: Any, lines: list[Line]) -> Literal["nothing", "more", "everything"]:
    """Whether recognition reads nothing of a page, more than its text layer has, or everything."""
    letters = _letters(lines, _FEW_LETTERS)
    if letters and _is_unreadable(text_page, lines):
        return "everything"
    if letters >= _FEW_LETTERS:
        return "nothing"
    if not letters:
        return "everything" if pdfium.FPDFPage_CountObjects(page) else "nothing"
    if covered(page) >= (_PICTURE if letters < _STAMP else _COVERED):
        return "more"
    return "more" if letters < _STAMP and pdfium.FPDFPage_CountObjects(page) >= _DRAWN else "nothing"


def _letters(lines: list[Line], enough: int | None = None) -> int:
    """The number of letters and digits; counted until they are ``enough``."""
    letters = 0
    for line in lines:
        letters += len(_LETTER.findall(line.text))
        if enough is not None and letters >= enough:
            break
    return letters


def _is_unreadable(text_page: Any, lines: list[Line]) -> bool:
    """Whether the text layer says nothing: its glyphs stand for no characters, or all for the same one."""
    text = "".join(line.text for line in lines)
    printed_characters = len(text) - text.count(" ")
    unmapped = len(_UNREADABLE.findall(text)) + sum(map(len, _GLYPH_NUMBER.findall(text)))
    if unmapped > _UNMAPPED * printed_characters:
        return True
    likely = {sign for sign in text[:_LIKELY] if sign.isalpha() or sign == "?"}
    if printed_characters >= _MANY and max(map(text.count, likely), default=0) > _ONE_GLYPH * printed_characters:
        return True
    count = pdfium.FPDFText_CountChars(text_page)
    checked = unmapped = 0
    for index in range(0, count, max(1, count // _SAMPLE)):
        checked += 1
        unmapped += pdfium.FPDFText_HasUnicodeMapError(text_page, index) == 1
    return unmapped > _UNMAPPED * checked


def covered(page: pypdfium2.PdfPage) -> float:
    """The share of the page that images cover; overlapping areas count more than once."""
    width, height = page.get_size()
    area = 0.0
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH):
        left, bottom, right, top = item.get_bounds()
        area += max(0.0, right - left) * max(0.0, top - bottom)
    return area / float(width * height)


def _rendered(page: pypdfium2.PdfPage) -> Image.Image | None:
    """The page rendered as an RGB image; None for a blank page and for one too narrow for text."""
    shorter, longer = sorted(page.get_size())
    if longer > _LONGEST * shorter:
        return None
    scale = min(_DPI / 72, (_MOST_PIXELS / (shorter * longer)) ** 0.5)
    if scale * shorter < _NARROWEST:
        return None
    bitmap = page.render(scale=scale, rev_byteorder=True)
    try:
        image = bitmap.to_pil().convert("RGB")
    finally:
        bitmap.close()
    darkest, lightest = image.convert("L").getextrema()
    return image if lightest - darkest >= _BLANK else None


def _unknown(lines: list[Line], known: list[Line]) -> list[Line]:
    """The recognised lines that the text layer lacks; the comparison tolerates recognition errors."""
    triples = _triples(" ".join(line.text for line in known))
    return [line for line in lines if not _is_among(_triples(line.text), triples)]


def _is_among(triples: set[str], known: set[str]) -> bool:
    return bool(triples) and len(triples & known) >= _KNOWN * len(triples)


def _triples(text: str) -> set[str]:
    letters = "".join(character for character in text.lower() if character.isalnum())
    return {letters[index : index + 3] for index in range(max(1, len(letters) - 2))} if letters else set()
