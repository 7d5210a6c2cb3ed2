"""Terms: the words of a text, and what two texts have in common.

Three ways to tell words apart, since each is tuned for what it decides:

* ``topic_words`` (of ``words_of``) compare a question with sentences, and a written sentence with its source:
  endings are taken off, Chinese by pairs of characters.
* ``search_terms`` compare a query with passages as BM25 does: the first letters of words, and pairs of characters
  in every script that ``UNSPACED`` lists. Its stop words are those of Milvus' analyzer.
* ``word_counts`` compare passages with each other: all words with their number, stop words too, Chinese by single
  characters.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from activities.text.scripts import HAN, HAN_RUN, UNSPACED

_WORD = re.compile(rf"[^\W_{HAN}]+")
_LETTERS = re.compile(r"[^\W_]+")
_WORD_OR_HAN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
_SPACED_WORD = re.compile(rf"[^\W_{UNSPACED}]+")
_UNSPACED_RUN = re.compile(f"[{UNSPACED}]+")

_STOP_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be by do did does for how in is it of on or that the their then there these this to was"
        " what when where which who whom whose why with"
    )
)

#: Words that say nothing of what a query is about: those that Milvus' English analyzer leaves out, and those that ask.
SEARCH_STOP_WORDS = _STOP_WORDS | frozenset(_WORD.findall("but if into no not such they will"))

#: Words that a question and any sentence share without meaning anything by it.
TOPIC_STOP_WORDS = _STOP_WORDS | frozenset(_WORD.findall("am been being from had has have its than those were"))

#: Characters of a search term that count: a coarse stem.
TERM_CHARACTERS = 6

#: A text that has this share of a question's words tells by itself what it answers.
RESTATED = 0.6

_JOINS = {"and", "or"}
_ENDINGS = ("ing", "ed", "es", "ly", "s")

#: Letters that remain of a topic word at least, when its ending is taken off.
_STEM = 3


def words_of(text: str) -> set[str]:
    """Lower-case words, and pairs of neighbouring Chinese characters; a lone character is a word."""
    return {word.lower() for word in _WORD.findall(text)} | _pairs(HAN_RUN.findall(text))


def topic_words(text: str) -> set[str]:
    """``words_of`` without stop words, English ones without their endings."""
    return {_stem(word) if word.isascii() else word for word in words_of(text) - TOPIC_STOP_WORDS}


def topic_sequence(text: str) -> list[tuple[str, bool]]:
    """Topic words in their order, each with whether “and” or “or” joins it to the one before it.

    For English texts: Chinese characters in them are not taken apart, so that they must be copied as a whole too.
    """
    found: list[tuple[str, bool]] = []
    joined = False
    for word in map(str.lower, _LETTERS.findall(text)):
        if word in TOPIC_STOP_WORDS:
            joined = joined or word in _JOINS
            continue
        found.append((_stem(word), joined))
        joined = False
    return found


def search_terms(text: str) -> set[str]:
    """The beginnings of the words, without stop words; of scripts without spaces, pairs of characters."""
    text = text.lower()
    words = {word[:TERM_CHARACTERS] for word in _SPACED_WORD.findall(text) if word not in SEARCH_STOP_WORDS}
    return words | _pairs(_UNSPACED_RUN.findall(text))


def word_counts(text: str) -> Counter[str]:
    """All words as they are written, and Chinese characters one by one, with how often they occur."""
    return Counter(_WORD_OR_HAN.findall(text))


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


def tells_what_it_answers(question: str, text: str) -> bool:
    """Whether a text has most of the question's words, or calls itself the answer."""
    return share(topic_words(question), text) >= RESTATED or "answer" in words_of(text)


def _pairs(runs: Iterable[str]) -> set[str]:
    return {run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))}


def _stem(word: str) -> str:
    ending = next((ending for ending in _ENDINGS if word.endswith(ending)), "")
    if len(word) - len(ending) >= _STEM:
        word = word.removesuffix(ending)
    return word[:-1] + "i" if word.endswith("y") else word.removesuffix("e") if len(word) > _STEM else word
