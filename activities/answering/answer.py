"""The answer step: quoted sentences (``extractive``) or generated text (``generative``), as a stream of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec
from temporalio import activity

from activities.answering.context import AnswerContext
from activities.answering.excerpts import excerpts
from activities.answering.extraction import Sentence, is_answerable, is_clearly_answerable, quotes, score_sentences
from activities.answering.generation import GenerationPrefetch
from activities.answering.grounding import GroundedSentence, GroundingChecker
from activities.answering.missing import NAMED_ROWS, Missing, missing, most_fitting
from activities.answering.prompts import PROMPT_VERSION, without_numbers
from activities.answering.publisher import Publisher
from activities.answering.sentence_vectors import SentenceVectors
from activities.answering.streaming import GroundedStream, StreamedText
from activities.contracts.answers import AnswerMode, Citation, Fallback, Source
from activities.contracts.events import QuestionEvent, ResetEvent, SourcesEvent, StateEvent
from activities.contracts.ids import parse_question_workflow_id
from activities.contracts.questions import Answered, AnswerInput, RecordAnswerInput
from activities.retrieval.passages import SourceTexts
from activities.runtime.heartbeat import heartbeating, report
from activities.settings import GenerateSettings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.triton import Triton
from activities.text.lexicon import gives_what_is_asked
from activities.text.scripts import reply_language
from activities.text.terms import tells_what_it_answers

#: The answer when the documents do not hold one, and its second half when passages come near to it.
NOT_FOUND = {
    "en": "The documents do not seem to answer this question.",
    "zh": "文档中似乎没有这个问题的答案。",
}
NEAREST = {
    "en": " The passages nearest to it are listed as sources.",
    "zh": "最接近的段落列在来源中。",
}

#: What stands for the items of a list that are not quoted.
MORE = {"en": "… and {count} more", "zh": "……另有 {count} 项"}

#: The answer when the documents have things of the kind that is asked for, but not this one.
INSTEAD = {
    "en": "The documents have {there}, but not {missing}.",
    "zh": "文档中有{there}，但没有{missing}。",
}
ITEMS_JOINED = {"en": ", ", "zh": "、"}

#: The name that records give to the language model that comes with the platform.
BUNDLED = "bundled"

#: Longest name of a language model in records.
MODEL_CHARACTERS = 300


class AnswerActivities:
    """Runs on the ``answer`` queue."""

    def __init__(
        self, blobs: Blobs, triton: Triton, catalog: Catalog, settings: GenerateSettings, prefetch: GenerationPrefetch
    ) -> None:
        self._blobs, self._triton, self._catalog = blobs, triton, catalog
        self._settings, self._prefetch = settings, prefetch
        self._vectors = SentenceVectors(triton)

    @activity.defn(name="answer")
    @heartbeating
    async def answer(self, input: AnswerInput) -> Answered:
        """Answer from the passages, or say that they do not hold the answer."""
        question_id = input.question_id or parse_question_workflow_id(activity.info().workflow_id)
        async with Publisher(self._catalog.question_events, question_id) as stream:
            for event in await self._opening(question_id, input.sources):
                stream.publish(event)
            found = await self._blobs.load(input.sources_key, SourceTexts)
            context = AnswerContext(found, input.sources, input.similarity, await self._triton.card(input.embedding))
            text = StreamedText(stream.publish)
            if found.prepared is not None:
                text.set(found.prepared.answer)
                answered = found.prepared
            elif input.mode == "extractive":
                answered = await self._extract(context, text)
            elif not self._settings.writes(context.language):
                answered = await self._extract(context, text, fallback="language")
            else:
                answered = await self._generate(input.sources_key, context, text)
            stream.publish(StateEvent(stage="record"))
        return answered

    @activity.defn(name="record_answer")
    async def record_answer(self, input: RecordAnswerInput) -> None:
        """Record how the question ended."""
        await self._catalog.questions.record(input)

    async def _opening(self, question_id: str, sources: list[Source]) -> list[QuestionEvent]:
        """What readers are told before the text: an attempt after the first repeats only what they do not have."""
        opening: list[QuestionEvent] = [SourcesEvent(sources=sources), StateEvent(stage="generate")]
        if activity.info().attempt == 1:
            return opening
        earlier = (await self._catalog.question_events.after({question_id: 0})).get(question_id, [])
        return [ResetEvent(), *(event for event in opening if event not in earlier)]

    async def _extract(self, context: AnswerContext, text: StreamedText, fallback: Fallback | None = None) -> Answered:
        """The sentences that answer, word for word; ``fallback`` is why they are not generated."""
        began = time.perf_counter()
        scored = await score_sentences(context, self._vectors)
        took = {"weigh": _since(began)}
        answered = respond(context, text, scored, fallback)
        return msgspec.structs.replace(answered, milliseconds=took)

    async def _generate(self, key: str, context: AnswerContext, text: StreamedText) -> Answered:
        """The language model's sentences that the sources support.

        Generation runs while sentences are scored. Where the best passage alone tells that there is an answer, the
        first words are streamed at once; otherwise they wait for the scores, and are dropped when these tell that
        there is none.
        """
        began = time.perf_counter()
        took: dict[str, int] = {}
        pending = await self._prefetch.claim(key, context.found)
        checker = GroundingChecker(context, self._vectors, pending.used, rephrased=self._settings.rephrases)
        stream = GroundedStream(checker, text)
        clear = is_clearly_answerable(context)
        async with asyncio.TaskGroup() as group, pending.tokens as tokens:
            scoring = None if clear else group.create_task(score_sentences(context, self._vectors))
            if scoring is not None and not is_answerable(context, await scoring):
                return _refuse(context, text, await scoring, mode="generative")
            async for piece in tokens:
                took.setdefault("first_token", _since(began))
                await stream.add(piece)
                report(tokens.count)
                if tokens.count > 1:  # the first words are on their way to the reader
                    scoring = scoring or group.create_task(score_sentences(context, self._vectors))
            written = await stream.finish(cut=pending.is_cut)
            took["generate"] = _since(began)
            scored = await scoring if scoring else await score_sentences(context, self._vectors)
        if self._is_to_the_point(context.question, stream.grounded, scored):
            citations = _citations(context, stream.grounded)
            answered = Answered(answer=written, citations=citations, mode="generative", found=True)
        else:
            answered = respond(context, text, scored, "unsupported")
        return msgspec.structs.replace(
            answered,
            tokens=pending.ending.tokens or tokens.count,
            prompt_tokens=pending.ending.prompt_tokens or 0,
            withheld=stream.ungrounded,
            model=(pending.ending.model or self._settings.model or BUNDLED)[:MODEL_CHARACTERS],
            prompt_version=PROMPT_VERSION,
            milliseconds=took,
        )

    def _is_to_the_point(self, question: str, grounded: Sequence[GroundedSentence], scored: Sequence[Sentence]) -> bool:
        """Whether a generated sentence gives what is asked for, from the place of the best sentence.

        A true sentence is not enough: small models, which must not rephrase, often answer another question.
        """
        return any(
            gives_what_is_asked(question, one.text)
            and one.place == best.source
            and (best.text in one.quote or one.quote in best.text)
            and (self._settings.rephrases or tells_what_it_answers(question, one.text))
            for one in grounded
            for best in scored[:1]
        )


def respond(
    context: AnswerContext, text: StreamedText, scored: Sequence[Sentence], fallback: Fallback | None = None
) -> Answered:
    """The quotes that answer, or that there are none."""
    mode: AnswerMode = "generative" if fallback else "extractive"
    if not is_answerable(context, scored):
        return _refuse(context, text, scored, mode)
    scored = most_fitting(context, scored)
    if (lacking := missing(context, scored)) is not None:
        return _refuse(context, text, scored, mode, lacking)
    return _quote(context, text, scored, fallback)


def _quote(
    context: AnswerContext, text: StreamedText, scored: Sequence[Sentence], fallback: Fallback | None
) -> Answered:
    """The best sentences, each with the number of its source."""
    found = excerpts(context, scored)
    answer, language = "", reply_language(context.question)
    for one in found:
        lines = [without_numbers(line) for line in one.lines or [citation.quote for citation in one.citations]]
        if one.more:
            lines.append(MORE[language].format(count=one.more))
        answer += f"{chr(10) * 2 if answer else ''}{chr(10).join(lines)} [{one.citations[0].n}]"
        text.set(answer)
    text.set(answer)  # without quotes, what was written before is taken back
    citations = [citation for one in found for citation in one.citations]
    return Answered(answer=answer, citations=citations, mode="extractive", found=True, fallback=fallback)


def _refuse(
    context: AnswerContext,
    text: StreamedText,
    scored: Sequence[Sentence],
    mode: AnswerMode,
    lacking: Missing | None = None,
) -> Answered:
    """That the documents do not hold the answer, in the question's language, with the nearest passages.

    What there is of the same kind is named, where a table tells.
    """
    language = reply_language(context.question)
    nearest = quotes(context, scored)
    said = NOT_FOUND[language]
    if lacking is not None and lacking.there:
        said = _what_is_there(lacking, language)
    text.set(said + (NEAREST[language] if nearest else ""))
    return Answered(answer=text.text, citations=nearest, mode=mode, found=False)


def _what_is_there(lacking: Missing, language: str) -> str:
    """Which things of the kind the documents have, and which not."""
    comma = ITEMS_JOINED[language]
    shown, others = lacking.there[:NAMED_ROWS], max(0, len(lacking.there) - NAMED_ROWS)
    there = comma.join(without_numbers(one) for one in shown)
    if others:
        there += " " * (language == "en") + MORE[language].format(count=others)
    return INSTEAD[language].format(there=there, missing=comma.join(lacking.words))


def _citations(context: AnswerContext, grounded: Sequence[GroundedSentence]) -> list[Citation]:
    """The quotes behind the sentences, each once, by the number of their source."""
    cited = {(one.place, one.quote): context.citation(one.place, one.quote) for one in grounded}
    return sorted(cited.values(), key=lambda one: one.n)


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)
