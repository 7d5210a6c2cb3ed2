"""Formats a cell's value as the sheet shows it: dates, percentages, money, and numbers without binary noise.

Dates are always written as ISO 8601: a sheet shows 3/4/2024 according to the viewer's locale, which a quote lacks.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any

import msgspec

_GENERAL_DIGITS = 11  # digits that a spreadsheet shows of a number without a format
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\[\]-]*+)[^\[\]]*+\]|([$€£¥₹元%‰ ])|\[[^\[\]]*+\]|[_*].')
_DIGITS = re.compile(r"[#0?][#0?,.]*")
_LONGEST_FORMAT = 255  # characters; spreadsheets take no longer ones
_MOST_COMMAS = 100  # at the end of a format, each for three digits less: a double has no more than 308
_OVER = 1e15  # above it a double has no digits after the point


class _Shape(msgspec.Struct, frozen=True):
    """The parts of a number format that matter in text."""

    before: str
    after: str
    decimals: int
    optional: int  # number of trailing decimals that are hidden when zero
    grouped: bool
    factor: float
    pad: int


def shown(value: Any, number_format: str | None) -> str:
    """The text of a cell's value under its number format."""
    match value:
        case bool():
            text = str(value).upper()
        case datetime():
            text = _moment(value, number_format or "")
        case time():
            text = value.isoformat("auto" if value.second else "minutes")
        case timedelta():
            text = _duration(value)
        case int() | float():
            text = _number(value, number_format or "General")
        case _:
            text = "" if value is None else str(value)  # str() of a date is ISO 8601
    return text


def _moment(value: datetime, number_format: str) -> str:
    bare = re.sub(r'"[^"]*"|\[[^\[\]]*+\]', "", number_format).lower()
    if bare and "y" in bare and "d" not in bare and "h" not in bare:
        return f"{value:%Y-%m}" if "m" in bare else f"{value:%Y}"
    if value.time() == time():  # many programs store a date as midnight of that day
        return value.date().isoformat()
    return value.isoformat(" ", "seconds" if value.second else "minutes")


def _duration(value: timedelta) -> str:
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")


def _number(value: float, number_format: str) -> str:
    shape = _shape(number_format, value < 0)
    if shape is None or abs(value) >= _OVER:
        return str(value) if isinstance(value, int) else f"{value:.{_GENERAL_DIGITS}g}"
    text = f"{abs(value) * shape.factor:{',' if shape.grouped else ''}.{shape.decimals}f}".zfill(shape.pad)
    kept = text[len(text) - shape.optional :].rstrip("0") if shape.optional else ""
    text = (text[: len(text) - shape.optional] + kept).rstrip(".")
    sign = "-" if value < 0 and text.strip("0,.") else ""
    return f"{sign}{shape.before}{text}{shape.after}".strip()


@lru_cache(maxsize=1024)
def _shape(number_format: str, negative: bool) -> _Shape | None:
    """The parsed format; None for General, text, fractions, exponents and absurd ones, which are shown unformatted."""
    if len(number_format) > _LONGEST_FORMAT:
        return None
    sections = number_format.split(";")
    section = sections[1] if negative and len(sections) > 1 else sections[0]
    plain = _LITERAL.sub("", section)
    digits = _DIGITS.search(plain)
    if digits is None or re.search(r"[eE/@]|General", plain):
        return None
    whole, _, fraction = digits[0].partition(".")
    start = re.search(r"[#0?]", re.sub(r'"[^"]*"|\[[^\[\]]*+\]', lambda quoted: " " * len(quoted[0]), section))
    cut = start.start() if start else 0
    before, after = _literals(section[:cut]), _literals(section[cut:])
    decimals = sum(fraction.count(mark) for mark in "0#?")
    commas = min(len(whole) - len(whole.rstrip(",")), _MOST_COMMAS)
    factor = (100.0 if "%" in before + after else 1.0) / 1000**commas
    pad = whole.replace(",", "").count("0") + (decimals + 1 if decimals else 0)
    return _Shape(before.lstrip("-"), after, decimals, fraction.count("#"), "," in whole.rstrip(","), factor, pad)


def _literals(text: str) -> str:
    """The literal characters of a part of a format, without parentheses."""
    literals = "".join(next((group for group in match.groups() if group), "") for match in _LITERAL.finditer(text))
    return literals.replace("(", "").replace(")", "")
