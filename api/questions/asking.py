"""Asking: checks questions, starts their runs, follows their events, cancels and erases them.

Knows no protocol. Every face (the HTTP API, the OpenAI-compatible API) translates its requests into these calls, and
the events into what its clients read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from temporalio.client import WorkflowExecutionStatus

from activities.contracts.answers import AnswerMode, Source
from activities.contracts.events import DeltaEvent, DoneEvent, ErrorEvent, QuestionEvent, ResetEvent, SourcesEvent
from activities.contracts.ids import question_id
from activities.contracts.questions import Turn
from activities.contracts.search import SearchFilter
from activities.errors import (
    Canceled,
    DependencyError,
    HoldfastError,
    InvalidRequest,
    NotFound,
    QuestionTooLong,
    error_of,
)
from activities.phrases import Phrase
from activities.runtime import temporal
from activities.settings import Settings
from activities.stores.blob_keys import history_key, question_prefix
from activities.stores.catalog.records import KnowledgeBase, Question
from activities.stores.connections import Stores
from api.questions.streams import QuestionStreams
from api.questions.waits import Waits
from workflows.client.jobs import Jobs
from workflows.contracts import QuestionJob

#: Time within which the run of a recorded question has started.
START_TIME = timedelta(seconds=12)

log = structlog.get_logger()


@dataclass(frozen=True)
class Query:
    """A text to search for or to answer, and what to search: checked by ``Asking.check``.

    ``documents`` are ids of documents of the knowledge base; without any, all of them are searched.
    """

    knowledge_base: KnowledgeBase
    text: str
    documents: list[str]
    filter: SearchFilter | None


@dataclass(frozen=True)
class Answer:
    """A whole answer, and the passages that it was drawn from."""

    done: DoneEvent
    sources: list[Source]


class Asking:
    """The one way to a question's run, its events and its answer. Raises HoldfastErrors."""

    def __init__(self, stores: Stores, jobs: Jobs, settings: Settings) -> None:
        self._stores, self._catalog, self._jobs, self._settings = stores, stores.catalog, jobs, settings
        self._streams = QuestionStreams(stores.catalog.question_events)
        self._cancellations: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Finish what goes on in the background; the stores may be closed after it."""
        await asyncio.gather(self._streams.aclose(), *self._cancellations, return_exceptions=True)

    async def check(
        self,
        knowledge_base: KnowledgeBase,
        text: str,
        documents: Sequence[str] = (),
        filter: SearchFilter | None = None,
    ) -> Query:
        """The query, its text without surrounding space.

        Raises InvalidRequest for a text without a word, QuestionTooLong, and NotFound for a document that the
        knowledge base does not have.
        """
        text = text.strip()
        limit = self._settings.api.max_question_characters
        if not text:
            raise InvalidRequest(detail=Phrase.QUESTION_EMPTY)
        if len(text) > limit:
            raise QuestionTooLong(length=len(text), limit=limit)
        await self._catalog.search_scope.require(knowledge_base.id, documents)
        return Query(knowledge_base, text, list(documents), filter)

    async def ensure_available(self) -> None:
        """Raise a DependencyError where a question would wait for Triton or Milvus instead of being answered now."""
        await asyncio.gather(self._stores.triton.ping(), self._stores.milvus.ping())

    async def ask(
        self,
        query: Query,
        actor: str,
        *,
        mode: AnswerMode | None = None,
        conversation_id: str | None = None,
        history: Sequence[Turn] = (),
        wait_for_index: bool = False,
        listed: bool = True,
    ) -> Question:
        """Note the question and start its run; where that fails, nothing is left of it.

        ``history`` is what a client says was said before; it takes the place of the conversation's own turns.
        Without a ``mode`` the knowledge base's counts, then the platform's. Raises NotFound unless
        ``conversation_id`` is a conversation of ``actor`` on this knowledge base.
        """
        knowledge_base = query.knowledge_base
        mode = mode or knowledge_base.answers.mode or self._default_mode()
        question = await self._catalog.questions.create(
            knowledge_base.id, query.text, mode, conversation_id, actor, listed=listed
        )
        async with AsyncExitStack() as undo:  # also when the caller leaves: no row says "running" without a run
            undo.push_async_callback(self._catalog.questions.withdraw, question.id)
            job = QuestionJob(
                question_id=question.id,
                knowledge_base_id=knowledge_base.id,
                knowledge_base=knowledge_base.name,
                question=query.text,
                mode=mode,
                actor=actor,
                conversation_id=conversation_id,
                history_key=await self._save(history, question),
                wait_for_index=wait_for_index,
                documents=query.documents,
                filter=query.filter,
                hide_stages=True,
                local_activities=True,
                events_in_catalog=True,
            )
            await self._jobs.answer(job)
            undo.pop_all()
        return question

    async def length(self, question: Question) -> int | None:
        """How many events the question has now; None for a finished one whose events are kept no longer."""
        count = await self._catalog.question_events.count(question.id)
        return None if count == 0 and question.finished_at is not None else count

    async def follow(self, question: Question, offset: int = 0) -> AsyncIterator[tuple[int | None, QuestionEvent]]:
        """The events from ``offset`` on, each with its own offset, up to ``done`` or ``error``.

        They come from the record, without offsets, where a finished question has no event at ``offset``, and where
        its run is gone without an end. What the question waits for comes in between, without an offset as well, and
        so does its end. Raises NotFound when the question was deleted.
        """
        streamed, waits = self._streams.follow(question.id, offset), Waits(self._jobs.client, question.id)
        async with aclosing(streamed):  # type: ignore[type-var]
            if question.finished_at is None or (await self.length(question) or 0) > offset:
                async for event in streamed:
                    if event is not None:
                        waits.over(event)
                        yield offset, event
                        offset += 1
                    if isinstance(event, DoneEvent | ErrorEvent):
                        return
                    if event is None and await self._is_over(question, offset):
                        break
                    if event is None and (changed := await waits.changed()) is not None:
                        yield None, changed
        for event in recorded(await self._outcome(question.id)):
            yield None, event

    async def _is_over(self, question: Question, offset: int) -> bool:
        """Whether no event comes after ``offset``: the question is finished or deleted, or its run is gone."""
        try:
            if await self._is_running(question):
                return False
            return await self._catalog.question_events.count(question.id) <= offset
        except DependencyError:
            return False

    async def _is_running(self, question: Question) -> bool:
        """Whether its run goes on, or may still be about to start."""
        run = await temporal.describe(self._jobs.client, question_id(question.id))
        if run is None:
            return datetime.now(UTC) - question.created_at < START_TIME
        return run.status is WorkflowExecutionStatus.RUNNING

    async def _outcome(self, id: str) -> Question:
        """The record of a question whose stream has ended; where its run is gone, that it was interrupted."""
        question = await self._catalog.questions.get(id)
        if question.finished_at is None and not await self._is_running(question):
            await self._catalog.questions.interrupt(id)
            question = await self._catalog.questions.get(id)
        return question

    async def attend(self, question: Question) -> AsyncIterator[QuestionEvent]:
        """The events up to ``done``, for the one caller that waits for them: leaving earlier cancels the question.

        Raises what ended it instead of an answer; Canceled when it was deleted meanwhile.
        """
        last: QuestionEvent | None = None
        try:
            async for _, last in self.follow(question):
                if not isinstance(last, ErrorEvent):
                    yield last
        except NotFound as exc:
            raise Canceled() from exc
        finally:
            if not isinstance(last, DoneEvent | ErrorEvent):
                self._cancel_in_background(question)
        if isinstance(last, ErrorEvent):
            raise error_of(last.reason)

    async def answer(self, question: Question) -> Answer:
        """The whole answer; ``attend`` says what is raised, and what happens when the caller leaves."""
        sources: list[Source] = []
        async for event in self.attend(question):
            match event:
                case SourcesEvent():
                    sources = event.sources
                case DoneEvent():
                    return Answer(event, sources)
        raise HoldfastError()  # there is always one last event, or an error

    async def cancel(self, question: Question, actor: str) -> None:
        """Stop answering, because of ``actor``; a question that has its answer keeps it."""
        if await self._jobs.cancel(question_id(question.id), actor) and question.finished_at is None:
            await self._catalog.audit.control(actor, "question.cancel", question.knowledge_base_id, question.id)

    async def erase(self, id: str) -> None:
        """Remove what a deleted question left outside of the catalogue: its run with its history, and its blobs.

        Where one of them is down, `Reconcile` removes the blobs later, and Temporal the history when it expires.
        """
        try:
            await self._jobs.forget(question_id(id))
            for key in await self._stores.blobs.list(question_prefix(id)):
                await self._stores.blobs.delete(key)
        except DependencyError as exc:
            log.warning("a deleted question left something", question=id, reason=str(exc))

    def _default_mode(self) -> AnswerMode:
        """Quotes, unless a language model is named that is fit to write."""
        return "generative" if self._settings.generate.model else "extractive"

    async def _save(self, history: Sequence[Turn], question: Question) -> str | None:
        """The key of the blob with the turns; None without any."""
        if not history:
            return None
        key = history_key(question.id)
        await self._stores.blobs.save(key, history)
        return key

    def _cancel_in_background(self, question: Question) -> None:
        """A caller that is being canceled itself cannot wait for this."""
        task = asyncio.create_task(self.cancel(question, question.actor))
        self._cancellations.add(task)
        task.add_done_callback(self._cancellations.discard)


def recorded(question: Question) -> Iterator[QuestionEvent]:
    """The last events of a question, as its record tells them."""
    yield SourcesEvent(sources=question.sources)
    if question.answer is not None and question.found is not None:
        yield ResetEvent()  # a reader that resumes may have a part of it
        yield DeltaEvent(text=question.answer)
        yield DoneEvent(
            answer=question.answer,
            citations=question.citations,
            mode=question.mode,
            found=question.found,
            fallback=question.fallback,
            withheld=question.withheld,
        )
    else:
        yield ErrorEvent(reason=question.reason or HoldfastError().reason)
