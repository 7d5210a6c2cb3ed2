"""One answer for a client of the OpenAI API: the events of a question's run become a completion, or its chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from litestar.response import Stream
from tokenizers import Tokenizer

from activities.contracts.answers import Source
from activities.contracts.events import DeltaEvent, DoneEvent, ResetEvent, SourcesEvent
from activities.errors import HoldfastError, Language
from activities.phrases import Bilingual
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Question
from activities.text.scripts import query_language, reply_language
from api.http.markup import harmless
from api.http.problems import openai_error
from api.http.sse import Data, event_stream
from api.openai import views
from api.openai.schemas import (
    AnswerMessage,
    Choice,
    Chunk,
    ChunkChoice,
    Completion,
    Delta,
    FinishReason,
    Usage,
)
from api.questions.asking import Answer, Asking
from api.questions.source_list import answer_text, cited_sources, source_list

#: Seconds for which a stream's status is held back: an error that comes before the first word still has its own.
HOLD_SECONDS = 5.0


class Separator(Bilingual):
    """What stands between text that was sent and the answer, when it turned out to be another one."""

    CHECKED = ("[the answer, checked]", "[核对后的回答]")


DONE = Data(b"[DONE]")


class Sent:
    """The text that a client of a stream has: it can grow, and nothing of it can be taken back.

    So a sentence is sent when it was held against the sources, which is when the number of its source is there:
    what the language model is just writing may turn out to be in none of them. An answer that starts over
    (``reset``) repeats nothing; where it says something else, nothing more is sent until it is complete.
    """

    def __init__(self) -> None:
        self.text, self._now = "", ""

    def take(self, event: DeltaEvent | ResetEvent) -> str:
        """What is to be sent now."""
        if isinstance(event, ResetEvent):
            self._now = ""
            return ""
        self._now += event.text
        checked = max((marker.end() for marker in views.MARKER.finditer(self._now)), default=0)
        return self._grow(self._now[:checked])

    def finish(self, answer: str, language: str) -> str:
        """What is left to be sent, so that the client's text ends with the answer."""
        if answer.startswith(self.text):
            return self._grow(answer)
        return f"\n\n{Separator.CHECKED.render('zh' if language == 'zh' else 'en')}\n\n{answer}"

    def _grow(self, whole: str) -> str:
        if not whole.startswith(self.text):
            return ""
        piece, self.text = whole[len(self.text) :], whole
        return piece


class Chat:
    """A question that is being answered; leaving before its end cancels it.

    ``lists_sources_at`` is the address of the web page, with which the sources are listed at the end of the text.
    """

    def __init__(
        self,
        asking: Asking,
        catalog: Catalog,
        question: Question,
        model: str,
        tokenizer: Tokenizer,
        prompt: str,
        *,
        lists_sources_at: str | None = None,
    ) -> None:
        self._asking, self._catalog, self._question = asking, catalog, question
        self._tokenizer, self._prompt = tokenizer, prompt
        self._page_url = lists_sources_at
        self._text = harmless if lists_sources_at is None else answer_text
        self._model = model
        self._head = {"id": f"chatcmpl-{question.id}", "created": int(question.created_at.timestamp()), "model": model}
        self._begun = False

    async def completion(self, limit: int | None) -> Completion:
        """The whole answer; ``limit`` is the length at which it is cut, in tokens. Raises what ended it instead."""
        answer = await self._asking.answer(self._question)
        usage = await self._usage(answer.done)
        content = self._text(answer.done.answer)
        message = AnswerMessage(
            content=content + self._sources(content, answer.done),
            holdfast=views.answer_extension(self._question, answer),
            annotations=views.file_citations(content, 0, answer.done.citations),
        )
        choice = Choice(message=message, finish_reason=_reason(answer.done, usage, limit))
        return Completion(**self._head, choices=[choice], usage=usage)  # type: ignore[arg-type]

    async def stream(self, limit: int | None, include_usage: bool, language: Language) -> Stream:
        """The answer as it comes. Raises what ended it before its first word."""
        pieces = self._pieces(limit, include_usage, language)
        first = asyncio.ensure_future(anext(pieces))
        try:
            await asyncio.wait({first}, timeout=HOLD_SECONDS)
            if first.done():
                first.result()  # raises what ended it
            self._begun = True
        finally:
            if not self._begun:
                first.cancel()
        return event_stream(_after(first, pieces))

    async def _pieces(self, limit: int | None, include_usage: bool, language: Language) -> AsyncIterator[Data]:
        sent = Sent()
        text_language = query_language(self._question.question)
        usage = None if include_usage else msgspec.UNSET
        sources: list[Source] = []
        whole = ""
        try:
            async for event in self._asking.attend(self._question):
                match event:
                    case SourcesEvent():
                        sources = event.sources
                        continue
                    case DeltaEvent() | ResetEvent():
                        text = sent.take(event)
                    case DoneEvent():
                        text = sent.finish(event.answer, text_language)
                    case _:
                        continue
                if text:
                    # It ends behind a source's number, or is the last one: nothing is cut in two.
                    text = self._text(text)
                    delta = Delta(content=text) if whole else Delta(role="assistant", content=text)
                    yield self._chunk(delta, usage=usage)
                    whole += text
                if isinstance(event, DoneEvent):
                    counted = await self._usage(event)
                    reason = _reason(event, counted, limit)
                    grounds = views.answer_extension(self._question, Answer(event, sources))
                    begin = len(whole) - len(self._text(event.answer))
                    marks = views.file_citations(whole, max(begin, 0), event.citations)
                    if listed := self._sources(whole, event):
                        yield self._chunk(Delta(content=listed), usage=usage)
                    yield self._chunk(Delta(holdfast=grounds, annotations=marks), reason, usage)
                    if include_usage:
                        yield _data(Chunk(**self._head, choices=[], usage=counted))  # type: ignore[arg-type]
                    yield DONE
        except HoldfastError as exc:
            if not self._begun:
                raise
            yield _data(openai_error(exc, language))

    def _sources(self, text: str, done: DoneEvent) -> str:
        """The list of the sources behind ``text``, in the answer's language; empty where none is wanted."""
        if self._page_url is None:
            return ""
        sources = cited_sources(done.citations, self._model, self._page_url)
        return source_list(text, sources, reply_language(self._question.question))

    def _chunk(
        self, delta: Delta, reason: FinishReason | None = None, usage: msgspec.UnsetType | None = msgspec.UNSET
    ) -> Data:
        choice = ChunkChoice(delta=delta, finish_reason=reason)
        return _data(Chunk(**self._head, choices=[choice], usage=usage))  # type: ignore[arg-type]

    async def _usage(self, done: DoneEvent) -> Usage:
        encodings = await asyncio.to_thread(self._tokenizer.encode_batch, [self._prompt, done.answer])
        written = 0
        if done.mode == "generative":
            written = (await self._catalog.audit.question(self._question.id))["tokens"]
        prompt, answer = (len(encoding.ids) for encoding in encodings)
        return views.usage(prompt, written or answer)


async def _after(first: asyncio.Future[Data], pieces: AsyncIterator[Data]) -> AsyncIterator[Data]:
    try:
        yield await first
        async for piece in pieces:
            yield piece
    finally:
        first.cancel()


def _data(body: object) -> Data:
    return Data(msgspec.json.encode(body))


def _reason(done: DoneEvent, usage: Usage, limit: int | None) -> FinishReason:
    """``length`` when a language model wrote as much as it was allowed to."""
    cut = done.mode == "generative" and limit is not None and usage.completion_tokens >= limit
    return "length" if cut else "stop"
