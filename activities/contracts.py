"""What workflows and activities say to each other: one Struct in and one out for each step.

Values in Temporal's history are references and counts, never document text: ``*_key`` fields name blobs
(see ``activities.stores.blobs``). A field with a default can be added without breaking a running workflow.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from temporalio import activity

from activities.errors import Reason


class Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all contracts: immutable values; defaults are left out, so that histories stay small."""


class Queue:
    """Task queues: one for each kind of scarce resource (DESIGN §3)."""

    WORKFLOWS = "workflows"
    CPU = "cpu"
    GPU = "gpu"
    STORE = "store"
    ANSWER = "answer"
    ALL = (WORKFLOWS, CPU, GPU, STORE, ANSWER)


class Priority:
    """Priority keys of task queues; lower goes first."""

    QUESTION = 1
    UPLOAD = 2
    BATCH = 4
    REINDEX = 5


AnswerMode = Literal["extractive", "generative"]
SearchMode = Literal["hybrid", "dense", "keyword"]


class Chunking(Contract, frozen=True):
    """How documents are cut, counted in tokens of the embedding model."""

    max_tokens: int = 350
    overlap_tokens: int = 0


# --- what blobs hold -------------------------------------------------------------------------------


class Element(Contract, frozen=True):
    """One structural piece of a document: a heading, paragraph, list item, table row block or code."""

    text: str
    kind: Literal["title", "text", "list", "table", "code"] = "text"
    page: int | None = None
    level: int | None = None


class ParsedDocument(Contract, frozen=True):
    """A document's elements in reading order. ``pages`` is None for formats without pages."""

    elements: list[Element]
    media_type: str
    pages: int | None = None


class Chunk(Contract, frozen=True):
    """One retrievable passage. ``section`` is the path of headings above it, joined by `` › ``."""

    ordinal: int
    text: str
    tokens: int
    page: int | None = None
    section: str = ""


# --- ingestion -------------------------------------------------------------------------------------


class ParseInput(Contract, frozen=True):
    sha256: str
    document_name: str
    bytes: int


class Parsed(Contract, frozen=True):
    parsed_key: str
    elements: int
    characters: int
    media_type: str
    pages: int | None = None


class ChunkInput(Contract, frozen=True):
    parsed_key: str
    chunking: Chunking


class Chunked(Contract, frozen=True):
    chunks_key: str
    chunks: int
    tokens: int


class EmbedInput(Contract, frozen=True):
    document_id: str
    version: int
    chunks_key: str


class Embedded(Contract, frozen=True):
    """``embedded`` chunks went through the model, ``reused`` ones had their vectors already."""

    vectors_key: str
    model: str
    model_fingerprint: str
    dimension: int
    vectors: int
    embedded: int
    reused: int


class IndexInput(Contract, frozen=True):
    knowledge_base_id: str
    document_id: str
    version: int
    chunks_key: str
    vectors_key: str
    model: str
    model_fingerprint: str
    dimension: int


class Indexed(Contract, frozen=True):
    rows: int


class PublishInput(Contract, frozen=True):
    document_id: str
    version: int
    chunks: int
    media_type: str
    parsed_key: str
    chunks_key: str
    vectors_key: str
    pages: int | None = None


class Published(Contract, frozen=True):
    """``live`` is False when a newer version was already there; ``retired`` versions can be purged."""

    live: bool
    retired: list[int] = []


class FailureRecorded(Contract, frozen=True):
    """``purge`` is False when the version had been published before: then its rows stay."""

    purge: bool


class PurgeInput(Contract, frozen=True):
    """Rows to purge: those of ``versions``, or of the whole document when it is None."""

    knowledge_base_id: str
    document_id: str
    versions: list[int] | None = None


class Purged(Contract, frozen=True):
    """Receipt of a purge: Milvus rows before and after."""

    before: int
    after: int


class RecordFailureInput(Contract, frozen=True):
    document_id: str
    version: int
    reason: Reason
    canceled: bool = False


class RemoveInput(Contract, frozen=True):
    """The document whose blobs and catalogue rows go."""

    document_id: str


class KnowledgeBaseInput(Contract, frozen=True):
    """The deleted knowledge base whose collections and documents go."""

    knowledge_base_id: str


class Removed(Contract, frozen=True):
    blobs: int


# --- questions -------------------------------------------------------------------------------------


class RetrieveInput(Contract, frozen=True):
    question_id: str
    knowledge_base_id: str
    question: str


