"""Scripts: character ranges, and the language that the script of a text indicates.

The constants are ranges for use inside a character class: ``re.compile(f"[{HAN}]")``.
"""

from __future__ import annotations

import re

from activities.phrases import Language

HAN = "\u3400-\u9fff\uf900-\ufaff"
KANA = "\u3040-\u30ff"
HANGUL = "\uac00-\ud7af"
THAI = "\u0e00-\u0e7f"
CYRILLIC = "\u0400-\u04ff"

#: Scripts that are searched by pairs of characters: most have no spaces; Hangul has spaces but long words.
UNSPACED = THAI + KANA + HAN + HANGUL

#: ``IDEOGRAPHIC``: Chinese and Japanese with radicals and punctuation. ``CJK`` adds Hangul and full-width forms: the
#: characters that may begin or end a line in the middle of a sentence. Only between Hangul is a line break a space.
IDEOGRAPHIC = "\u2e80-\u9fff"
CJK = IDEOGRAPHIC + "\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"

HAN_RUN = re.compile(f"[{HAN}]+")

_KANA = re.compile(f"[{KANA}]")
_HANGUL = re.compile(f"[{HANGUL}]")
_CYRILLIC = re.compile(f"[{CYRILLIC}]")
_LETTER = re.compile(r"[^\W\d_]")

#: Letters of other scripts that carry as much meaning as one Chinese character.
_LETTERS_PER_HAN = 3


def query_language(text: str) -> str:
    """ISO 639-1 code of the query's language, derived from its script; Latin script counts as English."""
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    if HAN_RUN.search(text):
        return "zh"
    return "ru" if _CYRILLIC.search(text) else "en"


def reply_language(text: str) -> Language:
    """The language in which the platform's own words stand beside a text: Chinese for Chinese, else English."""
    return "zh" if query_language(text) == "zh" else "en"


def is_han(text: str) -> bool:
    """Whether a text consists mostly of Chinese characters."""
    letters = len(_LETTER.findall(text))
    return letters > 0 and sum(map(len, HAN_RUN.findall(text))) * _LETTERS_PER_HAN >= letters
