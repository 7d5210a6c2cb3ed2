"""Terms: the words of a text, and the words that two texts share.

Three tokenizations, each tuned for one comparison:

* ``topic_words`` (based on ``words_of``) compares a question with sentences, and a generated sentence with its source:
  words without their endings, Chinese as pairs of characters.
* ``search_terms`` compares a query with passages in the way of BM25: the first letters of words, and pairs of
  characters in every script of ``UNSPACED``. Its stop words include those of Milvus' analyzer.
* ``word_counts`` compares passages with each other: the counts of all words, stop words included, and of single
  Chinese characters.

The first two take traditional for simplified characters, so that either finds the other.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from activities.text.scripts import HAN, HAN_RUN, UNSPACED
from activities.text.variants import canonical

_WORD = re.compile(rf"[^\W_{HAN}]+")
_NUMBERED = re.compile(r"(?<![^\W_])([^\W\d_]++) (\d++)(?![.,]\d)")
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

#: Words that carry no topic of a query: the stop words of Milvus' English analyzer, and question words.
SEARCH_STOP_WORDS = _STOP_WORDS | frozenset(_WORD.findall("but if into no not such they will"))

#: Words whose occurrence in both a question and a sentence is no evidence of a match.
TOPIC_STOP_WORDS = _STOP_WORDS | frozenset(_WORD.findall("am been being from had has have its than those were"))

#: Leading characters of a word that form its search term: a coarse stem.
TERM_CHARACTERS = 6

#: A text with at least this share of a question's topic words restates the question.
RESTATED = 0.6

_JOINS = {"and", "or"}
_ENDINGS = ("ing", "ed", "es", "ly", "s")

#: Letters that a misspelt word has at least, and its ratio of equal letters.
_MISSPELT = 4
_ALIKE = 0.75

#: Letters at the beginning that two forms of one word have in common at least.
_KIN = 5

#: Minimum letters of a topic word after its ending is removed.
_STEM = 3


def words_of(text: str) -> set[str]:
    """Lower-case words, and pairs of adjacent Chinese characters; a single character counts as a word.

    Dates, numbers and Chinese that are written another way (``canonical``) have the same words.
    """
    text = canonical(text)
    return {word.lower() for word in _WORD.findall(text)} | _pairs(HAN_RUN.findall(text))


def topic_words(text: str) -> set[str]:
    """``words_of`` without stop words; ASCII words without their endings."""
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
    """The first letters of words, without stop words; pairs of characters for the scripts of ``UNSPACED``."""
    text = canonical(text).lower()
    words = {word[:TERM_CHARACTERS] for word in _SPACED_WORD.findall(text) if word not in SEARCH_STOP_WORDS}
    return words | _pairs(_UNSPACED_RUN.findall(text))


def word_counts(text: str) -> Counter[str]:
    """Number of occurrences of each word, case-sensitive, and of each Chinese character."""
    return Counter(_WORD_OR_HAN.findall(text))


def share(wanted: set[str], text: str) -> float:
    """The share (0–1) of the ``wanted`` topic words that occur in the text."""
    return len(wanted & topic_words(text)) / len(wanted) if wanted else 0.0


def rare_shares(wanted: set[str], texts: Sequence[str]) -> list[float]:
    """``share`` for each of the texts, with words weighted by their rarity among the texts."""
    return rare_shares_of(wanted, [topic_words(text) for text in texts])


def rare_shares_of(wanted: set[str], sets: Sequence[set[str]]) -> list[float]:
    """The share (0–1) of the ``wanted`` words in each set, with words weighted by their rarity among the sets."""
    frequency = Counter(word for words in sets for word in words)
    weights = {word: math.log(1 + len(sets) / (frequency[word] + 0.5)) for word in wanted}
    total = sum(weights.values()) or 1.0
    return [sum(weight for word, weight in weights.items() if word in words) / total for words in sets]


def numbered_words(text: str) -> set[str]:
    """Words with the number after them, which name one of several: “zone 2”."""
    return {f"{_stem(word.lower())} {number}" for word, number in _NUMBERED.findall(text)}


def kin(word: str, words: set[str]) -> bool:
    """Whether one of the words is this one, or has the same beginning (alcohol, alcoholic)."""
    return word in words or (
        len(word) >= _KIN
        and word.isalpha()
        and any(other[:_KIN] == word[:_KIN] and (other.startswith(word) or word.startswith(other)) for other in words)
    )


def close_to(word: str, words: set[str], *, exact: bool = False) -> bool:
    """Whether one of the words is this one in another form, or misspelt (unless ``exact``)."""
    word = _plain(word)
    plain = {_plain(other) for other in words}
    if word in plain or (not exact and (kin(word, plain) or _stem(word) in plain)):
        return True
    if exact or len(word) < _MISSPELT:
        return False
    alike = (other for other in plain if abs(len(other) - len(word)) <= 2 and other[:1] == word[:1])
    return any(SequenceMatcher(None, word, other).ratio() >= _ALIKE for other in alike)


@lru_cache(maxsize=16_384)
def _plain(word: str) -> str:
    """A lower-case word without accents."""
    apart = unicodedata.normalize("NFKD", word.lower())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def tells_what_it_answers(question: str, text: str) -> bool:
    """Whether a text contains at least ``RESTATED`` of the question's topic words, or the word “answer”."""
    return share(topic_words(question), text) >= RESTATED or "answer" in words_of(text)


def _pairs(runs: Iterable[str]) -> set[str]:
    return {run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))}


def _stem(word: str) -> str:
    ending = next((ending for ending in _ENDINGS if word.endswith(ending)), "")
    if len(word) - len(ending) >= _STEM:
        word = word.removesuffix(ending)
    return word[:-1] + "i" if word.endswith("y") else word.removesuffix("e") if len(word) > _STEM else word
