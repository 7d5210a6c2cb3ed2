"""Lines of Arabic and Hebrew: pdfium turns them round, character by character.

The letters of a glyph that stands for several (lam and alef) are turned round with the others, which is wrong.
"""

from __future__ import annotations

import re
import unicodedata

from activities.readers.pdf.characters import Characters

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ALEF = frozenset("اأإآٱ")


def ordered(characters: Characters, text: str, first: int) -> str:
    """The text of a line with the letters of each glyph in reading order."""
    origins = [characters.origin(first + offset) for offset in range(len(text))]
    parts, start = [], 0
    while start < len(text):
        end = start + 1
        if RIGHT_TO_LEFT.match(text[start]):
            while end < len(text) and origins[end] == origins[start] and _is_letter(text[end]):
                end += 1
            parts.append(_of_one_glyph(text[start:end]))
        else:
            parts.append(text[start])
        start = end
    return "".join(parts)


def _is_letter(character: str) -> bool:
    return RIGHT_TO_LEFT.match(character) is not None and not unicodedata.combining(character)


def _of_one_glyph(letters: str) -> str:
    if len(letters) == 2 and letters[0] == "ل" and letters[1] in _ALEF:
        return letters
    return letters[::-1]
