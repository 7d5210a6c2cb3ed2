"""The answer step: quoted sentences (``extractive``) or written text (``generative``), as a stream of events."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from temporalio import activity

from activities.contracts import Answered, AnswerInput, Citation, RecordAnswerInput, Source
from activities.events import DeltaEvent, ResetEvent
from activities.evidence import (
    Sentence,
    choose,
    citation,
    embed_passages,
    is_answerable,
    split_sentences,
    weigh,
    words_of,
)
from activities.heartbeat import heartbeating, report
from activities.prompts import build_prompt, sampling
from activities.ranking import query_language
from activities.retrieve import SourceTexts
from activities.settings import GenerateSettings
from activities.stores.blobs import Blobs
from activities.stores.catalog import Catalog
from activities.stores.triton import ModelCard, Triton
from activities.streams import Publisher

#: What is said when the documents do not hold the answer; the nearest passages are shown beside it.
NOT_FOUND = {
    "en": "The documents do not seem to answer this question. The passages nearest to it are listed as sources.",
    "zh": "文档中似乎没有这个问题的答案。最接近的段落列在来源中。",
}

#: A written sentence is supported by a source sentence that is this similar, or that has this share of its words.
SUPPORT_COSINE = 0.90
SUPPORT_WORDS = 0.6

_MARKER = re.compile(r"\s*\[\d+\]")


class AnswerActivities:
    """Runs on the ``answer`` queue."""

    def __init__(self, blobs: Blobs, triton: Triton, catalog: Catalog, settings: GenerateSettings) -> None:
        self._blobs, self._triton, self._catalog, self._settings = blobs, triton, catalog, settings

    @activity.defn(name="answer")
    @heartbeating
    async def answer(self, job: AnswerInput) -> Answered:
        """Answer from the passages, or say honestly that they do not hold the answer."""
        found = await self._blobs.load(job.sources_key, SourceTexts)
        card = await self._triton.card()
        language = query_language(job.question)
        async with Publisher() as stream:
            if activity.info().attempt > 1:
                stream.publish(ResetEvent())
            sentences: list[Sentence] = []
            if found.vector:
                sentences = await weigh(
                    self._triton, card, job.question, found.question_vector(), found.texts, job.sources
                )
            if not is_answerable(card, language, job.similarity, sentences):
                text = NOT_FOUND.get(language, NOT_FOUND["en"])
                stream.publish(DeltaEvent(text=text))
                nearest = [citation(job.sources[s.source], s.text) for s in choose(sentences)] if sentences else []
                return Answered(answer=text, citations=nearest, mode=job.mode, found=False)
            if job.mode == "generative" and self._writes(language):
                return await self._generate(stream, job, found, card, sentences)
            return _quote(stream, job.sources, sentences)

    @activity.defn(name="record_answer")
    async def record_answer(self, job: RecordAnswerInput) -> None:
        """Write down what came of the question."""
        await self._catalog.questions.record(job)

    def _writes(self, language: str) -> bool:
        """Whether the language model writes this language; otherwise the answer is quoted."""
        languages = {code.strip() for code in self._settings.languages.split(",")}
        return "*" in languages or language in languages

    async def _generate(
        self, stream: Publisher, job: AnswerInput, found: SourceTexts, card: ModelCard, sentences: list[Sentence]
    ) -> Answered:
        used = await self._within_budget(found.texts)
        prompt = build_prompt(job.question, used, self._settings.prompt_format)
        pieces: list[str] = []
        async for piece in self._triton.generate(prompt, sampling(self._settings)):
            pieces.append(piece)
            stream.publish(DeltaEvent(text=piece))
            report(len(pieces), self._settings.max_tokens)
        text = "".join(pieces).strip()
        citations = await self._support(card, text, used, job.sources)
        if citations:
            return Answered(answer=text, citations=citations, mode="generative", found=True, tokens=len(pieces))
        # Nothing that was written is in a source: it is withheld, and the sources speak for themselves.
        stream.publish(ResetEvent())
        return _quote(stream, job.sources, sentences)

    async def _within_budget(self, texts: Sequence[str]) -> list[str]:
        """As many of the best passages as the prompt has room for; the first one always, cut if it must be."""
        tokenizer = await self._triton.tokenizer()
        left = self._settings.context_tokens
        used: list[str] = []
        for text in texts:
            encoding = tokenizer.encode(text, add_special_tokens=False)
            if len(encoding.ids) > left:
                if not used:
                    used.append(text[: encoding.offsets[left - 1][1]])
                break
            used.append(text)
            left -= len(encoding.ids)
        return used

    async def _support(
        self, card: ModelCard, text: str, used: Sequence[str], sources: Sequence[Source]
    ) -> list[Citation]:
        """For each written sentence the source sentence that says the same, if there is one."""
        written = [_MARKER.sub("", sentence) for sentence in split_sentences(text)]
        written = [sentence for sentence in written if words_of(sentence)]
        quoted = [(n, sentence) for n, passage in enumerate(used) for sentence in split_sentences(passage)]
        if not written or not quoted:
            return []
        mine = await embed_passages(self._triton, card, written)
        theirs = await embed_passages(self._triton, card, [sentence for _, sentence in quoted])
        cited: dict[tuple[int, str], Citation] = {}
        for sentence, cosines in zip(written, mine @ theirs.T, strict=True):
            best = int(np.argmax(cosines))
            words = words_of(sentence)
            shared = len(words & words_of(quoted[best][1])) / len(words)
            if (float(cosines[best]) >= SUPPORT_COSINE and shared >= SUPPORT_WORDS / 2) or shared >= SUPPORT_WORDS:
                n, quote = quoted[best]
                cited.setdefault((n, quote), citation(sources[n], quote))
        return sorted(cited.values(), key=lambda one: one.n)


def _quote(stream: Publisher, sources: Sequence[Source], sentences: Sequence[Sentence]) -> Answered:
    """The extractive answer: the best sentences, word for word, each with the number of its source."""
    citations = [citation(sources[sentence.source], sentence.text) for sentence in choose(sentences)]
    pieces = [f"{one.quote} [{one.n}]" for one in citations]
    for number, piece in enumerate(pieces):
        stream.publish(DeltaEvent(text=piece if number == 0 else f"\n\n{piece}"))
    return Answered(answer="\n\n".join(pieces), citations=citations, mode="extractive", found=True)
