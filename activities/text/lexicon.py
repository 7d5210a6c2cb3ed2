"""Lexicon: English and Chinese patterns for numbers, times, names and negations."""

from __future__ import annotations

import re

from activities.text.terms import topic_words

# --- numbers and times -------------------------------------------------------------------------------

_SMALL = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_LARGE = ("hundred", "thousand", "million", "billion")
_HAN_DIGITS = "二三四五六七八九十"

#: Excludes 一, which is an article more often than a number.
_HAN_NUMERALS = f"{_HAN_DIGITS}两百千万亿"

_DIGITS = {word: str(number) for words in (_SMALL, _HAN_DIGITS) for number, word in enumerate(words, 2)}

#: A number as a whole, for comparison with another one.
_NUMBER = re.compile(
    rf"\d+(?:[.,]\d+)*|\b(?:{'|'.join((*_SMALL, *_LARGE))}|half|twice)\b|[{_HAN_NUMERALS}半]+",
    re.I,
)

#: Any answer to “how many”, including fractions and articles.
_QUANTITY = re.compile(
    rf"\d|\b(?:one|{'|'.join((*_SMALL, *_LARGE))}|dozen|half|third|quarter|once|twice)\b|[一{_HAN_NUMERALS}半]",
    re.I,
)
_ASKS_QUANTITY = re.compile(
    r"\bhow (?:many|much|long|old|far|large|big|tall|high|often|fast|quickly|soon|deep|heavy)\b|\bpercent(?:age)?\b"
    r"|多少|几[个位名次年天人种条座家台]|多[长久大高远深重]|比例|百分",
    re.I,
)
_TIME = re.compile(
    r"\b(?:1\d{3}|20\d\d)s?\b|\b(?:January|February|March|April|May|June|July|August|September|October|November"
    r"|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|BC|AD)\b|\bcentur(?:y|ies)\b|\bdecades?\b"
    r"|(?<!\d)\d++\s*+[年月日号点时]|(?<![一二三四五六七八九十])[一二三四五六七八九十]++[年月日]|世纪|年代|公元|周[一二三四五六日末]|星期",
)
_ASKS_TIME = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|period|time)\b"
    r"|什么时[候间]|何时|哪一?[年天月日]|[几哪]个?世纪|年份|日期|几[年月日点]|时期",
    re.I,
)

#: Units of measure: five weeks differ from five days.
_MEASURES = topic_words(
    "seconds minutes hours days weeks months quarters years decades centuries percent dollars euros pounds yuan cents"
    " meters metres feet miles kilometers kilometres grams kilograms tons liters litres times degrees people employees"
)


def numbers(text: str) -> set[str]:
    """The numbers of a text; small numbers in words are converted to digits."""
    return {_DIGITS.get(number.lower(), number.lower()) for number in _NUMBER.findall(text)}


def measures(text: str) -> set[str]:
    """The topic words that are units of measure; empty for a text without a number."""
    return topic_words(text) & _MEASURES if _NUMBER.search(text) else set()


def gives_what_is_asked(question: str, text: str) -> bool:
    """False when the question asks for a number or a time and the text has none beyond those in the question."""
    if _ASKS_TIME.search(question):
        return any(found not in question for found in _TIME.findall(text))
    if _ASKS_QUANTITY.search(question):
        return any(found not in question for found in _QUANTITY.findall(text))
    return True


_RANGE = re.compile(
    r"\b(?:up to|from|between|over|under|above|below|(?:more|less|larger|smaller) than|at (?:least|most)|until)\b"
    r"|\d\s*[-–~至到]\s*\d|以[上下内]|超过|不足|不满|至少|最多|不超|大于|小于|低于|高于",
    re.I,
)


def asks_when(question: str) -> bool:
    """Whether a question asks for a time."""
    return _ASKS_TIME.search(question) is not None


def times(text: str, beside: str) -> list[str]:
    """The times and numbers of a text that are not in the text ``beside`` it."""
    return [found for found in (*_TIME.findall(text), *_QUANTITY.findall(text)) if found not in beside]


def has_range(text: str) -> bool:
    """Whether a text gives limits between which a number may lie."""
    return _RANGE.search(text) is not None


# --- names -------------------------------------------------------------------------------------------

#: A capitalised word that does not begin a sentence.
_CAPITALISED = r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w'’-]+"
_NAME_WORD = re.compile(rf"{_CAPITALISED}|(?<=\b[A-Z]\.\s)[A-Z][\w'’-]+")
_NAME = re.compile(rf"{_CAPITALISED}(?:\s[A-Z][\w'’-]+)*")


def name_words(text: str) -> list[str]:
    """The single words of names, also after an initial (``J. Watson``), for look-up in another text."""
    found: list[str] = _NAME_WORD.findall(text)
    return found


def names(text: str) -> list[str]:
    """Names of one or more words (``Charles Dickens``)."""
    found: list[str] = _NAME.findall(text)
    return found


# --- negations ---------------------------------------------------------------------------------------

_DENIAL = re.compile(r"\b(?:not|no|never|neither|nor|none|cannot|without)\b|n['’]t\b|不|没有|沒有|无法|未", re.I)

#: Broader than ``_NUMBER`` and ``_DENIAL`` together: also single characters and exceptions.
_DISTINCTION = re.compile(rf"\d+|\b(?:not?|never|without|except|unless)\b|[零〇一{_HAN_NUMERALS}不未无非没勿免]", re.I)


def denies(text: str) -> bool:
    """Whether a text contains a negation."""
    return _DENIAL.search(text) is not None


def distinctions(text: str) -> list[str]:
    """Numbers, negations and exceptions: texts that differ in one differ in meaning, however similar they are."""
    found: list[str] = _DISTINCTION.findall(text)
    return found
