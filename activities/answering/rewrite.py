"""Rewrites follow-up questions so that they stand alone: by the language model if one is configured, else by words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import structlog

from activities.answering.generation import TokenStream
from activities.answering.prompts import TURNS, build_rewrite, sampling
from activities.contracts.questions import Turn
from activities.errors import DependencyError, ModelError
from activities.settings import GenerateSettings
from activities.stores.triton import Triton
from activities.text.lexicon import names
from activities.text.scripts import HAN_RUN, is_han
from activities.text.terms import topic_words

#: Seconds that the language model may take, and tokens and characters that a rewritten question may have.
REWRITE_SECONDS = 8.0
REWRITE_TOKENS = 80
REWRITE_CHARACTERS = 400

#: Share of a rewritten question's words that the conversation must have: a model may invent.
KNOWN = 0.7

#: A question with so few topic words (pairs of characters in Chinese) depends on the turns before, unless it is a
#: complete sentence about a topic of its own.
FEW_WORDS = 2
FEW_PAIRS = 4

#: Words that are added from the turns before.
CARRIED = 12

#: Words that stand for a word of an earlier turn, and beginnings and ends that go on from it.
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|same|latter|former|else"
    r"|instead|also)\b|(?<!\bis )(?<!\bare )(?<!\bwas )\bthere\b(?! (?:is|are|was|were)\b)"
    r"|[它这此]|他们|她们|[他她](?=[是在有的曾何什怎会])|那[个些种么里样]|(?<!耳)其(?!他)|(?<!应)该|上述|[前后]者|同样",
    re.I,
)
_GOES_ON = re.compile(
    r"^\s*(?:and|but|or|so|then|why|what about|how about|what if)\b|还有|另外|(?<!耳)其他|^[那也]|呢[？?]?\s*$", re.I
)
_LATIN = re.compile(r"[^\W_][\w'’-]*")
_LATIN_NAMES = re.compile(r"[A-Za-z]{2,}")
_QUANTITY = re.compile(r"\bhow (?:much|many|long|far|often|soon)\b", re.I)
_SENTENCE = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|may|might|must|shall|should|will|would)\b", re.I
)

#: The words of Chinese questions beside their topic.
_HAN_FUNCTION_WORDS = re.compile(
    r"请问|为什么|什么时候|什么样|什么|怎么样|怎么|怎样|如何|多少|几个|哪些|哪个|哪里|哪一|是不是|是否|有没有|可以|能否|能不能"
    r"|需要|应该|关于|以及|还有|谁|吗|呢|吧|啊|的|了|是|有|在|由|和|与|被|把|对|从|到|要|会|能|我们|你们|我|你|它们|它|他们|他|她|这个|那个|这|那"
)


def depends_on_context(question: str) -> bool:
    """Whether a question needs the turns before it to be understood: pronouns, ellipsis, very short."""
    if points_back(question) or goes_on(question):
        return True
    if is_han(question):
        return len(topic_words(question)) <= FEW_PAIRS and not _LATIN_NAMES.search(question)
    if names(question):
        return False
    topics = topic_words(_QUANTITY.sub(" ", question))
    return len(topics) <= (FEW_WORDS - 1 if _SENTENCE.search(question) else FEW_WORDS)


def standalone(question: str, turns: Sequence[Turn]) -> str:
    """The question with the topic words of earlier turns, if it depends on them; the latest turn first.

    A turn that depends on earlier ones has their words already: its ``question`` is the rewritten one.
    """
    if not turns or not depends_on_context(question):
        return question
    known = topic_words(question)
    carried: list[str] = []
    for turn in reversed(turns[-TURNS:]):
        for word in _topics(turn):
            words = topic_words(word)
            if words - known and len(carried) < CARRIED:
                carried.append(word)
                known |= words
        if carried and not depends_on_context(turn.question):
            break
    return f"{question} ({'，'.join(carried) if is_han(question) else ' '.join(carried)})" if carried else question


def _topics(turn: Turn) -> list[str]:
    """The topic of a turn: words of its question, and names in the first line of its answer."""
    if is_han(turn.question):
        runs = HAN_RUN.findall(turn.question)
        parts = [part for run in runs for part in _HAN_FUNCTION_WORDS.split(run) if part]
        return [*parts, *(word for word in _LATIN.findall(HAN_RUN.sub(" ", turn.question)) if topic_words(word))]
    words = [word for word in _LATIN.findall(_QUANTITY.sub(" ", turn.question)) if topic_words(word)]
    named = [] if is_han(turn.answer) else names(turn.answer.splitlines()[0] if turn.answer else "")
    return [*words, *named[:2]]


def points_back(question: str) -> bool:
    """Whether a question has a pronoun, or another word that stands for one of an earlier turn."""
    return _POINTS_BACK.search(question) is not None


def goes_on(question: str) -> bool:
    """Whether a question goes on from the turn before: it begins with “and” or “那”, or ends in “呢”."""
    return _GOES_ON.search(question) is not None


class Rewriter:
    """Rewrites questions so that they stand alone. Never fails: without the language model it adds words."""

    def __init__(self, triton: Triton, settings: GenerateSettings) -> None:
        self._triton, self._settings = triton, settings

    async def rewrite(self, question: str, turns: Sequence[Turn], language: str) -> str:
        """The query to search for."""
        if not turns:
            return question
        if self._settings.model and self._settings.writes(language):
            written = await self._generated(question, turns)
            if _is_sound(written, question, turns):
                return written
        return standalone(question, turns)

    async def _generated(self, question: str, turns: Sequence[Turn]) -> str:
        """The language model's version; empty when it fails or takes too long."""
        prompt = build_rewrite(question, turns)
        parameters = {**sampling(self._settings), "max_tokens": REWRITE_TOKENS}
        pieces: list[str] = []
        try:
            async with (
                asyncio.timeout(REWRITE_SECONDS),
                TokenStream(self._triton.generate(prompt, parameters)) as coming,
            ):
                async for piece in coming:
                    pieces.append(piece)
        except (TimeoutError, DependencyError, ModelError) as exc:
            await structlog.get_logger().awarning("question not rewritten by the model", reason=type(exc).__name__)
            return ""
        lines = "".join(pieces).strip().splitlines()
        return lines[0].strip().strip('"“”') if lines else ""


def _is_sound(written: str, question: str, turns: Sequence[Turn]) -> bool:
    """Whether a rewritten question has only words of the conversation, and enough of the question's own."""
    words, asked = topic_words(written), topic_words(question)
    said = asked.union(*(topic_words(f"{turn.question} {turn.answer}") for turn in turns))
    if not words or len(written) > REWRITE_CHARACTERS or (depends_on_context(question) and words <= asked):
        return False
    return len(words & said) >= KNOWN * len(words) and len(words & asked) * 2 >= len(asked)
