"""Search and questions."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Controller, Request, get, post
from litestar.response import Stream

from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Feedback, KnowledgeBase, Principal, Question
from activities.telemetry import metrics
from api.http.access import needs
from api.http.described import streamed
from api.http.language import language_of
from api.http.sse import event_stream
from api.questions.asking import Asking
from api.questions.events import messages, resume_offset
from api.questions.schemas import (
    AskRequest,
    FeedbackRequest,
    QuestionAccepted,
    QuestionInfo,
    SearchRequest,
    SearchResponse,
)
from api.questions.searching import Searching
from api.questions.views import index_state, question_accepted, question_info, search_filter, search_hit

AnyRequest = Request[Any, Any, Any]

OWN = needs("reader", "question")

ANSWER = streamed(
    "`state` when a stage begins (`stage`: wait_for_index, retrieve, generate, record; `pending`, `eta_seconds` while "
    "it waits, `waiting_for` while something is down), `sources` with the passages, `delta` with the next piece of "
    "`text`, `reset` when the answer starts over, and at last `done` with the whole answer and its citations, or "
    "`error` with `code` and `message`.",
    id="3",
    event="delta",
    data='{"text": "Five days can be carried over [1]. "}',
)


class SearchController(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}"
    tags = ["Search and questions"]

    @post("/search", status_code=200, access=needs("reader", "knowledge_base"), summary="Search for passages")
    async def search(
        self,
        request: AnyRequest,
        knowledge_base: KnowledgeBase,
        data: SearchRequest,
        catalog: Catalog,
        searching: Searching,
    ) -> SearchResponse:
        passages, pending = await asyncio.gather(
            searching.passages(
                request.scope,
                knowledge_base,
                data.query,
                data.limit,
                mode=data.mode,
                documents=data.documents,
                filter=data.filter,
            ),
            catalog.backlog.of_knowledge_base(knowledge_base.id),
        )
        return SearchResponse(hits=[search_hit(passage) for passage in passages], index=index_state(pending))

    @post("/questions", status_code=202, access=needs("reader", "knowledge_base"), summary="Ask a question")
    async def ask(
        self, knowledge_base: KnowledgeBase, data: AskRequest, catalog: Catalog, asking: Asking, principal: Principal
    ) -> QuestionAccepted:
        query = await asking.check(knowledge_base, data.question, data.documents, search_filter(data.filter))
        asked = asking.ask(
            query,
            principal.subject,
            mode=data.mode,
            conversation_id=data.conversation_id,
            wait_for_index=data.wait_for_index,
            listed=data.listed,
        )
        question, pending = await asyncio.gather(asked, catalog.backlog.of_knowledge_base(knowledge_base.id))
        return question_accepted(question, pending)


class QuestionController(Controller):
    path = "/api/v1/questions/{id:str}"
    tags = ["Search and questions"]

    @get(access=OWN, summary="Get a question and its answer")
    async def show(self, question: Question, request: AnyRequest) -> QuestionInfo:
        return question_info(question, language_of(request))

    @get(
        "/events",
        access=OWN,
        summary="Stream the answer as server-sent events; resumes after Last-Event-ID",
        responses={200: ANSWER},
    )
    async def events(self, question: Question, request: AnyRequest, asking: Asking) -> Stream:
        offset = await resume_offset(asking, question, request.headers.get("last-event-id"))
        return event_stream(messages(asking.follow(question, offset), language_of(request)))

    @post("/cancel", status_code=202, access=OWN, summary="Cancel a question")
    async def cancel(
        self, question: Question, request: AnyRequest, asking: Asking, principal: Principal
    ) -> QuestionInfo:
        await asking.cancel(question, principal.subject)
        return question_info(question, language_of(request))

    @post(
        "/feedback",
        status_code=200,
        access=OWN,
        summary="Rate the answer; a later rating replaces an earlier one",
    )
    async def feedback(
        self, question: Question, data: FeedbackRequest, request: AnyRequest, catalog: Catalog, principal: Principal
    ) -> QuestionInfo:
        feedback = Feedback(rating=data.rating, comment=(data.comment or "").strip() or None)
        rated = await catalog.questions.rate(question.id, feedback, principal.subject)
        metrics.rated(data.rating)
        return question_info(rated, language_of(request))
