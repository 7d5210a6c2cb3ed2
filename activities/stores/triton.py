"""Triton Inference Server: embeddings and generated text, over gRPC.

The ``embed`` model serves its own description (``card``) and ``tokenizer``, so that clients need no model settings.
Further embedding models, which the settings of Triton name, are served beside it as ``embed_<fingerprint>``, and loaded
by ``embed_loader`` when they are first asked for; None stands for ``embed``.
Tensor names are those of ``triton_models/*/config.pbtxt``. ``generate`` is a GGUF or an OpenAI-compatible endpoint.
Errors: ``TritonUnavailable`` (retried) or ``ModelError`` (the model rejected its input), and those of the endpoint.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from operator import methodcaller
from typing import Any, Literal

import grpc
import msgspec
import numpy as np
from tokenizers import Tokenizer
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from activities.contracts.embedding import EmbeddingModel
from activities.errors import (
    HoldfastError,
    ModelError,
    ModelMismatch,
    ModelNotLoaded,
    ModelNotServed,
    TritonUnavailable,
    plain_line,
)
from activities.phrases import Phrase
from activities.stores.deadline import waiting_for
from activities.stores.endpoint import ENDPOINT, EndpointProblem, endpoint_error, failure_of
from activities.stores.servers import Server, Servers
from activities.stores.vectors import Vectors
from activities.telemetry import metrics, names, tracing

EMBED_MODEL = "embed"
TEXT = "text"
EMBEDDING = "embedding"
CARD = "card"
TOKENIZER = "tokenizer"

LOADER_MODEL = "embed_loader"
ACTION = "action"
FINGERPRINTS = "fingerprints"
LOADED = "loaded"

RERANK_MODEL = "rerank"
QUERY = "query"
SCORE = "score"

GENERATE_MODEL = "generate"
MESSAGES = "messages"
SAMPLING_PARAMETERS = "sampling_parameters"
TEXT_OUTPUT = "text_output"
ENDING = "ending"

#: Request parameter that gives a question's embedding priority over bulk work.
URGENT = "urgent"

#: Request parameter that has a request refused by any other embedding model than this.
FINGERPRINT = "fingerprint"

#: Pairs in one request (the maximum of the `rerank` model).
RERANK_BATCH = 64

#: Timeout of one embedding or rerank request, in seconds, and of an urgent one, which a person waits for.
EMBED_TIMEOUT = 120.0
URGENT_TIMEOUT = 20.0

#: Timeout of loading or unloading embedding models, in seconds. What takes longer is waited for by the next request.
LOAD_TIMEOUT = 60.0

#: Timeout of describing the language model, in seconds; its endpoint is asked first.
CARD_TIMEOUT = 12.0

#: How often an embedding model is looked for, and loaded, before a request for it counts as an outage.
LOOKS = 3

#: Tokenizers that are kept; that of a multilingual model takes 300 MB.
TOKENIZERS = 2

#: In Triton's message, with status INTERNAL, when the process of a model has died. A new server follows.
_DEAD_MODEL = "is not healthy"

#: gRPC statuses that are retried. Triton returns UNAVAILABLE for a model that is loading.
_TRANSIENT = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "RESOURCE_EXHAUSTED", "UNKNOWN", "NOT_FOUND"}
#: Those among them of a model that is not loaded.
_NOT_THERE = {"UNAVAILABLE", "NOT_FOUND"}


class ChatMessage(msgspec.Struct, frozen=True):
    """A message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class Generated(msgspec.Struct, frozen=True):
    """How an answer ended: the model as records name it, the engine's finish reason, tokens as the engine counts."""

    model: str = ""
    finish: str = ""
    prompt_tokens: int | None = None
    tokens: int | None = None


