"""Numerals that word processors put before the items of Chinese and Japanese lists."""

from __future__ import annotations

_DIGITS = "零一二三四五六七八九"
_LEGAL = "零壹贰叁肆伍陆柒捌玖"
_LEGAL_TRADITIONAL = "零壹貳參肆伍陸柒捌玖"
_FULL_WIDTH = "０１２３４５６７８９"
_SIGNS = {"ideographTraditional": "甲乙丙丁戊己庚辛壬癸", "ideographZodiac": "子丑寅卯辰巳午未申酉戌亥"}
_COUNTING = (
    *("chineseCounting", "chineseCountingThousand", "japaneseCounting"),
    *("taiwaneseCounting", "taiwaneseCountingThousand"),
)
_LEGALS = {
    "chineseLegalSimplified": (_LEGAL, "拾佰仟"),
    "ideographLegalTraditional": (_LEGAL_TRADITIONAL, "拾佰仟"),
    "japaneseLegal": (_LEGAL_TRADITIONAL, "拾百千"),
}
_DIGITS_OF = {
    **dict.fromkeys(("ideographDigital", "japaneseDigitalTenThousand", "taiwaneseDigital"), "〇一二三四五六七八九"),
    **dict.fromkeys(("decimalFullWidth", "decimalFullWidth2"), _FULL_WIDTH),
}
_LARGEST = 9999


def numeral(value: int, form: str) -> str | None:
    """A number in one of the formats of Office Open XML; None for others, and for numbers that it does not have."""
    if not 0 < value <= _LARGEST:
        return None
    text = None
    if form in _COUNTING:
        text = counted(value)
    elif form in _LEGALS:
        text = _written(value, *_LEGALS[form])
    elif form in _DIGITS_OF:
        text = "".join(_DIGITS_OF[form][int(digit)] for digit in str(value))
    elif form in _SIGNS and value <= len(_SIGNS[form]):
        text = _SIGNS[form][value - 1]
    return text


def counted(value: int) -> str:
    """A number up to 9999 as it is counted in Chinese: 十二, 一百零五."""
    text = _written(value, _DIGITS, "十百千")
    return text.removeprefix("一") if 10 <= value < 20 else text


def _written(value: int, digits: str, units: str) -> str:
    text = ""
    for power in (3, 2, 1, 0):
        digit, value = divmod(value, 10**power)
        if digit:
            text += digits[digit] + (units[power - 1] if power else "")
        elif text and value and not text.endswith(digits[0]):
            text += digits[0]
    return text
