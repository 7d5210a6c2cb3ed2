"""Triton Inference Server: embeddings and generated text, over gRPC.

The ``embed`` model serves its own description (``card``) and ``tokenizer``, so that clients need no model settings.
Tensor names are those of ``triton_models/*/config.pbtxt``; ``generate`` has the names of Triton's vLLM backend.
Errors: ``TritonUnavailable`` (retried) or ``ModelError`` (the model rejected its input).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import msgspec
import numpy as np
from tokenizers import Tokenizer
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from activities.errors import ModelError, TritonUnavailable
from activities.phrases import Phrase
from activities.stores.vectors import Vectors

EMBED_MODEL = "embed"
TEXT = "text"
EMBEDDING = "embedding"
CARD = "card"
TOKENIZER = "tokenizer"

RERANK_MODEL = "rerank"
QUERY = "query"
SCORE = "score"

GENERATE_MODEL = "generate"
TEXT_INPUT = "text_input"
STREAM = "stream"
SAMPLING_PARAMETERS = "sampling_parameters"
TEXT_OUTPUT = "text_output"

#: Request parameter that gives a question's embedding priority over bulk work.
URGENT = "urgent"

#: Pairs in one request (the maximum of the `rerank` model).
RERANK_BATCH = 64

#: Timeout of one embedding or rerank request, in seconds, and of an urgent one, which a person waits for.
EMBED_TIMEOUT = 120.0
URGENT_TIMEOUT = 20.0

#: In Triton's message, with status INTERNAL, when the process of a model has died. A new server follows.
_DEAD_MODEL = "is not healthy"

#: gRPC statuses that are retried. Triton returns UNAVAILABLE for a model that is loading.
_TRANSIENT = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "RESOURCE_EXHAUSTED", "UNKNOWN", "NOT_FOUND"}


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """The embedding model's description.

    ``fingerprint`` identifies the vector space: vectors are comparable if their fingerprints are equal. ``languages``
    are ISO 639-1 codes, empty when unknown. ``prompts`` are prefixes by use (``query``, ``passage``). ``batch_size``
    is the number of texts in one request that suits the device. ``found_threshold`` is, by language (``*`` for the
    others), the minimum similarity of passages that contain an answer (``activities.answering.extraction``).
    """

    model: str
    fingerprint: str
    dimension: int
    max_tokens: int
    batch_size: int
    languages: list[str] = []
    prompts: dict[str, str] = {}
    device: str = ""
    precision: str = ""
    found_threshold: dict[str, float] | None = None


@contextmanager
def _translated() -> Iterator[None]:
    """The error table: exceptions of the client → exceptions of this module, most specific first."""
    try:
        yield
    except InferenceServerException as exc:  # raised by unary calls
        raise _error(str(exc.status() or "").removeprefix("StatusCode."), exc.message()) from exc
    except grpc.aio.AioRpcError as exc:  # raised by streams
        raise _error(exc.code().name, exc.details()) from exc
    except (grpc.RpcError, ConnectionError, TimeoutError) as exc:
        raise TritonUnavailable(detail=type(exc).__name__) from exc


def _error(status: str, message: str | None) -> TritonUnavailable | ModelError:
    detail = (message or "no message").splitlines()[0][:200]
    outage = not status or status in _TRANSIENT or (status == "INTERNAL" and _DEAD_MODEL in detail)
    return TritonUnavailable(detail=detail) if outage else ModelError(detail=detail)


class Triton:
    """A narrow, typed client; to be created inside of a running event loop. ``reranks`` if a rerank model is served."""

    def __init__(self, address: str, *, reranks: bool = False) -> None:
        self.reranks = reranks
        options = [("grpc.max_receive_message_length", -1), ("grpc.initial_reconnect_backoff_ms", 500),
                   ("grpc.max_reconnect_backoff_ms", 3000)]  # fmt: skip
        self._client = InferenceServerClient(address, channel_args=options)
        self._card: ModelCard | None = None
        self._tokenizer: tuple[str, Tokenizer] | None = None
        self._fetching = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def ping(self) -> None:
        """Raises TritonUnavailable unless all models are ready; the rerank model counts only if ``reranks``."""
        with _translated():
            for model in (EMBED_MODEL, GENERATE_MODEL, *([RERANK_MODEL] if self.reranks else [])):
                if not await self._client.is_model_ready(model, client_timeout=3):
                    raise TritonUnavailable(detail=Phrase.MODEL_NOT_LOADED, model=model)

    async def card(self) -> ModelCard:
        """The embedding model's description; fetched once, and again after an outage."""
        if self._card is None:
            self._card = msgspec.json.decode(await self._describe(CARD), type=ModelCard)
        return self._card

    async def tokenizer(self) -> Tokenizer:
        """The embedding model's tokenizer, for counting tokens; fetched once for each model.

        The tokenizer of a multilingual model takes 300 MB: concurrent callers wait for the fetch in flight.
        """
        card = await self.card()
        async with self._fetching:
            if self._tokenizer is None or self._tokenizer[0] != card.fingerprint:
                raw = await self.tokenizer_file()
                tokenizer = await asyncio.to_thread(Tokenizer.from_buffer, raw)
                tokenizer.no_truncation()
                tokenizer.no_padding()
                self._tokenizer = (card.fingerprint, tokenizer)
            return self._tokenizer[1]

    async def tokenizer_file(self) -> bytes:
        """The embedding model's tokenizer as the content of its ``tokenizer.json``."""
        return await self._describe(TOKENIZER)

    async def embed(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Vectors of the texts, shape (texts, dimension), float32, normalized to length 1.

        The caller adds the prompts. ``urgent`` requests (of interactive users) have priority over bulk work.
        """
        result = await self._infer(texts, EMBEDDING, urgent)
        vectors: Vectors = result.as_numpy(EMBEDDING)
        return vectors

    async def embed_query(self, query: str) -> Vectors:
        """The vector of a question, shape (dimension,), float32, with priority over bulk work."""
        card = await self.card()
        vectors = await self.embed([card.prompts.get("query", "") + query], urgent=True)
        return np.asarray(vectors[0], dtype=np.float32)

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """The relevance of each text to the query, from 0 to 1, in the order of ``texts``."""
        scores: list[float] = []
        for start in range(0, len(texts), RERANK_BATCH):
            batch = texts[start : start + RERANK_BATCH]
            inputs = [_strings(QUERY, [query] * len(batch)), _strings(TEXT, batch)]
            with _translated():
                result = await self._client.infer(
                    RERANK_MODEL, inputs, outputs=[InferRequestedOutput(SCORE)], client_timeout=EMBED_TIMEOUT
                )
            scores += result.as_numpy(SCORE).ravel().tolist()
        return scores

    async def generate(self, prompt: str, sampling: dict[str, object]) -> AsyncIterator[str]:
        """Yields pieces of generated text as they arrive; closing the iterator stops the generation in Triton."""
        text = InferInput(TEXT_INPUT, [1], "BYTES")
        text.set_data_from_numpy(np.array([prompt.encode()], dtype=np.object_))
        stream = InferInput(STREAM, [1], "BOOL")
        stream.set_data_from_numpy(np.array([True]))
        parameters = InferInput(SAMPLING_PARAMETERS, [1], "BYTES")
        parameters.set_data_from_numpy(np.array([json.dumps(sampling).encode()], dtype=np.object_))

        async def requests() -> AsyncIterator[dict[str, Any]]:
            yield {
                "model_name": GENERATE_MODEL,
                "inputs": [text, stream, parameters],
                "enable_empty_final_response": True,
            }

        # The header makes Triton end a rejected stream with a gRPC status, as it does for unary calls.
        responses = self._client.stream_infer(requests(), headers={"triton_grpc_error": "true"})
        try:
            with _translated():
                async for result, error in responses:
                    if error is not None:
                        raise error
                    pieces = result.as_numpy(TEXT_OUTPUT)
                    if pieces is not None and pieces.size:
                        yield b"".join(pieces.ravel()).decode()
                    final = result.get_response().parameters.get("triton_final_response")
                    if final is not None and final.bool_param:
                        return
        except TritonUnavailable:
            self._card = None
            raise
        finally:
            responses.cancel()

    async def _describe(self, output: str) -> bytes:
        result = await self._infer([""], output, urgent=True)
        return bytes(result.as_numpy(output).ravel()[0])

    async def _infer(self, texts: Sequence[str], output: str, urgent: bool) -> Any:
        tensor = _strings(TEXT, texts)
        try:
            with _translated():
                return await self._client.infer(
                    EMBED_MODEL,
                    [tensor],
                    outputs=[InferRequestedOutput(output)],
                    parameters={URGENT: urgent},
                    client_timeout=URGENT_TIMEOUT if urgent else EMBED_TIMEOUT,
                )
        except TritonUnavailable:
            self._card = None  # another model may be served when Triton is back
            raise


def _strings(name: str, texts: Sequence[str]) -> InferInput:
    """An input tensor of strings, shape (texts, 1)."""
    tensor = InferInput(name, [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_).reshape(-1, 1))
    return tensor
