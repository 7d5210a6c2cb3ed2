"""Embeddings for a client of the OpenAI API: the platform's embedding model turns texts into vectors."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from activities.errors import InvalidRequest, ModelNotServed, NotFound
from activities.phrases import Phrase
from activities.stores.catalog.catalog import Catalog
from activities.stores.triton import Triton
from activities.stores.vectors import Vectors
from api.openai.schemas import Embedding, EmbeddingList, EmbeddingRequest, EmbeddingUsage

#: Texts of one request, and tokens of all of them: OpenAI's own limits.
MAX_TEXTS, MAX_TOKENS = 2048, 300_000


async def embed(data: EmbeddingRequest, triton: Triton, catalog: Catalog) -> EmbeddingList:
    """Vectors of the request's texts, by the default embedding model or one that an index uses.

    Raises NotFound for another model, InvalidRequest for texts it cannot embed.
    """
    try:
        model = await triton.named(data.model)
    except ModelNotServed as exc:
        raise NotFound(kind="model", id=data.model) from exc
    default = (await triton.card()).fingerprint
    if model.fingerprint != default and model.fingerprint not in await catalog.generations.models_in_use():
        raise NotFound(kind="model", id=data.model)  # loading it would be anybody's to ask
    card = await triton.card(model)
    if data.dimensions not in (None, card.dimension):
        raise InvalidRequest(detail=Phrase.DIMENSIONS, dimensions=card.dimension, param="dimensions")
    prefix = card.prompts.get(data.input_type, "")
    texts = [prefix + text for text in _texts(data.input)]
    tokenizer = await triton.tokenizer(model)
    encodings = await asyncio.to_thread(tokenizer.encode_batch, texts)
    tokens = _counted([len(encoding.ids) for encoding in encodings], card.max_tokens)
    vectors: list[Vectors] = []
    urgent = len(texts) == 1  # the query of a search
    for start in range(0, len(texts), card.batch_size):
        vectors += list(await triton.embed(texts[start : start + card.batch_size], urgent=urgent, model=model))
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