class Source(Contract, frozen=True):
    """A passage that an answer may quote; its text is looked up, never carried."""

    n: int
    document_id: str
    document_name: str
    version: int
    chunk_id: str
    score: float
    page: int | None = None
    section: str = ""


class Retrieved(Contract, frozen=True):
    """``sources_key`` is the blob with the passages' texts, in the order of ``sources``."""

    sources_key: str
    sources: list[Source]
    similarity: float


class Citation(Contract, frozen=True):
    """One quote of an answer; ``n`` is the number that ``[n]`` in the answer refers to."""

    n: int
    document_id: str
    document_name: str
    quote: str
    version: int = 0
    chunk_id: str = ""
    page: int | None = None
    section: str = ""


class AnswerInput(Contract, frozen=True):
    question: str
    mode: AnswerMode
    sources_key: str
    sources: list[Source]
    similarity: float


class Answered(Contract, frozen=True):
    """``found`` is False when the documents do not hold the answer; the text then says so."""

    answer: str
    citations: list[Citation]
    mode: AnswerMode
    found: bool
    tokens: int = 0


# Events of a question's stream (DESIGN §6). The tag is the name of the server-sent event.


class StateEvent(Contract, frozen=True, tag_field="event", tag="state"):
    """The question has entered a stage: ``retrieve``, ``generate`` or ``record``."""

    stage: str


class SourcesEvent(Contract, frozen=True, tag_field="event", tag="sources"):
    """The passages that the answer will be drawn from, best first."""

    sources: list[Source]


class DeltaEvent(Contract, frozen=True, tag_field="event", tag="delta"):
    """The next piece of the answer's text."""

    text: str


class ResetEvent(Contract, frozen=True, tag_field="event", tag="reset"):
    """Forget the text so far: the answer starts over."""


class DoneEvent(Contract, frozen=True, tag_field="event", tag="done"):
    """The whole answer, as it was recorded; the last event."""

    answer: str
    citations: list[Citation]
    mode: AnswerMode
    found: bool


class ErrorEvent(Contract, frozen=True, tag_field="event", tag="error"):
    """There will be no answer, and why; the last event."""

    reason: Reason


QuestionEvent = StateEvent | SourcesEvent | DeltaEvent | ResetEvent | DoneEvent | ErrorEvent


class RecordAnswerInput(Contract, frozen=True):
    question_id: str
    retrieved: Retrieved | None = None
    answered: Answered | None = None
    reason: Reason | None = None
    canceled: bool = False


# --- signatures ------------------------------------------------------------------------------------
# Workflows call activities through these; the implementations carry the same names, and a test holds
# the two together. They are never run.


@activity.defn(name="parse")
async def parse(job: ParseInput) -> Parsed: ...  # type: ignore[empty-body]


@activity.defn(name="chunk")
async def chunk(job: ChunkInput) -> Chunked: ...  # type: ignore[empty-body]


@activity.defn(name="embed")
async def embed(job: EmbedInput) -> Embedded: ...  # type: ignore[empty-body]


@activity.defn(name="index")
async def index(job: IndexInput) -> Indexed: ...  # type: ignore[empty-body]


@activity.defn(name="publish")
async def publish(job: PublishInput) -> Published: ...  # type: ignore[empty-body]


@activity.defn(name="record_failure")
async def record_failure(job: RecordFailureInput) -> FailureRecorded: ...  # type: ignore[empty-body]


@activity.defn(name="purge_rows")
async def purge_rows(job: PurgeInput) -> Purged: ...  # type: ignore[empty-body]


@activity.defn(name="remove_document")
async def remove_document(job: RemoveInput) -> Removed: ...  # type: ignore[empty-body]


@activity.defn(name="drop_collections")
async def drop_collections(job: KnowledgeBaseInput) -> Purged: ...  # type: ignore[empty-body]


@activity.defn(name="remove_documents")
async def remove_documents(job: KnowledgeBaseInput) -> Removed: ...  # type: ignore[empty-body]


@activity.defn(name="retrieve")
async def retrieve(job: RetrieveInput) -> Retrieved: ...  # type: ignore[empty-body]


@activity.defn(name="answer")
async def answer(job: AnswerInput) -> Answered: ...  # type: ignore[empty-body]


@activity.defn(name="record_answer")
async def record_answer(job: RecordAnswerInput) -> None: ...