class LanguageModel(msgspec.Struct, frozen=True):
    """The language model that Triton asks; ``host`` is empty for one that runs in Triton itself."""

    model: str
    host: str
    problem: EndpointProblem | None = None

    @property
    def name(self) -> str:
        """As records name it."""
        return f"{self.model} @ {self.host}" if self.host else self.model

    @property
    def error(self) -> HoldfastError | None:
        """What keeps it from being used."""
        return None if self.problem is None else endpoint_error(self.problem, self.model, self.host)


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """An embedding model's description.

    ``fingerprint`` identifies the vector space: vectors are comparable if their fingerprints are equal. ``languages``
    are ISO 639-1 codes, empty when unknown. ``prompts`` are prefixes by use (``query``, ``passage``). ``batch_size``
    is the number of texts in one request that suits the device. ``found_threshold`` is, by language (``*`` for the
    others), the minimum similarity of passages that contain an answer (``activities.answering.extraction``).
    ``others`` are, in the card of the default model, those that can be used beside it. ``server`` is the version of the
    Triton that serves it, empty if it does not know.
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
    others: list[EmbeddingModel] = []
    server: str = ""

    @property
    def identity(self) -> EmbeddingModel:
        """What the catalogue records of the model."""
        return EmbeddingModel(name=self.model, fingerprint=self.fingerprint)


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


def _error(status: str, message: str | None) -> HoldfastError:
    if message and message.startswith(ENDPOINT):
        return failure_of(message)
    detail = (message or "no message").splitlines()[0][:200]
    outage = not status or status in _TRANSIENT or (status == "INTERNAL" and _DEAD_MODEL in detail)
    return TritonUnavailable(detail=detail) if outage else ModelError(detail=detail)


class _Chat:
    """The span of a generation. It is not the current one: who reads the pieces may stop anywhere."""

    def __enter__(self) -> _Chat:
        self._span = tracing.begin(f"{names.CHAT} {GENERATE_MODEL}", _attributes(names.CHAT, GENERATE_MODEL), "CLIENT")
        self._at, self._is_silent = time.perf_counter(), True
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            self._span.fail(tracing.error_type(error))
        elif error is not None:
            self._span.set({names.OUTCOME: "stopped"})
        self._span.end()

    def began(self) -> None:
        """A piece came."""
        if self._is_silent:
            self._is_silent = False
            self._span.set({names.FIRST_CHUNK: time.perf_counter() - self._at})

    def ended(self, generated: Generated) -> None:
        """The last piece came."""
        self._span.set(
            {
                names.RESPONSE_MODEL: generated.model,
                names.FINISH_REASONS: [generated.finish],
                names.INPUT_TOKENS: generated.prompt_tokens or 0,
                names.OUTPUT_TOKENS: generated.tokens or 0,
            }
        )


class Triton:
    """A narrow, typed client of all servers of ``address``; to be created inside of a running event loop.

    ``reranks`` if a rerank model is served.
    """

    def __init__(self, address: str, *, reranks: bool = False) -> None:
        self.reranks = reranks
        self._servers = Servers(address)
        self._default: ModelCard | None = None
        self._cards: dict[str, ModelCard] = {}  # of the others, by fingerprint
        self._tokenizers: OrderedDict[str, Tokenizer] = OrderedDict()
        self._fetching = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.close()

    async def ping(self) -> None:
        """Raises TritonUnavailable unless a server has all models ready; the rerank model counts if ``reranks``."""

        async def are_ready(client: InferenceServerClient) -> None:
            for model in (EMBED_MODEL, GENERATE_MODEL, *([RERANK_MODEL] if self.reranks else [])):
                if not await client.is_model_ready(model, client_timeout=3):
                    raise TritonUnavailable(detail=Phrase.MODEL_NOT_LOADED, model=model)

        await self._ask(are_ready)

    async def models(self) -> list[EmbeddingModel]:
        """The embedding models that can be used, the default one first, as Triton names them now."""
        self._default = None
        default = await self.card()
        return [default.identity, *default.others]

    async def named(self, name: str) -> EmbeddingModel:
        """The embedding model of this name. Raises ModelNotServed."""
        default = await self.card()
        if name == default.model:
            return default.identity
        models = await self.models()  # another one may have been added since
        for model in models:
            if model.name == name:
                return model
        raise ModelNotServed(model=name, serving=", ".join(model.name for model in models))

    async def is_served(self, model: EmbeddingModel | None) -> bool:
        """Whether an embedding model is the default one or can be loaded beside it."""
        try:
            await self._served_as(model)
        except ModelMismatch:
            return False
        return True

    async def keep_loaded(self, fingerprints: Iterable[str]) -> None:
        """Unloads the embedding models beside the default one, but for these."""
        default = await self.card()
        if default.others:
            await self._manage("keep", [default.fingerprint, *fingerprints])

    async def card(self, model: EmbeddingModel | None = None) -> ModelCard:
        """An embedding model's description; fetched once, and again after an outage. Raises ModelMismatch."""
        if self._default is None:
            self._default = msgspec.json.decode(await self._describe(CARD, None), type=ModelCard)
        if model is None or model.fingerprint == self._default.fingerprint:
            return self._default
        card = self._cards.get(model.fingerprint)
        if card is None:
            card = msgspec.json.decode(await self._describe(CARD, model), type=ModelCard)
            self._cards[model.fingerprint] = card
        return card

    async def tokenizer(self, model: EmbeddingModel | None = None) -> Tokenizer:
        """An embedding model's tokenizer, for counting tokens; fetched once for each model.

        Concurrent callers wait for the fetch in flight.
        """
        key = (await self.card(model)).fingerprint
        async with self._fetching:
            if key not in self._tokenizers:
                raw = await self.tokenizer_file(model)
                tokenizer = await asyncio.to_thread(Tokenizer.from_buffer, raw)
                tokenizer.no_truncation()
                tokenizer.no_padding()
                self._tokenizers[key] = tokenizer
                while len(self._tokenizers) > TOKENIZERS:
                    self._tokenizers.popitem(last=False)
            self._tokenizers.move_to_end(key)
            return self._tokenizers[key]

    async def tokenizer_file(self, model: EmbeddingModel | None = None) -> bytes:
        """An embedding model's tokenizer as the content of its ``tokenizer.json``."""
        return await self._describe(TOKENIZER, model)

    async def embed(
        self, texts: Sequence[str], *, urgent: bool = False, model: EmbeddingModel | None = None
    ) -> Vectors:
        """Vectors of the texts, shape (texts, dimension), float32, normalized to length 1.

        The caller adds the prompts. ``urgent`` requests (of interactive users) have priority over bulk work.
        """
        name = model.name if model else self._default.model if self._default else EMBED_MODEL
        attributes = _attributes(names.EMBEDDINGS, name, {names.TEXTS: len(texts), names.URGENT: urgent})
        with (
            metrics.EMBED_SECONDS.labels("urgent" if urgent else "bulk").time(),
            tracing.span(f"{names.EMBEDDINGS} {name}", attributes, "CLIENT"),
        ):
            result = await self._infer(texts, EMBEDDING, urgent, model)
        vectors: Vectors = result.as_numpy(EMBEDDING)
        return vectors

    async def embed_query(self, query: str, model: EmbeddingModel | None = None) -> Vectors:
        """The vector of a question, shape (dimension,), float32, with priority over bulk work."""
        card = await self.card(model)
        vectors = await self.embed([card.prompts.get("query", "") + query], urgent=True, model=model)
        return np.asarray(vectors[0], dtype=np.float32)

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """The relevance of each text to the query, from 0 to 1, in the order of ``texts``."""
        scores: list[float] = []
        for start in range(0, len(texts), RERANK_BATCH):
            batch = texts[start : start + RERANK_BATCH]
            inputs = [_strings(QUERY, [query] * len(batch)), _strings(TEXT, batch)]
            outputs = [InferRequestedOutput(SCORE)]
            attributes = _attributes(names.RERANK, RERANK_MODEL, {names.TEXTS: len(batch)})
            with tracing.span(names.RERANK, attributes, "CLIENT"):
                result = await self._ask(
                    methodcaller(
                        "infer",
                        RERANK_MODEL,
                        inputs,
                        outputs=outputs,
                        headers=_headers(),
                        client_timeout=EMBED_TIMEOUT,
                    )
                )
            scores += result.as_numpy(SCORE).ravel().tolist()
        return scores

    async def generate(
        self,
        messages: Sequence[ChatMessage],
        sampling: dict[str, object],
        ended: Callable[[Generated], None] | None = None,
    ) -> AsyncIterator[str]:
        """Yields pieces of generated text as they arrive; closing the iterator stops the generation.

        ``ended`` is called after the last piece. Raises LanguageModelUnavailable and LanguageModelRefused too.
        """
        inputs = [
            _strings(MESSAGES, [msgspec.json.encode(messages).decode()], [1]),
            _strings(SAMPLING_PARAMETERS, [json.dumps(sampling)], [1]),
        ]
        with _Chat() as chat:
            async with aclosing(self._stream(inputs, [TEXT_OUTPUT, ENDING])) as results:
                async for result in results:
                    if pieces := _content(result, TEXT_OUTPUT):
                        chat.began()
                        yield pieces.decode()
                    if ending := _content(result, ENDING):
                        generated = msgspec.json.decode(ending, type=Generated)
                        chat.ended(generated)
                        if ended is not None:
                            ended(generated)

    async def language_model(self) -> LanguageModel:
        """The language model that Triton asks, and what keeps it from being used."""
        with _translated():
            async with asyncio.timeout(CARD_TIMEOUT), aclosing(self._stream([], [CARD])) as results:
                async for result in results:
                    if card := _content(result, CARD):
                        return msgspec.json.decode(card, type=LanguageModel)
        raise TritonUnavailable(detail=Phrase.MODEL_NOT_LOADED, model=GENERATE_MODEL)

    async def _ask(self, call: Callable[[InferenceServerClient], Awaitable[Any]], *, elsewhere: bool = True) -> Any:
        """Asks a server; if it is gone, the next one, or, unless ``elsewhere``, only if it does not answer at all."""
        servers = await self._servers.in_turn()
        for server in servers:
            began = time.monotonic()
            try:
                with server.busy() as client, waiting_for(TritonUnavailable), _translated():
                    return await call(client)
            except asyncio.CancelledError:
                self._servers.given_up(server, time.monotonic() - began)
                raise
            except TritonUnavailable as exc:
                if len(servers) == 1 or (not elsewhere and not _is_slow(exc) and await server.is_ready()):
                    raise
                self._servers.leave_out(server)
                if _is_slow(exc) or server is servers[-1]:  # whoever waits has waited long enough
                    raise
        raise AssertionError  # there is a server, and the last one returns or raises

    async def _stream(self, inputs: list[InferInput], outputs: Sequence[str]) -> AsyncGenerator[Any]:
        """The responses to one request to ``generate``, of the next server if one is gone before the first."""
        servers = await self._servers.in_turn()
        for left, server in zip(reversed(range(len(servers))), servers, strict=True):
            begun, began = False, time.monotonic()
            try:
                with server.busy() as client:
                    async with aclosing(self._streamed(client, inputs, outputs)) as results:
                        async for result in results:
                            begun = True
                            yield result
                return
            except asyncio.CancelledError:
                if not begun:
                    self._servers.given_up(server, time.monotonic() - began)
                raise
            except TritonUnavailable:
                self._servers.leave_out(server)
                if begun or not left:
                    self._forget()
                    raise

    async def _streamed(
        self, client: InferenceServerClient, inputs: list[InferInput], outputs: Sequence[str]
    ) -> AsyncGenerator[Any]:
        async def requests() -> AsyncIterator[dict[str, Any]]:
            yield {
                "model_name": GENERATE_MODEL,
                "inputs": inputs,
                "outputs": [InferRequestedOutput(name) for name in outputs],
                "enable_empty_final_response": True,
            }

        # The header makes Triton end a rejected stream with a gRPC status, as it does for unary calls.
        responses = client.stream_infer(requests(), headers={"triton_grpc_error": "true"} | (_headers() or {}))
        try:
            with _translated():
                async for result, error in responses:
                    if error is not None:
                        raise error
                    yield result
                    final = result.get_response().parameters.get("triton_final_response")
                    if final is not None and final.bool_param:
                        return
        finally:
            responses.cancel()

    async def _describe(self, output: str, model: EmbeddingModel | None) -> bytes:
        result = await self._infer([""], output, urgent=True, model=model)
        return bytes(result.as_numpy(output).ravel()[0])

    async def _infer(self, texts: Sequence[str], output: str, urgent: bool, model: EmbeddingModel | None) -> Any:
        """One request to an embedding model, which is loaded for it, or found again after a restart of Triton."""
        for left in reversed(range(LOOKS)):
            name = await self._served_as(model)
            parameters = {URGENT: urgent} | ({FINGERPRINT: model.fingerprint} if model is not None else {})
            try:
                request = methodcaller(
                    "infer",
                    name,
                    [_strings(TEXT, texts)],
                    outputs=[InferRequestedOutput(output)],
                    parameters=parameters,
                    headers=_headers(),
                    client_timeout=URGENT_TIMEOUT if urgent else EMBED_TIMEOUT,
                )
                # A server that answers lacks the model, which is then loaded there.
                return await self._ask(request, elsewhere=name == EMBED_MODEL)
            except TritonUnavailable as exc:
                self._forget()  # another model may be served when Triton is back
                if model is None or not left or not _is_not_there(exc):
                    raise
                if await self._served_as(model) == name:
                    if name == EMBED_MODEL:
                        raise
                    await self._load(model)
        raise AssertionError  # the last look returns or raises

    async def _served_as(self, model: EmbeddingModel | None) -> str:
        """The name of an embedding model in Triton. Raises ModelMismatch for one that the settings do not name."""
        if model is None:
            return EMBED_MODEL
        for _ in range(2):  # it may have been added since
            default = await self.card()
            if model.fingerprint == default.fingerprint:
                return EMBED_MODEL
            if any(model.fingerprint == other.fingerprint for other in default.others):
                return f"{EMBED_MODEL}_{model.fingerprint}"
            self._default = None
        serving = ", ".join([default.model, *(other.name for other in default.others)])
        raise ModelMismatch(indexed=model.name, serving=serving)

    async def _load(self, model: EmbeddingModel) -> None:
        try:
            await self._manage("load", [model.fingerprint])
        except ModelError as exc:
            raise ModelNotLoaded(model=model.name, detail=plain_line(exc.reason.params["detail"])) from exc

    async def _manage(self, action: str, fingerprints: Sequence[str]) -> None:
        """Asks every server; those that are gone are passed over while one is there: they come back as they start."""
        inputs = [_strings(ACTION, [action], [1]), _strings(FINGERPRINTS, fingerprints, [len(fingerprints)])]

        async def manage(server: Server) -> TritonUnavailable | None:
            try:
                with server.busy() as client, _translated():
                    await client.infer(LOADER_MODEL, inputs, client_timeout=LOAD_TIMEOUT)
            except TritonUnavailable as exc:
                self._servers.leave_out(server)
                return exc
            return None

        failed = await asyncio.gather(*(manage(server) for server in await self._servers.in_turn()))
        if all(failed) and (first := failed[0]) is not None:
            raise first

    def _forget(self) -> None:
        self._default = None
        self._cards.clear()


