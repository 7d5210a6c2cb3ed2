"""Search and questions."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Controller, Request, get, post
from litestar.response import Stream

from activities.retrieve import Retriever
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import Feedback, Principal
from api.asking import Asking
from api.errors import language_of
from api.question_events import messages, resume_offset
from api.schemas_questions import (
    AskRequest,
    FeedbackRequest,
    IndexState,
    QuestionAccepted,
    QuestionInfo,
    SearchHit,
    SearchRequest,
    SearchResponse,
)
from api.sse import event_stream

AnyRequest = Request[Any, Any, Any]


class SearchController(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}"
    tags = ["Search and questions"]

    @post("/search", status_code=200, summary="Find passages")
    async def search(
        self, kb: str, data: SearchRequest, catalog: Catalog, retriever: Retriever, asking: Asking
    ) -> SearchResponse:
        record = await catalog.knowledge_bases.get(kb)
        query = await asking.check(record, data.query, data.documents, data.filter)
        found, pending = await asyncio.gather(
            retriever.search(record.id, query.text, data.limit, data.mode, query.documents, query.filter),
            catalog.pending.of(record.id),
        )
        hits = [SearchHit.of(passage) for passage in found.passages]
        return SearchResponse(hits=hits, index=IndexState.of(pending))

    @post("/questions", status_code=202, summary="Ask a question")
    async def ask(
        self, kb: str, data: AskRequest, catalog: Catalog, asking: Asking, principal: Principal
    ) -> QuestionAccepted:
        record = await catalog.knowledge_bases.get(kb)
        query = await asking.check(record, data.question, data.documents, data.filter)
        asked = asking.ask(
            query,
            principal.subject,
            mode=data.mode,
            conversation_id=data.conversation_id,
            wait_for_index=data.wait_for_index,
            listed=data.listed,
        )
        question, pending = await asyncio.gather(asked, catalog.pending.of(record.id))
        return QuestionAccepted.of(question, IndexState.of(pending))


class QuestionController(Controller):
    path = "/api/v1/questions/{id:str}"
    tags = ["Search and questions"]

    @get(summary="A question and what came of it")
    async def show(self, id: str, request: AnyRequest, asking: Asking, principal: Principal) -> QuestionInfo:
        return QuestionInfo.of(await asking.get(id, principal.subject), language_of(request))

    @get("/events", summary="The answer as it comes, as server-sent events; resumes after Last-Event-ID")
    async def events(self, id: str, request: AnyRequest, asking: Asking, principal: Principal) -> Stream:
        question = await asking.get(id, principal.subject)
        offset = await resume_offset(asking, question, request.headers.get("last-event-id"))
        return event_stream(messages(asking.follow(question, offset), language_of(request)))

    @post("/cancel", status_code=202, summary="Stop answering")
    async def cancel(self, id: str, request: AnyRequest, asking: Asking, principal: Principal) -> QuestionInfo:
        question = await asking.get(id, principal.subject)
        await asking.cancel(question)
        return QuestionInfo.of(question, language_of(request))

    @post("/feedback", status_code=200, summary="Say what you think of the answer; the last word counts")
    async def feedback(
        self,
        id: str,
        data: FeedbackRequest,
        request: AnyRequest,
        asking: Asking,
        catalog: Catalog,
        principal: Principal,
    ) -> QuestionInfo:
        await asking.get(id, principal.subject)
        feedback = Feedback(rating=data.rating, comment=(data.comment or "").strip() or None)
        rated = await catalog.questions.rate(id, feedback, principal.subject)
        return QuestionInfo.of(rated, language_of(request))
