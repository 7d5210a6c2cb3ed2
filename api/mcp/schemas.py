"""Arguments and results of the tools, which the protocol describes to clients as JSON Schema.

Those of ``search`` and ``fetch`` have the fields that ChatGPT expects of connectors.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from activities.contracts.answers import AnswerMode
from api.http.schemas import Request, Schema
from api.questions.schemas import SearchFilter

#: Knowledge bases that one search covers at most.
MOST_SEARCHED = 10

Name = Annotated[str, Meta(min_length=1, max_length=63)]


class ListArguments(Request, frozen=True):
    """Nothing is needed."""


class SearchArguments(Request, frozen=True):
    query: Annotated[str, Meta(min_length=1, description="What to look for, in any language.")]
    knowledge_bases: Annotated[
        list[Name],
        Meta(max_length=MOST_SEARCHED, description="Names of the knowledge bases to search; without any, all of them."),
    ] = []
    filter: Annotated[
        SearchFilter | None,
        Meta(description="Narrows the search by document name, pages, time of upload and tags; all given must hold."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=50, description="The most passages to return.")] = 10


class FetchArguments(Request, frozen=True):
    id: Annotated[
        str, Meta(min_length=1, max_length=64, description="The id of a result of `search`, or of a document.")
    ]


class AskArguments(Request, frozen=True):
    question: Annotated[str, Meta(min_length=1, description="The question, in any language.")]
    knowledge_base: Annotated[
        Name | None, Meta(description="The name of the knowledge base; not needed where there is only one.")
    ] = None
    conversation_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=32)] | None,
        Meta(description="The `conversation_id` of an earlier answer that this question goes on from."),
    ] = None


class KnowledgeBaseResult(Schema, frozen=True):
    name: str
    title: str
    description: str


class KnowledgeBaseResults(Schema, frozen=True):
    knowledge_bases: list[KnowledgeBaseResult]


class SearchResult(Schema, frozen=True):
    """A passage; ``score`` (0–1) orders the passages of one search."""

    id: str
    title: str
    url: str
    text: str
    score: float
    knowledge_base: str
    document_id: str
    version: int
    page: int | None
    section: str


class SearchResults(Schema, frozen=True):
    """The passages, the best first."""

    results: list[SearchResult]


class FetchResult(Schema, frozen=True):
    """The text around a passage, or from the beginning of a document."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, Any]


class SourceResult(Schema, frozen=True):
    """A source of an answer; ``n`` is its number in the text, ``id`` that of the passage for ``fetch``."""

    n: int
    id: str
    title: str
    url: str
    quote: str
    document_id: str
    page: int | None
    section: str


class AskResult(Schema, frozen=True):
    """An answer; ``found`` says whether the documents have one."""

    answer: str
    found: bool
    sources: list[SourceResult]
    knowledge_base: str
    conversation_id: str
    question_id: str
    mode: AnswerMode


Arguments = ListArguments | SearchArguments | FetchArguments | AskArguments
Result = KnowledgeBaseResults | SearchResults | FetchResult | AskResult


def json_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a type, as an object at its root."""
    (_,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    root: dict[str, Any] = parts.pop(kind.__name__)
    return root | ({"$defs": parts} if parts else {})


class RpcMessage(msgspec.Struct, kw_only=True, frozen=True):
    """A message (JSON-RPC 2.0): a request with an ``id``, or a notification without one."""

    jsonrpc: Literal["2.0"]
    method: Annotated[str, Meta(max_length=200)]
    id: str | int | UnsetType = UNSET
    params: dict[str, Any] | UnsetType = UNSET


class RpcError(Schema, frozen=True):
    """Why a message has no result (JSON-RPC)."""

    code: int
    message: str
    data: Any = None


class RpcAnswer(Schema, frozen=True):
    """The answer to a message (JSON-RPC 2.0): its result, or an error."""

    jsonrpc: str
    id: str | int | None = None
    result: dict[str, Any] | None = None
    error: RpcError | None = None
