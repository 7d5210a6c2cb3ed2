"""The OpenAI-compatible API: a knowledge base is a model that answers from documents.

``POST /v1/chat/completions``: ``model`` is a knowledge base. The last message is the question, the ones before it
are the conversation; nothing is taken from the platform's own conversations, and the question is in none that is
listed. What the answer stands on is in the extension field ``holdfast``. Errors have OpenAI's shape.

``POST /v1/embeddings``: the platform's embedding model. Texts are embedded as passages unless ``input_type`` says
``query``.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import numpy as np
from litestar import Controller, Request, Response, get, post
from litestar.openapi import ResponseSpec

from activities.contracts import Turn
from activities.errors import Canceled, InvalidRequest, NotFound
from activities.phrases import Phrase
from activities.registry import Stores
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Principal
from activities.stores.triton import Vectors
from api.access import Access, needs
from api.errors import OPENAI_MAX_BODY_BYTES, language_of
from api.openai_chat import Chat
from api.openai_messages import said
from api.questions import checked_question, default_mode, withdrawn_unless_started
from api.schemas_openai import (
    ChatOptions,
    ChatRequest,
    Completion,
    Embedding,
    EmbeddingList,
    EmbeddingRequest,
    EmbeddingUsage,
    Model,
    ModelList,
)
from workflows.connect import Jobs
from workflows.contracts import QuestionJob

AnyRequest = Request[Any, Any, Any]
T = TypeVar("T")

ASKS = needs("reader", "knowledge_base", at="model")

#: Texts of one request, and tokens of all of them: OpenAI's own limits.
MAX_TEXTS, MAX_TOKENS = 2048, 300_000


class OpenAIController(Controller):
    path = "/v1"
    tags = ["OpenAI-compatible"]
    request_max_body_size = OPENAI_MAX_BODY_BYTES

    @post(
        "/chat/completions",
        status_code=200,
        access=needs("reader"),  # … and ASKS, of the knowledge base that the body names
        summary="Ask a knowledge base; `stream` sends the answer as it is written",
        responses={200: ResponseSpec(Completion, generate_examples=False)},
    )
    async def chat(
        self,
        data: ChatRequest,
        request: AnyRequest,
        catalog: Catalog,
        access: Access,
        stores: Stores,
        jobs: Jobs,
        settings: Settings,
        principal: Principal,
    ) -> Response[Any]:
        if data.n not in (None, 1):
            raise InvalidRequest(detail=Phrase.ONE_ANSWER, param="n")
        record = await access.named(principal, ASKS, data.model)
        asked = said(data.messages)
        text = checked_question(asked.question, settings)
        options = data.holdfast or ChatOptions()
        await catalog.searching.known(record.id, options.documents)
        await asyncio.gather(stores.triton.ping(), stores.milvus.ping())  # a question would wait for them
        tokenizer = await stores.triton.tokenizer()
        mode = options.mode or record.answers.mode or default_mode(settings)
        question = await catalog.questions.create(record.id, text, mode, None, principal.subject, listed=False)
        async with withdrawn_unless_started(catalog, question.id):
            job = QuestionJob(
                question_id=question.id,
                knowledge_base_id=record.id,
                knowledge_base=record.name,
                question=text,
                mode=mode,
                actor=principal.subject,
                history_key=await _history(stores.blobs, question.id, asked.turns),
                wait_for_index=options.wait_for_index,
                quiet=True,
                at_once=True,
                documents=options.documents,
                filter=options.filter,
            )
            await jobs.answer(job)
        prompt = "\n".join(each.content for each in data.messages if isinstance(each.content, str))
        chat = Chat(jobs, catalog, question, record.name, tokenizer, prompt)
        limit = record.answers.max_tokens or settings.generate.max_tokens
        if not data.stream:
            return Response(await unless_gone(request, chat.completion(limit)))
        counted = data.stream_options is not None and data.stream_options.include_usage
        return await unless_gone(request, chat.stream(limit, counted, language_of(request)))

    @get("/models", access=needs("reader"), summary="List the knowledge bases as models")
    async def models(self, catalog: Catalog, access: Access, principal: Principal) -> ModelList:
        found: list[KnowledgeBase] = []
        while page := await catalog.knowledge_bases.page(found[-1].name if found else None, 1000):
            found += page
        return ModelList(data=[_model(record) for record in await access.readable(principal, found)])

    @get("/models/{model:str}", access=ASKS, summary="Get a knowledge base as a model")
    async def model(self, knowledge_base: KnowledgeBase) -> Model:
        return _model(knowledge_base)

    @post("/embeddings", status_code=200, access=needs("reader"), summary="Embed texts")
    async def embeddings(self, data: EmbeddingRequest, request: AnyRequest, stores: Stores) -> EmbeddingList:
        return await unless_gone(request, _embeddings(data, stores))


async def unless_gone(request: AnyRequest, work: Coroutine[Any, Any, T]) -> T:
    """What comes of the work, which is canceled when the client leaves before."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Canceled()  # nobody reads it any more
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: AnyRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _history(blobs: Blobs, question_id: str, turns: list[Turn]) -> str | None:
    """The blob with what was said before; None if nothing was."""
    if not turns:
        return None
    key = f"questions/{question_id}/history"
    await blobs.save(key, turns)
    return key


