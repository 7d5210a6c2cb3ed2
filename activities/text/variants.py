"""One thing written in several ways: full-width letters, dates, grouped digits, traditional and simplified Chinese.

``canonical`` makes two texts comparable; ``expanded`` gives a search by words the other ways of writing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from activities.text.chinese import other_forms, simplified

_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}
_WIDE_TO_PLAIN = _WIDE | {0x3000: 0x20}

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" if month[3:] else month for month in MONTHS)
_HAN_DIGITS = "〇一二三四五六七八九"
_HAN_NUMBER = "[一二三四五六七八九十]{1,3}"

#: ISO (also with slashes or points), Chinese, day first with points or the month's name, month's name first. The
#: day may be missing in Chinese and after the month's name.
_DATE = re.compile(
    rf"(?<![\d.])(?P<y1>(?:19|20)\d\d)(?P<s>[-/.])(?P<m1>\d{{1,2}})(?P=s)(?P<d1>\d{{1,2}})(?![\d])"
    rf"|(?P<y2>(?:19|20)\d\d|[{_HAN_DIGITS}零]{{4}})\s?年\s?(?P<m2>\d{{1,2}}|{_HAN_NUMBER})\s?月"
    rf"(?:\s?(?P<d2>\d{{1,2}}|{_HAN_NUMBER})\s?[日号號])?"
    r"|(?<![\d.])(?P<d3>\d{1,2})\.\s?(?P<m3>\d{1,2})\.\s?(?P<y3>(?:19|20)\d\d)(?!\d)"
    rf"|(?<!\d)(?P<d4>\d{{1,2}})(?:st|nd|rd|th|\.)?\s(?:of\s)?(?P<m4>{_MONTH})\.?,?\s(?P<y4>(?:19|20)\d\d)(?!\d)"
    rf"|\b(?P<m5>{_MONTH})\.?\s(?:(?P<d5>\d{{1,2}})(?:st|nd|rd|th)?,?\s)?(?P<y5>(?:19|20)\d\d)(?!\d)",
    re.I,
)
_DIGIT = re.compile(f"[0-9{_HAN_DIGITS}]")
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d.,])\d{1,3}(?:[\u00a0\u202f']\d{3})+(?!\d)")
_TEN_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,6})(?:\.(\d{1,4}))?\s?万")
_LONG_NUMBER = re.compile(r"(?<![\d.,])\d{4,12}(?![\d,]|\.\d)")


_QUARTER = re.compile(
    r"\b(?P<en>first|second|third|fourth|1st|2nd|3rd|4th)\squarter\b|第?(?P<zh>[一二三四1-4])季度", re.I
)
_QUARTERS = {"fi": 1, "se": 2, "th": 3, "fo": 4, "一": 1, "二": 2, "三": 3, "四": 4}


def plain_width(text: str) -> str:
    """The text with full-width letters and digits, and the ideographic space, in their usual width."""
    return text.translate(_WIDE_TO_PLAIN)


def canonical(text: str) -> str:
    """The text with one way of writing dates (ISO, and the month's name), numbers (digits) and Chinese (simplified)."""
    text = _QUARTER.sub(_quarter, simplified(plain_width(text)))
    if not _DIGIT.search(text):
        return text
    text = _DATE.sub(_iso, text)
    return _TEN_THOUSANDS.sub(_in_digits, _GROUPED.sub(_ungrouped, text))


def expanded(query: str) -> str:
    """A query for a search by words, with the other ways of writing what is in it."""
    plain = plain_width(query)
    quarters = (_quarter(match).split()[-1] for match in _QUARTER.finditer(plain))
    others = [*_other_dates(plain), *_other_numbers(plain), *quarters, *other_forms(plain)]
    return " ".join([plain, *(other for other in dict.fromkeys(others) if other not in plain)])


def _quarter(match: re.Match[str]) -> str:
    """A quarter of a year, followed by its short form: ``second quarter Q2``."""
    word = (match["en"] or match["zh"]).lower()
    return f"{match[0]} Q{int(word[0]) if word[0].isascii() and word[0].isdigit() else _QUARTERS[word[:2]]}"


def _iso(match: re.Match[str]) -> str:
    """A date as ``2024-05-03 May``; without its day as ``2024-05 May``."""
    day, whole = _day(match)
    return f" {day.isoformat() if whole else f'{day:%Y-%m}'} {MONTHS[day.month - 1]} " if day else match[0]


def _day(match: re.Match[str]) -> tuple[date | None, bool]:
    """The date of a match, None when the calendar has no such day, and whether it names the day."""
    year, month, day = next(
        (match[f"y{n}"], match[f"m{n}"], match[f"d{n}"]) for n in range(1, 6) if match[f"y{n}"] is not None
    )
    try:
        return date(_year(year), _month(month), _number(day or "1")), day is not None
    except ValueError:
        return None, False


def _year(text: str) -> int:
    return (
        int("".join(str(_HAN_DIGITS.find(digit)) for digit in text.replace("零", "〇"))) if text[0] > "9" else int(text)
    )


def _month(text: str) -> int:
    named = next((n for n, month in enumerate(MONTHS, 1) if month[:3].lower() == text[:3].lower()), 0)
    return named or _number(text)


def _number(text: str) -> int:
    """A number up to 99 in digits or Chinese; 0, which is no day, for what is none."""
    if text[0] <= "9":
        return int(text)
    tens, ten, ones = text.rpartition("十")
    if ten:
        return 10 * (_HAN_DIGITS.find(tens) if tens else 1) + (_HAN_DIGITS.find(ones) if ones else 0)
    return _HAN_DIGITS.find(text) if len(text) == 1 else 0


def _in_digits(match: re.Match[str]) -> str:
    return str(int(match[1] + (match[2] or "").ljust(4, "0")))


def _other_dates(text: str) -> Iterator[str]:
    for match in _DATE.finditer(text):
        day, whole = _day(match)
        if day is None:
            continue
        month = MONTHS[day.month - 1]
        if not whole:
            yield from (f"{day:%Y-%m}", f"{month} {day.year}", f"{day.year}年{day.month}月")
            continue
        yield from (
            day.isoformat(),
            f"{day.day} {month} {day.year}",
            f"{day.day}.{day.month}.{day.year}",
            f"{day:%d.%m.%Y}",
            f"{day.year}/{day.month}/{day.day}",
            f"{day.year}年{day.month}月{day.day}日",
        )


def _other_numbers(text: str) -> Iterator[str]:
    digits = _TEN_THOUSANDS.sub(_in_digits, _GROUPED.sub(_ungrouped, text))
    for number in _LONG_NUMBER.findall(_DATE.sub(" ", digits)):
        if number not in text or not 1900 <= int(number) < 2100:  # a year is never grouped
            yield number
            yield f"{int(number):,}"


def _ungrouped(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[0])
