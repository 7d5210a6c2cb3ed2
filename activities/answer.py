"""The answer step: quoted sentences (``extractive``) or written text (``generative``), as a stream of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from temporalio import activity

from activities.contracts import Answered, AnswerInput, AnswerMode, Citation, Fallback, RecordAnswerInput, Source
from activities.drafts import Drafts
from activities.events import ResetEvent
from activities.evidence import (
    Sentence,
    choose,
    citation,
    common_words,
    is_answerable,
    is_clearly_answerable,
    quotes,
    weigh,
)
from activities.heartbeat import heartbeating, report
from activities.passage_vectors import PassageVectors
from activities.passages import SourceTexts
from activities.prompts import PROMPT_VERSION
from activities.settings import GenerateSettings
from activities.stores.blobs import Blobs
from activities.stores.catalog import Catalog
from activities.stores.triton import ModelCard, Triton
from activities.streams import Publisher
from activities.support import Sources, Verified
from activities.text.lexicon import gives_what_is_asked
from activities.text.scripts import query_language
from activities.text.terms import tells_what_it_answers
from activities.writing import Shown, Writing

#: What is said when the documents do not hold the answer, and when there are passages near to it.
NOT_FOUND = {
    "en": "The documents do not seem to answer this question.",
    "zh": "文档中似乎没有这个问题的答案。",
}
NEAREST = {
    "en": " The passages nearest to it are listed as sources.",
    "zh": "最接近的段落列在来源中。",
}

#: What a record calls the language model that comes with the platform.
BUNDLED = "bundled"


class Asked(NamedTuple):
    """A question with the passages that were found for it."""

    text: str
    language: str
    similarity: float
    found: SourceTexts
    sources: list[Source]
    card: ModelCard


class AnswerActivities:
    """Runs on the ``answer`` queue."""

    def __init__(
        self, blobs: Blobs, triton: Triton, catalog: Catalog, settings: GenerateSettings, drafts: Drafts
    ) -> None:
        self._blobs, self._triton, self._catalog = blobs, triton, catalog
        self._settings, self._drafts = settings, drafts
        self._vectors = PassageVectors(triton)

    @activity.defn(name="answer")
    @heartbeating
    async def answer(self, job: AnswerInput) -> Answered:
        """Answer from the passages, or say honestly that they do not hold the answer."""
        found = await self._blobs.load(job.sources_key, SourceTexts)
        language = query_language(found.question)
        asked = Asked(found.question, language, job.similarity, found, job.sources, await self._triton.card())
        async with Publisher() as stream:
            if activity.info().attempt > 1:
                stream.publish(ResetEvent())
            answered = await self._answered(job, asked, Shown(stream.publish))
            return msgspec.structs.replace(answered, unsent=await stream.close())

    @activity.defn(name="record_answer")
    async def record_answer(self, job: RecordAnswerInput) -> None:
        """Write down what came of the question."""
        await self._catalog.questions.record(job)

    async def _answered(self, job: AnswerInput, asked: Asked, shown: Shown) -> Answered:
        if job.mode == "extractive":
            return await self._quoted(asked, shown)
        if not self._settings.writes(asked.language):
            return await self._quoted(asked, shown, "language")
        return await self._written(job.sources_key, asked, shown)

    async def _quoted(self, asked: Asked, shown: Shown, fallback: Fallback | None = None) -> Answered:
        """The sentences that answer, word for word."""
        began = time.perf_counter()
        weighed = await self._weighed(asked)
        took = {"weigh": _since(began)}
        if not _answerable(asked, weighed):
            answered = _refused(asked, shown, weighed, "generative" if fallback else "extractive")
        else:
            answered = _quoting(asked, shown, weighed, fallback)
        return msgspec.structs.replace(answered, milliseconds=took)

    async def _weighed(self, asked: Asked) -> list[Sentence]:
        if not asked.found.vector:
            return []
        return await weigh(
            self._vectors, asked.card, asked.text, asked.found.question_vector(), asked.found.texts, asked.sources
        )

    async def _written(self, sources_key: str, asked: Asked, shown: Shown) -> Answered:
        """What the language model writes, as far as the sources say the same.

        It begins at once. Where the best passage alone tells that there is an answer, its first words are shown
        before any sentence was weighed; otherwise they wait for that, or are never shown.
        """
        began = time.perf_counter()
        draft = await self._drafts.take(sources_key, asked.found)
        common = common_words(asked.text, asked.found.texts)
        clear = is_clearly_answerable(asked.card, asked.language, asked.similarity, common)
        sources = Sources(self._vectors, asked.card, asked.text, draft.used, rephrased=self._settings.rephrases)
        writing = Writing(sources, shown)
        took: dict[str, int] = {}
        async with asyncio.TaskGroup() as beside, draft.tokens as tokens:
            weighing = None if clear else beside.create_task(self._weighed(asked))
            if weighing is not None and not _answerable(asked, await weighing):
                return _refused(asked, shown, await weighing, mode="generative")
            async for piece in tokens:
                took.setdefault("first_token", _since(began))
                await writing.add(piece)
                report(tokens.count)
                if tokens.count > 1:  # the first words are on their way to the reader
                    weighing = weighing or beside.create_task(self._weighed(asked))
            text = await writing.finish(cut=tokens.count >= draft.max_tokens)
            took["generate"] = _since(began)
            weighed = await weighing if weighing else await self._weighed(asked)
        told = writing.verified
        if not self._settings.rephrases:  # a small model gladly answers something else
            told = [one for one in told if tells_what_it_answers(asked.text, one.text)]
        if _to_the_point(asked.text, told, weighed):
            citations = _cited(writing.verified, asked.sources)
            answered = Answered(answer=text, citations=citations, mode="generative", found=True)
        else:
            answered = _quoting(asked, shown, weighed, "unsupported")
        return msgspec.structs.replace(
            answered,
            tokens=tokens.count,
            withheld=writing.withheld,
            model=self._settings.model or BUNDLED,
            prompt_version=PROMPT_VERSION,
            milliseconds=took,
        )


def _answerable(asked: Asked, weighed: Sequence[Sentence]) -> bool:
    common = common_words(asked.text, asked.found.texts)
    return is_answerable(asked.card, asked.language, asked.text, asked.similarity, common, weighed)


def _refused(asked: Asked, shown: Shown, weighed: Sequence[Sentence], mode: AnswerMode) -> Answered:
    """That the documents do not hold the answer, in the question's language, with the nearest passages."""
    language = asked.language if asked.language in NOT_FOUND else "en"
    nearest = quotes(choose(weighed), asked.found.texts, asked.sources)
    shown.set(NOT_FOUND[language] + (NEAREST[language] if nearest else ""))
    return Answered(answer=shown.text, citations=nearest, mode=mode, found=False)


def _quoting(asked: Asked, shown: Shown, weighed: Sequence[Sentence], fallback: Fallback | None = None) -> Answered:
    """The best sentences, word for word, each with the number of its source."""
    citations = quotes(choose(weighed), asked.found.texts, asked.sources)
    text = ""
    for one in citations:
        text += f"{chr(10) * 2 if text else ''}{one.quote} [{one.n}]"
        shown.set(text)
    return Answered(answer=text, citations=citations, mode="extractive", found=True, fallback=fallback)


def _to_the_point(question: str, verified: Sequence[Verified], weighed: Sequence[Sentence]) -> bool:
    """Whether a written sentence says what the best sentence says, and gives what was asked for: true is not enough."""
    return any(
        gives_what_is_asked(question, one.text)
        and one.place == best.source
        and (best.text in one.quote or one.quote in best.text)
        for one in verified
        for best in weighed[:1]
    )


def _cited(verified: Sequence[Verified], sources: Sequence[Source]) -> list[Citation]:
    cited = {(one.place, one.quote): citation(sources[one.place], one.quote) for one in verified}
    return sorted(cited.values(), key=lambda one: one.n)


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)
