"""The OpenAI-compatible API: a knowledge base is a model that answers from documents.

``POST /v1/chat/completions``: ``model`` is a knowledge base. The last message is the question, the ones before it
are the conversation; nothing is taken from the platform's own conversations, and the question is in none that is
listed. What the answer stands on is in the extension field ``holdfast``. Errors have OpenAI's shape.

``POST /v1/vector_stores/{id}/search``: passages of a knowledge base, whose name is the id.

``POST /v1/embeddings``: the platform's embedding model. Texts are embedded as passages unless ``input_type`` says
``query``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar import Controller, Request, Response, get, post
from litestar.openapi import ResponseSpec

from activities.errors import Canceled, InvalidRequest
from activities.phrases import Phrase
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Principal
from activities.stores.connections import Stores
from api.http.access import Access, needs
from api.http.bodies import OPENAI_MAX_BODY_BYTES
from api.http.described import AlsoStreams
from api.http.language import language_of
from api.openai import views
from api.openai.chat import Chat
from api.openai.embeddings import embed
from api.openai.messages import parse_messages
from api.openai.schemas import (
    ChatOptions,
    ChatRequest,
    Completion,
    EmbeddingList,
    EmbeddingRequest,
    Model,
    ModelList,
    RankingOptions,
    SearchOptions,
    VectorStoreResults,
    VectorStoreSearch,
)
from api.questions.asking import Asking
from api.questions.searching import Searching
from api.questions.views import search_filter

AnyRequest = Request[Any, Any, Any]
T = TypeVar("T")

ASKS = needs("reader", "knowledge_base", at="model")


class OpenAIController(Controller):
    path = "/v1"
    tags = ["OpenAI-compatible"]
    request_max_body_size = OPENAI_MAX_BODY_BYTES

    @post(
        "/chat/completions",
        status_code=200,
        access=needs("reader"),  # … and ASKS, of the knowledge base that the body names
        summary="Ask a knowledge base; `stream` sends the answer as it is written",
        responses={200: ResponseSpec(Completion, generate_examples=False, description="The answer, whole or streamed")},
        operation_class=AlsoStreams,
    )
    async def chat(
        self,
        data: ChatRequest,
        request: AnyRequest,
        catalog: Catalog,
        access: Access,
        stores: Stores,
        asking: Asking,
        settings: Settings,
        principal: Principal,
    ) -> Response[Any]:
        if data.n not in (None, 1):
            raise InvalidRequest(detail=Phrase.ONE_ANSWER, param="n")
        record = await access.named(principal, ASKS, data.model)
        access.note(request.scope, record)
        asked = parse_messages(data.messages)
        options = data.holdfast or ChatOptions()
        query = await asking.check(record, asked.question, options.documents, search_filter(options.filter))
        await asking.ensure_available()
        tokenizer = await stores.triton.tokenizer()
        question = await asking.ask(
            query,
            principal.subject,
            mode=options.mode,
            history=asked.turns,
            wait_for_index=options.wait_for_index,
            listed=False,
        )
        prompt = "\n".join(each.content for each in data.messages if isinstance(each.content, str))
        lists = (options.sources or settings.api.chat_sources) == "text"
        chat = Chat(
            asking,
            catalog,
            question,
            record.name,
            tokenizer,
            prompt,
            lists_sources_at=settings.page_url if lists else None,
        )
        limit = record.answers.max_tokens or settings.generate.max_tokens
        if not data.stream:
            return Response(await unless_gone(request, chat.completion(limit)))
        counted = data.stream_options is not None and data.stream_options.include_usage
        return await unless_gone(request, chat.stream(limit, counted, language_of(request)))

    @post(
        "/vector_stores/{kb:str}/search",
        status_code=200,
        access=needs("reader", "knowledge_base"),
        summary="Search a knowledge base, as a vector store",
    )
    async def search(
        self,
        data: VectorStoreSearch,
        request: AnyRequest,
        knowledge_base: KnowledgeBase,
        searching: Searching,
    ) -> VectorStoreResults:
        if data.filters is not None:
            raise InvalidRequest(detail=Phrase.OWN_FILTER, param="filters")
        wanted = [data.query] if isinstance(data.query, str) else data.query
        options, ranking = data.holdfast or SearchOptions(), data.ranking_options or RankingOptions()
        found = await searching.passages(
            request.scope,
            knowledge_base,
            "\n".join(wanted),
            data.max_num_results,
            mode=options.mode,
            documents=options.documents,
            filter=options.filter,
            least_score=ranking.score_threshold,
        )
        return VectorStoreResults(search_query=wanted, data=[views.result(passage) for passage in found])

    @get("/models", access=needs("reader"), summary="List the knowledge bases as models")
    async def models(self, catalog: Catalog, access: Access, principal: Principal) -> ModelList:
        found: list[KnowledgeBase] = []
        while page := await catalog.knowledge_bases.page(found[-1].name if found else None, 1000):
            found += page
        return ModelList(data=[views.model(record) for record in await access.readable(principal, found)])

    @get("/models/{model:str}", access=ASKS, summary="Get a knowledge base as a model")
    async def model(self, knowledge_base: KnowledgeBase) -> Model:
        return views.model(knowledge_base)

    @post("/embeddings", status_code=200, access=needs("reader"), summary="Embed texts")
    async def embeddings(self, data: EmbeddingRequest, request: AnyRequest, stores: Stores) -> EmbeddingList:
        return await unless_gone(request, embed(data, stores.triton, stores.catalog))


async def unless_gone(request: AnyRequest, work: Coroutine[Any, Any, T]) -> T:
    """What comes of the work, which is canceled when the client leaves before."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Canceled()  # the client has left
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: AnyRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