def _is_not_there(error: TritonUnavailable) -> bool:
    """Whether Triton may have answered that it does not serve the model (now), or another one in its place."""
    cause = error.__cause__
    return isinstance(cause, InferenceServerException) and str(cause.status()).rpartition(".")[2] in _NOT_THERE


def _is_slow(error: TritonUnavailable) -> bool:
    """Whether the time of the request ran out."""
    cause = error.__cause__
    return isinstance(cause, InferenceServerException) and "DEADLINE_EXCEEDED" in str(cause.status())


def _attributes(operation: str, model: str, more: Mapping[str, int] | None = None) -> tracing.Attributes:
    known = {names.OPERATION: operation, names.PROVIDER: names.TRITON, names.REQUEST_MODEL: model}
    return {**known, **(more or {})}


def _headers() -> dict[str, str] | None:
    """Triton can go on with a trace."""
    header = tracing.traceparent()
    return {tracing.TRACEPARENT: header} if header else None


def _content(result: Any, output: str) -> bytes:
    """An output of a response; empty if the response has none."""
    content = result.as_numpy(output)
    return b"" if content is None else b"".join(content.ravel())


def _strings(name: str, texts: Sequence[str], shape: Sequence[int] = ()) -> InferInput:
    """An input tensor of strings, by default of shape (texts, 1)."""
    tensor = InferInput(name, list(shape) or [len(texts), 1], "BYTES")
    values = np.array([text.encode() for text in texts], dtype=np.object_)
    tensor.set_data_from_numpy(values.reshape(list(shape) or (-1, 1)))
    return tensor
