"""Search and questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.response import Stream
from temporalio.client import Client
from temporalio.service import RPCError

from activities.contracts import AnswerMode
from activities.errors import HoldfastError, InvalidRequest, Language, QuestionTooLong
from activities.events import DeltaEvent, DoneEvent, ErrorEvent, QuestionEvent, ResetEvent, SourcesEvent
from activities.phrases import Phrase
from activities.retrieve import Retriever
from activities.settings import Settings
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import Feedback, KnowledgeBase, Principal, Question
from activities.streams import length, subscribe
from activities.temporal import RunNotFound, translated
from api.access import needs
from api.errors import language_of
from api.schemas_questions import (
    AskRequest,
    CitationInfo,
    FeedbackRequest,
    IndexState,
    QuestionAccepted,
    QuestionInfo,
    SearchHit,
    SearchRequest,
    SearchResponse,
    SourceInfo,
)
from api.sse import Event, EventStream, event_stream, last_offset
from workflows.connect import Jobs
from workflows.contracts import QuestionJob, question_id

AnyRequest = Request[Any, Any, Any]

OWN = needs("reader", "question")


class SearchController(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}"
    tags = ["Search and questions"]

    @post("/search", status_code=200, access=needs("reader", "knowledge_base"), summary="Search for passages")
    async def search(
        self,
        knowledge_base: KnowledgeBase,
        data: SearchRequest,
        catalog: Catalog,
        retriever: Retriever,
        settings: Settings,
    ) -> SearchResponse:
        record = knowledge_base
        query = checked_question(data.query, settings)
        await catalog.searching.known(record.id, data.documents)
        found, pending = await asyncio.gather(
            retriever.search(record.id, query, data.limit, data.mode, data.documents, data.filter),
            catalog.pending.of(record.id),
        )
        hits = [SearchHit.of(passage) for passage in found.passages]
        return SearchResponse(hits=hits, index=IndexState.of(pending))

    @post("/questions", status_code=202, access=needs("reader", "knowledge_base"), summary="Ask a question")
    async def ask(
        self,
        knowledge_base: KnowledgeBase,
        data: AskRequest,
        catalog: Catalog,
        jobs: Jobs,
        settings: Settings,
        principal: Principal,
    ) -> QuestionAccepted:
        record = knowledge_base
        text = checked_question(data.question, settings)
        await catalog.searching.known(record.id, data.documents)
        mode = data.mode or record.answers.mode or default_mode(settings)
        question = await catalog.questions.create(
            record.id, text, mode, data.conversation_id, principal.subject, listed=data.listed
        )
        job = QuestionJob(
            question_id=question.id,
            knowledge_base_id=record.id,
            knowledge_base=record.name,
            question=text,
            mode=mode,
            actor=principal.subject,
            conversation_id=data.conversation_id,
            wait_for_index=data.wait_for_index,
            documents=data.documents,
            filter=data.filter,
            quiet=True,
            at_once=True,
        )
        async with withdrawn_unless_started(catalog, question.id):
            _, pending = await asyncio.gather(jobs.answer(job), catalog.pending.of(record.id))
        return QuestionAccepted.of(question, IndexState.of(pending))


class QuestionController(Controller):
    path = "/api/v1/questions/{id:str}"
    tags = ["Search and questions"]

    @get(access=OWN, summary="Get a question and its answer")
    async def show(self, question: Question, request: AnyRequest) -> QuestionInfo:
        return QuestionInfo.of(question, language_of(request))

    @get("/events", access=OWN, summary="Stream the answer as server-sent events; resumes after Last-Event-ID")
    async def events(self, question: Question, request: AnyRequest, catalog: Catalog, jobs: Jobs) -> Stream:
        offset = last_offset(request.headers.get("last-event-id"))
        if offset:
            await _within(jobs.client, question_id(question.id), offset)
        return event_stream(_messages(jobs.client, catalog, question, offset, language_of(request)))

    @post("/cancel", status_code=202, access=OWN, summary="Cancel a question")
    async def cancel(
        self, question: Question, request: AnyRequest, catalog: Catalog, jobs: Jobs, principal: Principal
    ) -> QuestionInfo:
        if await jobs.cancel(question_id(question.id), principal.subject) and question.finished_at is None:
            await catalog.trail.control(principal.subject, "question.cancel", question.knowledge_base_id, question.id)
        return QuestionInfo.of(question, language_of(request))

    @post("/feedback", status_code=200, access=OWN, summary="Rate the answer; a later rating replaces an earlier one")
    async def feedback(
        self, question: Question, data: FeedbackRequest, request: AnyRequest, catalog: Catalog, principal: Principal
    ) -> QuestionInfo:
        feedback = Feedback(rating=data.rating, comment=(data.comment or "").strip() or None)
        rated = await catalog.questions.rate(question.id, feedback, principal.subject)
        return QuestionInfo.of(rated, language_of(request))


@asynccontextmanager
async def withdrawn_unless_started(catalog: Catalog, question_id: str) -> AsyncIterator[None]:
    """Around the start of a question that was noted; without a run there is no question either."""
    try:
        yield
    except HoldfastError:
        await catalog.questions.withdraw(question_id)
        raise


def checked_question(text: str, settings: Settings) -> str:
    """The question without surrounding space. Raises QuestionTooLong and InvalidRequest."""
    text = text.strip()
    if not text:
        raise InvalidRequest(detail=Phrase.QUESTION_EMPTY)
    if len(text) > settings.api.max_question_characters:
        raise QuestionTooLong(length=len(text), limit=settings.api.max_question_characters)
    return text


def default_mode(settings: Settings) -> AnswerMode:
    """Quotes, until a language model is named that can be believed."""
    return "generative" if settings.generate.model else "extractive"


async def _within(client: Client, workflow_id: str, offset: int) -> None:
    """Raise InvalidRequest for an offset that no event of the stream can have had as its id."""
    try:
        events = await length(client, workflow_id)
    except RPCError:  # no run any more, or no worker to ask: what there is, is sent
        return
    if offset > events:
        raise InvalidRequest(detail=Phrase.FOREIGN_EVENT_ID, value=offset)


async def _messages(
    client: Client, catalog: Catalog, question: Question, offset: int, language: Language
) -> EventStream:
    try:
        async with translated():
            async for at, event in subscribe(client, question_id(question.id), offset):
                yield _message(event, at + 1, language)
                if isinstance(event, DoneEvent | ErrorEvent):
                    return
    except RunNotFound:
        pass
    # Temporal keeps it no longer, or the reader asked for what comes after its end.
    async for event in _recorded(await catalog.questions.get(question.id)):
        yield _message(event, None, language)


async def _recorded(question: Question) -> AsyncIterator[QuestionEvent]:
    """The end of a stream whose history Temporal no longer keeps."""
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


def _message(event: QuestionEvent, id: int | None, language: Language) -> Event:
    """The event as the API's readers know it: its name is its tag, every field is there."""
    match event:
        case SourcesEvent():
            body: object = {"sources": [SourceInfo.whole(source) for source in event.sources]}
        case DoneEvent():
            citations = [CitationInfo.whole(citation) for citation in event.citations]
            body = msgspec.structs.asdict(event) | {"citations": citations}
        case ErrorEvent():
            body = {"code": event.reason.code, "message": event.reason.render(language)}
        case _:
            body = msgspec.structs.asdict(event)
    name = str(type(event).__struct_config__.tag)
    return Event(name, body, id)
