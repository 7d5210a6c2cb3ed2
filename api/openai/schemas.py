"""What the OpenAI-compatible API takes and gives. Fields of OpenAI's that are not here are accepted and ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from activities.contracts.answers import AnswerMode, Fallback
from activities.contracts.search import SearchMode
from api.http.schemas import Request, Schema
from api.questions.schemas import CitationInfo, SearchFilter, SourceInfo


class Lenient(msgspec.Struct, kw_only=True, frozen=True):
    """Base of what clients send: they send more than we need, and that is fine."""


# --- chat ------------------------------------------------------------------------------------------


class Part(Lenient, frozen=True):
    """A piece of a message's content; only ``text`` can be read."""

    type: str
    text: str = ""


class Message(Lenient, frozen=True):
    """``content`` is null in messages that only call tools."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None


class StreamOptions(Lenient, frozen=True):
    include_usage: bool = False


class ChatOptions(Request, frozen=True):
    """Holdfast's own part of a request (``extra_body={"holdfast": {…}}``); see ``POST …/questions``.

    ``sources`` says whether a list of the sources is at the end of the answer's text too (``text``).
    """

    mode: AnswerMode | None = None
    documents: Annotated[list[str], Meta(max_length=100)] = []
    filter: SearchFilter | None = None
    wait_for_index: bool = False
    sources: Literal["field", "text"] | None = None


class ChatRequest(Lenient, frozen=True):
    """``model`` is the name of a knowledge base.

    The last message is the question; ``user`` and ``assistant`` before it are the conversation so far. Tools,
    stop words, penalties, seeds and formats are accepted and ignored.
    """

    model: str
    messages: Annotated[list[Message], Meta(min_length=1, max_length=10_000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    holdfast: ChatOptions | None = None


class Usage(Schema, frozen=True):
    """Tokens of the client's messages and of the answer, counted by the embedding model's tokenizer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AnswerExtension(Schema, frozen=True):
    """The extension field ``holdfast``: what the answer stands on, as in ``GET /api/v1/questions/{id}``.

    ``answer`` is the recorded answer: what a stream has sent cannot be taken back when it is checked.
    """

    question_id: str
    conversation_id: str
    answer: str
    found: bool
    mode: AnswerMode
    fallback: Fallback | None
    withheld: int
    citations: list[CitationInfo]
    sources: list[SourceInfo]


class FileCitation(Schema, frozen=True):
    """An annotation as in OpenAI's file search: ``index`` is the place of the source's number in the content."""

    file_id: str
    filename: str
    index: int
    type: Literal["file_citation"] = "file_citation"


FinishReason = Literal["stop", "length"]


class AnswerMessage(Schema, frozen=True):
    content: str
    holdfast: AnswerExtension
    annotations: list[FileCitation]
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class Choice(Schema, frozen=True):
    message: AnswerMessage
    finish_reason: FinishReason
    index: int = 0
    logprobs: None = None


class Completion(Schema, frozen=True):
    id: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"


class Delta(Schema, frozen=True):
    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    holdfast: AnswerExtension | UnsetType = UNSET
    annotations: list[FileCitation] | UnsetType = UNSET


class ChunkChoice(Schema, frozen=True):
    delta: Delta
    finish_reason: FinishReason | None = None
    index: int = 0
    logprobs: None = None


class Chunk(Schema, frozen=True):
    """A piece of a streamed answer; the last one with a choice has ``holdfast`` in its delta."""

    id: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"


# --- vector stores ---------------------------------------------------------------------------------


class RankingOptions(Lenient, frozen=True):
    score_threshold: Annotated[float, Meta(ge=0, le=1)] = 0.0


class SearchOptions(Request, frozen=True):
    """Holdfast's own part of a search; see ``POST …/search``."""

    mode: SearchMode = "hybrid"
    documents: Annotated[list[str], Meta(max_length=100)] = []
    filter: SearchFilter | None = None


class VectorStoreSearch(Lenient, frozen=True):
    """A vector store is a knowledge base. OpenAI's ``filters`` are refused: ``holdfast.filter`` has ours."""

    query: str | Annotated[list[str], Meta(min_length=1, max_length=10)]
    max_num_results: Annotated[int, Meta(ge=1, le=50)] = 10
    ranking_options: RankingOptions | None = None
    filters: Any = None
    holdfast: SearchOptions | None = None


class TextContent(Schema, frozen=True):
    text: str
    type: Literal["text"] = "text"


class VectorStoreResult(Schema, frozen=True):
    """A passage; ``file_id`` is its document's."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, str | int]
    content: list[TextContent]


class VectorStoreResults(Schema, frozen=True):
    search_query: list[str]
    data: list[VectorStoreResult]
    has_more: bool = False
    next_page: None = None
    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"


# --- models and embeddings -------------------------------------------------------------------------


class Model(Schema, frozen=True):
    """A knowledge base, as something that answers."""

    id: str
    created: int
    owned_by: str
    object: Literal["model"] = "model"


class ModelList(Schema, frozen=True):
    data: list[Model]
    object: Literal["list"] = "list"


class EmbeddingRequest(Lenient, frozen=True):
    """``model`` is the name of the embedding model; ``input`` a text, or a list of texts.

    ``input_type`` is an extension, for models that tell them apart: texts to be found are passages, which is the
    default; what is looked for is a query.
    """

    model: str
    input: str | list[Any]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    input_type: Literal["passage", "query"] = "passage"


class Embedding(Schema, frozen=True):
    """``embedding`` is a list of numbers, or base64 of 32-bit floats, little-endian."""

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingUsage(Schema, frozen=True):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Schema, frozen=True):
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
    object: Literal["list"] = "list"
