"""Scripts: ranges of characters, and what the script of a text says of its language.

The names of scripts are ranges for the inside of a character class: ``re.compile(f"[{HAN}]")``.
"""

from __future__ import annotations

import re

HAN = "\u3400-\u9fff\uf900-\ufaff"
KANA = "\u3040-\u30ff"
HANGUL = "\uac00-\ud7af"
THAI = "\u0e00-\u0e7f"
CYRILLIC = "\u0400-\u04ff"

#: Scripts whose words are searched for by pairs of characters: most have no spaces, Hangul has long words.
UNSPACED = THAI + KANA + HAN + HANGUL

#: Chinese and Japanese with their radicals and punctuation; with Hangul and full-width forms, the characters that a
#: line break separates without a space.
IDEOGRAPHIC = "\u2e80-\u9fff"
CJK = IDEOGRAPHIC + "\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"

HAN_RUN = re.compile(f"[{HAN}]+")

_KANA = re.compile(f"[{KANA}]")
_HANGUL = re.compile(f"[{HANGUL}]")
_CYRILLIC = re.compile(f"[{CYRILLIC}]")
_LETTER = re.compile(r"[^\W\d_]")

#: Letters of other scripts that say as much as one Chinese character.
_LETTERS_PER_HAN = 3


def query_language(text: str) -> str:
    """ISO 639-1 code of the query's language as far as its script tells; Latin script counts as English."""
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    if HAN_RUN.search(text):
        return "zh"
    return "ru" if _CYRILLIC.search(text) else "en"


def is_han(text: str) -> bool:
    """Whether a text is mostly written in Chinese characters."""
    letters = len(_LETTER.findall(text))
    return letters > 0 and sum(map(len, HAN_RUN.findall(text))) * _LETTERS_PER_HAN >= letters
