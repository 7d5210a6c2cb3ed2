"""The functions of pdfium that a page is read with, as calls that take and give addresses as plain numbers.

The typed pointers of the bindings take longer than most of what pdfium does with them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as pdfium


def address(pointer: Any) -> int:
    """The address that a pointer holds; 0 for none."""
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def _plain(function: Any) -> Callable[..., Any]:
    kinds = [function.restype, *function.argtypes]
    plain = [ctypes.c_void_p if hasattr(kind, "contents") else kind for kind in kinds]
    return ctypes.PYFUNCTYPE(*plain)(address(function))


char_count = _plain(pdfium.FPDFText_CountChars)
char_index = _plain(pdfium.FPDFText_GetCharIndexFromTextIndex)
char_code = _plain(pdfium.FPDFText_GetUnicode)
char_origin = _plain(pdfium.FPDFText_GetCharOrigin)
char_box = _plain(pdfium.FPDFText_GetLooseCharBox)
char_matrix = _plain(pdfium.FPDFText_GetMatrix)
is_generated = _plain(pdfium.FPDFText_IsGenerated)
font_size = _plain(pdfium.FPDFText_GetFontSize)
font_weight = _plain(pdfium.FPDFText_GetFontWeight)
font_info = _plain(pdfium.FPDFText_GetFontInfo)
text_object = _plain(pdfium.FPDFText_GetTextObject)
text_font = _plain(pdfium.FPDFTextObj_GetFont)
text_mode = _plain(pdfium.FPDFTextObj_GetTextRenderMode)

object_count = _plain(pdfium.FPDFPage_CountObjects)
page_object = _plain(pdfium.FPDFPage_GetObject)
form_count = _plain(pdfium.FPDFFormObj_CountObjects)
form_object = _plain(pdfium.FPDFFormObj_GetObject)
object_type = _plain(pdfium.FPDFPageObj_GetType)
object_bounds = _plain(pdfium.FPDFPageObj_GetBounds)
object_matrix = _plain(pdfium.FPDFPageObj_GetMatrix)
path_mode = _plain(pdfium.FPDFPath_GetDrawMode)
segment_count = _plain(pdfium.FPDFPath_CountSegments)
path_segment = _plain(pdfium.FPDFPath_GetPathSegment)
segment_type = _plain(pdfium.FPDFPathSegment_GetType)
segment_point = _plain(pdfium.FPDFPathSegment_GetPoint)
segment_closes = _plain(pdfium.FPDFPathSegment_GetClose)
