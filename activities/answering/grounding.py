"""Grounding: checks generated sentences against the passages, and finds the quote that supports each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise

import msgspec
import numpy as np

from activities.answering.context import AnswerContext
from activities.answering.sentence_vectors import SentenceVectors
from activities.text.lexicon import denies, measures, name_words, numbers
from activities.text.scripts import is_han
from activities.text.sentences import spans
from activities.text.terms import topic_sequence, topic_words

#: A source supports a sentence when it has this share of the sentence's words, or fewer and this cosine.
SUPPORT_WORDS = 0.75
SIMILAR_WORDS = 0.5
SUPPORT_COSINE = 0.90

#: A sentence that must be copied: its source has this share of the words that it adds to the question, and this
#: share of the question's own words.
COPIED_WORDS = 0.9
ASKED_WORDS = 1 / 3

#: A source in the other script has no words in common: it supports a sentence from this cosine on.
OTHER_COSINE = 0.82

#: Words of the question and of a sentence with this ratio of equal letters are two forms of one.
SAME_WORD = 0.75

#: Parts of the sources that are compared by their vectors: those with the most words in common.
COMPARED = 6

MARKER = re.compile(r"(?<!\s)\s*+\[\d{1,2}(?:\s*+,\s*+\d{1,2})*+\]")

#: Words about the answer itself, which a source need not have.
_ABOUT_ANSWERS = topic_words(
    "yes no correct answer question source sources text document documents according mentioned states"
)

#: Words that add nothing by themselves.
_AUXILIARY = topic_words("can could may might must shall should will would also")


class GroundedSentence(msgspec.Struct, frozen=True):
    """A generated sentence, and the quote that supports it; ``place`` is that of the source in the list."""

    text: str
    place: int
    quote: str

    @property
    def numbered(self) -> str:
        """The sentence with the number of its source."""
        return f"{self.text} [{self.place + 1}]"


class _Part(msgspec.Struct, frozen=True):
    """A sentence of a source, or two that follow one another (``halves`` are the words of each)."""

    place: int
    quote: str
    words: set[str]
    han: bool
    halves: tuple[set[str], ...] = ()

    def has(self, words: set[str], least: float) -> bool:
        """Whether the part has this share of the words."""
        return len(words & self.words) >= least * len(words)

    def is_needed(self, new: set[str]) -> bool:
        """False for two sentences of which one has all new words: the other may be about something else."""
        return not any(new & self.words <= half for half in self.halves)


class GroundingChecker:
    """Compares sentences with the passages that the prompt quotes."""

    def __init__(
        self, context: AnswerContext, vectors: SentenceVectors, used: Sequence[str], *, rephrased: bool = True
    ) -> None:
        """``used`` are the texts in the prompt; English sentences must be copied from them unless ``rephrased``."""
        self._vectors, self._card, self._question, self._used = vectors, context.card, context.question, used
        self._rephrased = rephrased
        self._asked = topic_words(context.question)

    @cached_property
    def _parts(self) -> list[_Part]:
        """Made for the first sentence that is checked, so that the first token need not wait."""
        return [part for place, text in enumerate(self._used) for part in _parts_of(place, text)]

    async def check(self, sentence: str) -> GroundedSentence | None:
        """The sentence with the quote that supports it; None when no source does."""
        text = MARKER.sub("", sentence).strip()
        words, han = topic_words(text) - _ABOUT_ANSWERS, is_han(text)
        new = {word for word in words if not self._was_asked(word)}
        if not new - _AUXILIARY or all(map(str.isdigit, words)) or text.rstrip('"”’）)').endswith(("?", "？")):
            return None  # nothing beside what the question says, or a bare number, or a question
        parts = [part for part in self._parts if part.is_needed(new)]
        same = [part for part in parts if part.han is han and _agrees(text, f"{part.quote}\n{self._question}")]
        same.sort(key=lambda part: (-len(words & part.words), len(part.quote)))
        likely = [part for part in same[:COMPARED] if part.has(words, SIMILAR_WORDS) and part.has(new, SIMILAR_WORDS)]
        if han or self._rephrased:
            sure = (part for part in likely if part.has(words, SUPPORT_WORDS) and part.has(new, SUPPORT_WORDS))
            similar = [part for part in likely if not part.halves]  # a pair has a cosine near to those of its halves
        else:
            known = (part for part in likely if part.has(new, COPIED_WORDS) and part.has(self._asked, ASKED_WORDS))
            sure = (part for part in known if self._stands_in(text, part))
            similar = []
        if (part := next(sure, None)) is not None:
            return GroundedSentence(text, part.place, part.quote)
        others = [part for part in parts if not part.halves and part.han is not han and _same_numbers(text, part.quote)]
        return await self._closest(text, similar, SUPPORT_COSINE) or await self._closest(text, others, OTHER_COSINE)

    def _stands_in(self, text: str, part: _Part) -> bool:
        """Whether neighbouring new words, and words joined by “and” or “or”, are neighbours in the source too.

        A small model writes “between A and C” for “along A between B and C”, and “5 mm” for “5 and 7 mm”.
        """
        beside = {(one, two) for (one, _), (two, _) in pairwise(topic_sequence(part.quote))}
        for (one, _), (two, joined) in pairwise(topic_sequence(text)):
            pair = {one, two}
            if (one, two) in beside or pair & _ABOUT_ANSWERS:
                continue
            new = {word for word in pair if not self._was_asked(word)}
            if (joined and new) or (new == pair and pair & part.words):
                return False
        return True

    def _was_asked(self, word: str) -> bool:
        """Whether the question has the word, or another form of it (led, lead)."""
        alike = (SequenceMatcher(None, word, asked).ratio() >= SAME_WORD for asked in self._asked if word.isascii())
        return word in self._asked or any(alike)

    async def _closest(self, text: str, parts: Sequence[_Part], least: float) -> GroundedSentence | None:
        if not parts:
            return None
        mine, *theirs = await self._vectors.embed(self._card, [text, *(part.quote for part in parts)])
        cosines = np.stack(theirs) @ mine
        best = int(np.argmax(cosines))
        return GroundedSentence(text, parts[best].place, parts[best].quote) if float(cosines[best]) >= least else None


def _parts_of(place: int, text: str) -> Iterator[_Part]:
    """Each sentence, and each two that follow one another in a line: a generated sentence may join two."""
    before: tuple[int, _Part] | None = None
    for start, end in spans(text):
        quote = text[start:end]
        one = _Part(place, quote, topic_words(quote), is_han(quote))
        yield one
        if before is not None and "\n" not in text[before[0] + len(before[1].quote) : start]:
            whole, halves = text[before[0] : end], (before[1].words, one.words)
            yield _Part(place, whole, halves[0] | halves[1], is_han(whole), halves)
        before = (start, one)


def _agrees(text: str, known: str) -> bool:
    """Whether the known text has the sentence's numbers and names, and both or neither deny something."""
    named = all(name in known for name in name_words(text))
    return named and _same_numbers(text, known) and denies(text) is denies(known)


def _same_numbers(text: str, known: str) -> bool:
    counted = measures(text)
    return numbers(text) <= numbers(known) and (counted <= topic_words(known) or is_han(known))