def _model(record: KnowledgeBase) -> Model:
    return Model(id=record.name, created=int(record.created_at.timestamp()), owned_by=record.created_by)


async def _embeddings(data: EmbeddingRequest, stores: Stores) -> EmbeddingList:
    card = await stores.triton.card()
    if data.model != card.model:
        raise NotFound(kind="model", id=data.model)
    if data.dimensions not in (None, card.dimension):
        raise InvalidRequest(detail=Phrase.DIMENSIONS, dimensions=card.dimension, param="dimensions")
    prefix = card.prompts.get(data.input_type, "")
    texts = [prefix + text for text in _texts(data.input)]
    tokenizer = await stores.triton.tokenizer()
    encodings = await asyncio.to_thread(tokenizer.encode_batch, texts)
    tokens = _counted([len(encoding.ids) for encoding in encodings], card.max_tokens)
    vectors: list[Vectors] = []
    urgent = len(texts) == 1  # the query of a search
    for start in range(0, len(texts), card.batch_size):
        vectors += list(await stores.triton.embed(texts[start : start + card.batch_size], urgent=urgent))
    as_text = data.encoding_format == "base64"
    return EmbeddingList(
        data=[
            Embedding(index=index, embedding=_base64(vector) if as_text else vector.tolist())
            for index, vector in enumerate(vectors)
        ],
        model=card.model,
        usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _texts(input: str | list[Any]) -> list[str]:
    """The texts of a request. Raises InvalidRequest."""
    texts = [input] if isinstance(input, str) else input
    if not texts or len(texts) > MAX_TEXTS:
        raise InvalidRequest(detail=Phrase.TEXT_COUNT, limit=MAX_TEXTS, param="input")
    for text in texts:
        if not isinstance(text, str):
            raise InvalidRequest(detail=Phrase.NOT_TOKENS, param="input")
        if not text.strip():
            raise InvalidRequest(detail=Phrase.TEXT_EMPTY, param="input")
    return texts


def _counted(tokens: Sequence[int], limit: int) -> int:
    """How many tokens there are. Raises InvalidRequest for a text that the model could not read to its end."""
    for index, count in enumerate(tokens):
        if count > limit:
            raise InvalidRequest(detail=Phrase.TEXT_TOO_LONG, index=index, count=count, limit=limit, param="input")
    if sum(tokens) > MAX_TOKENS:
        raise InvalidRequest(detail=Phrase.TEXTS_TOO_LONG, count=sum(tokens), limit=MAX_TOKENS, param="input")
    return sum(tokens)


def _base64(vector: Vectors) -> str:
    return base64.b64encode(np.ascontiguousarray(vector, "<f4").tobytes()).decode()
