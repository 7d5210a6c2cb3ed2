"""Words of texts, without a model: what a question and a sentence have in common, and what is asked for."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_LETTER = re.compile(r"[^\W\d_]")

#: Words that a question and any sentence share without meaning anything by it.
_STOP = {
    *("a", "an", "the", "of", "in", "on", "at", "to", "for", "from", "by", "with", "as", "and", "or", "than", "then"),
    *("it", "its", "this", "that", "these", "those", "their", "there", "be", "is", "are", "was", "were", "been"),
    *("being", "am", "do", "does", "did", "has", "have", "had", "what", "which", "who", "whom", "whose", "when"),
    *("where", "how", "why"),
}

RESTATED = 0.6
"""A text that has this share of a question's words tells by itself what it answers."""

_JOINS = {"and", "or"}
_ENDINGS = ("ing", "ed", "es", "ly", "s")
_STEM = 3
"""Letters that remain of a word at least, when its ending is taken off."""

_NUMERAL = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|billion|dozen"
    r"|half|third|quarter|once|twice)\b|[一二两三四五六七八九十百千万亿半]",
    re.I,
)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|old|far|large|big|tall|high|often|fast|deep|heavy)\b|\bpercent(?:age)?\b"
    r"|多少|几[个位名次年天人种条座家台]|多[长久大高远深重]|比例|百分",
    re.I,
)
_TIME = re.compile(
    r"\b(?:1\d{3}|20\d\d)s?\b|\b(?:January|February|March|April|May|June|July|August|September|October|November"
    r"|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|BC|AD)\b|\bcentur(?:y|ies)\b|\bdecades?\b"
    r"|\d+\s*[年月日号点时]|[一二三四五六七八九十]+[年月日]|世纪|年代|公元|周[一二三四五六日末]|星期",
)
_ASKS_TIME = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|period|time)\b"
    r"|什么时[候间]|何时|哪一?[年天月日]|[几哪]个?世纪|年份|日期|几[年月日点]|时期",
    re.I,
)


def words_of(text: str) -> set[str]:
    """Lower-case words, and pairs of neighbouring Chinese characters; a lone character is a word."""
    pairs = {run[i : i + 2] for run in _HAN.findall(text) for i in range(max(1, len(run) - 1))}
    return {word.lower() for word in _WORD.findall(_HAN.sub(" ", text))} | pairs


def topic_words(text: str) -> set[str]:
    """``words_of`` without words that say nothing, English ones without their endings."""
    return {_stem(word) if word.isascii() else word for word in words_of(text) - _STOP}


def topic_sequence(text: str) -> list[tuple[str, bool]]:
    """English topic words one after the other, each with whether “and” or “or” joins it to the one before it."""
    found: list[tuple[str, bool]] = []
    joined = False
    for word in map(str.lower, _WORD.findall(text)):
        if word in _STOP:
            joined = joined or word in _JOINS
            continue
        found.append((_stem(word), joined))
        joined = False
    return found


def _stem(word: str) -> str:
    ending = next((ending for ending in _ENDINGS if word.endswith(ending)), "")
    if len(word) - len(ending) >= _STEM:
        word = word.removesuffix(ending)
    return word[:-1] + "i" if word.endswith("y") else word.removesuffix("e") if len(word) > _STEM else word


def share(wanted: set[str], text: str) -> float:
    """The share (0–1) of the wanted topic words that the text has."""
    return len(wanted & topic_words(text)) / len(wanted) if wanted else 0.0


def rare_shares(wanted: set[str], texts: Sequence[str]) -> list[float]:
    """``share`` for each of the texts, words that few of them have counting more."""
    sets = [topic_words(text) for text in texts]
    frequency = Counter(word for words in sets for word in words)
    weights = {word: math.log(1 + len(sets) / (frequency[word] + 0.5)) for word in wanted}
    total = sum(weights.values()) or 1.0
    return [sum(weight for word, weight in weights.items() if word in words) / total for words in sets]


def is_han(text: str) -> bool:
    """Whether a text is mostly written in Chinese characters (each says as much as some letters)."""
    letters = len(_LETTER.findall(text))
    return letters > 0 and sum(map(len, _HAN.findall(text))) * 3 >= letters


def gives_what_is_asked(question: str, text: str) -> bool:
    """False when the question asks for a number or a time, and the text has none that the question has not."""
    if _ASKS_TIME.search(question):
        return any(found not in question for found in _TIME.findall(text))
    if _ASKS_NUMBER.search(question):
        return any(found not in question for found in _NUMERAL.findall(text))
    return True


def tells_what_it_answers(question: str, text: str) -> bool:
    """Whether a text has most of the question's words, or calls itself the answer."""
    return share(topic_words(question), text) >= RESTATED or "answer" in words_of(text)
