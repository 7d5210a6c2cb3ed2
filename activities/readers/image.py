"""Images (photographs, screenshots, scans), read by text recognition; a TIFF may have several pages."""

from __future__ import annotations

import struct
import warnings
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pi_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from activities.contracts.documents import Element
from activities.errors import DamagedDocument, DocumentTooLarge, UnsupportedFormat, told
from activities.phrases import Phrase
from activities.readers.formats import FORMATS
from activities.readers.layout import Line
from activities.readers.ocr.engine import recognise
from activities.readers.ocr.layout import even_sizes, printed
from activities.readers.partition import Progress, page_limit
from activities.readers.printed import elements
from activities.readers.reading import Reading
from activities.settings import ParseSettings

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "HEIF")
_BYTES_PER_PIXEL = 16  # peak memory of decoding and converting
_MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # Pillow's own limit for decompression bombs
_WORKING_PIXELS = 20_000_000  # more pixels do not improve recognition
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError, struct.error)
_LONGER_SIDE = 842.0  # points; images have no page size of their own
_LIGHT = 200  # mean brightness above which transparent content counts as light on dark

Image.init()  # `Image.open` supports its formats only after this call
pi_heif.register_heif_opener(thumbnails=False)


def read(path: Path, name: str, limits: ParseSettings, progress: Progress) -> Reading:
    """The elements of an image; those of a TIFF with several pages carry their page."""
    if limits.ocr == "off":
        others = ", ".join(item.name for item in FORMATS if item.reader != __name__)
        raise UnsupportedFormat(found="image", supported=others)
    with opened(path) as file:
        page_elements, count = elements_of(file, limits, progress)
    return Reading(page_elements, count if count > 1 else None)


def elements_of(
    file: Image.Image, limits: ParseSettings, progress: Progress = lambda done, total: None
) -> tuple[list[Element], int]:
    """The elements of an opened image, and the number of its pages; the elements of more than one have their page."""
    count = _pages(file, limits)
    page_limit(count, limits)
    _check_size(file, limits)
    pages: list[list[Line]] = []
    for number in range(count):
        pages.append(printed(recognise(_page(file, number, limits)), number + 1, _LONGER_SIDE))
        progress(number + 1, count)
    even_sizes([line for page in pages for line in page])
    found = elements(pages)
    if count == 1:
        found = [Element(text=item.text, kind=item.kind, level=item.level) for item in found]
    return found, count


def opened(source: Path | BinaryIO) -> Image.Image:
    """Opens an image without decoding it. Raises DamagedDocument and DocumentTooLarge."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes, which `_check_size` limits, and about unusual metadata
            file = Image.open(source, formats=_FORMATS)
    except Image.DecompressionBombError as exc:
        raise DocumentTooLarge(detail=told(exc)) from exc
    except _DAMAGE as exc:
        raise _damaged(exc) from exc
    return file


def _check_size(file: Image.Image, limits: ParseSettings) -> None:
    allowed = min(_MOST_PIXELS, limits.max_memory_mb * 1024 * 1024 // _BYTES_PER_PIXEL)
    if file.width * file.height > allowed:
        raise DocumentTooLarge(detail=Phrase.TOO_MANY_PIXELS, width=file.width, height=file.height, limit=allowed)


def _pages(file: Image.Image, limits: ParseSettings) -> int:
    """The number of pages of a TIFF; 1 for other formats, whose frames are animations and thumbnails.

    Counts to one page above the limit: Pillow's time to count grows with the square of the number.
    """
    if file.format != "TIFF":
        return 1
    try:
        count = 1
        with suppress(EOFError):
            while count <= limits.max_pages:
                file.seek(count)
                count += 1
        file.seek(0)
        return count
    except _DAMAGE as exc:
        raise _damaged(exc) from exc


def _page(file: Image.Image, number: int, limits: ParseSettings) -> Image.Image:
    """One page, upright, in RGB on a uniform background, at most ``_WORKING_PIXELS`` large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if number:
                file.seek(number)
                _check_size(file, limits)
            elif file.format == "JPEG":
                file.draft("RGB", _working_size(file))
            image = _opaque(ImageOps.exif_transpose(file))
            size = _working_size(image)
            return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    except Image.DecompressionBombError as exc:
        raise DocumentTooLarge(detail=told(exc)) from exc
    except _DAMAGE as exc:
        raise _damaged(exc) from exc


def _working_size(image: Image.Image) -> tuple[int, int]:
    factor = min(1.0, (_WORKING_PIXELS / (image.width * image.height)) ** 0.5)
    return max(1, round(image.width * factor)), max(1, round(image.height * factor))


def _opaque(image: Image.Image) -> Image.Image:
    """The image in RGB; transparent areas become white, or black behind light text."""
    if image.mode.startswith(("I", "F")):  # more than 8 bits a channel
        values = np.asarray(image, dtype=np.float32)
        low, high = float(values.min()), float(values.max())
        return Image.fromarray(((values - low) * (255 / max(high - low, 1.0))).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    grey, alpha = np.asarray(layered.convert("L")), np.asarray(layered.getchannel("A"))
    visible = grey[alpha > 127]
    shade = 0 if visible.size and visible.mean() > _LIGHT else 255
    background = Image.new("RGBA", layered.size, (shade, shade, shade, 255))
    return Image.alpha_composite(background, layered).convert("RGB")


def _damaged(exc: Exception) -> DamagedDocument:
    detail = Phrase.UNKNOWN_PICTURE if isinstance(exc, UnidentifiedImageError) else told(exc)
    return DamagedDocument(format=Phrase.PICTURE, detail=detail)
