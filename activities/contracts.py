"""What workflows and activities say to each other: one Struct in and one out for each step.

Values in Temporal's history are references and counts, never document text: ``*_key`` fields name blobs
(see ``activities.stores.blobs``). A field with a default can be added without breaking a running workflow.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from activities.contents import Chunk as Chunk
from activities.contents import Element as Element
from activities.contents import ParsedDocument as ParsedDocument
from activities.contract import Contract as Contract
from activities.errors import Reason
from activities.filters import SearchFilter as SearchFilter
from activities.question_contracts import Answered as Answered
from activities.question_contracts import AnswerInput as AnswerInput
from activities.question_contracts import AnswerMode as AnswerMode
from activities.question_contracts import AnswerSettings as AnswerSettings
from activities.question_contracts import Citation as Citation
from activities.question_contracts import DeltaEvent as DeltaEvent
from activities.question_contracts import Fallback as Fallback
from activities.question_contracts import RecordAnswerInput as RecordAnswerInput
from activities.question_contracts import ResetEvent as ResetEvent
from activities.question_contracts import Retrieved as Retrieved
from activities.question_contracts import RetrieveInput as RetrieveInput
from activities.question_contracts import SearchMode as SearchMode
from activities.question_contracts import Source as Source
from activities.question_contracts import Turn as Turn
from activities.question_contracts import Waited as Waited
from activities.question_contracts import WaitInput as WaitInput


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


def ingest_id(document_id: str, version: int) -> str:
    """Workflow id of an ingestion: starting it twice is starting it once."""
    return f"ingest/{document_id}/{version}"


def batch_workflow_id(batch_id: str) -> str:
    """Workflow id of a batch."""
    return f"batch/{batch_id}"


class Chunking(Contract, frozen=True):
    """How documents are cut, counted in tokens of the embedding model."""

    max_tokens: int = 350
    overlap_tokens: int = 0


# --- ingestion -------------------------------------------------------------------------------------


class Dispatch(Contract, frozen=True):
    """One version of one document, to be made retrievable.

    ``retry_from`` names the step from which everything is made anew; ``supersedes`` the older version whose
    run is to stop, if it was pending when this one came. ``generation`` is the index generation that the run writes,
    from its first step to its last; None is the live one of the moment (so say runs that began before there was this).
    """

    knowledge_base_id: str
    knowledge_base: str
    document_id: str
    document_name: str
    version: int
    sha256: str
    bytes: int
    chunking: Chunking
    actor: str
    batch_id: str | None = None
    retry_from: str | None = None
    supersedes: int | None = None
    generation: int | None = None


class ParseInput(Contract, frozen=True):
    """``fresh`` makes the output anew even if it is there; likewise in the other steps.

    With ``chunking`` the document is cut in the same go: for short ones, handing over costs more than the work.
    """

    sha256: str
    document_name: str
    bytes: int
    fresh: bool = False
    chunking: Chunking | None = None


class Parsed(Contract, frozen=True):
    parsed_key: str
    elements: int
    characters: int
    media_type: str
    pages: int | None = None
    chunked: Chunked | None = None


class ChunkInput(Contract, frozen=True):
    parsed_key: str
    chunking: Chunking
    fresh: bool = False


class Chunked(Contract, frozen=True):
    chunks_key: str
    chunks: int
    tokens: int


class EmbedInput(Contract, frozen=True):
    """``slice_seconds`` is when the step gives its place to others, to go on behind them.

    With ``index`` the rows are written in the same go; what it says of vectors and their model is filled in.
    Vectors of earlier versions are taken over from the same ``generation`` of the index.
    """

    document_id: str
    version: int
    chunks_key: str
    fresh: bool = False
    slice_seconds: float | None = None
    index: IndexInput | None = None
    generation: int | None = None


class Embedded(Contract, frozen=True):
    """``embedded`` chunks went through the model, ``reused`` ones had their vectors already.

    While ``remaining`` is not 0 the step has to go on, and there is no ``vectors_key`` yet.
    """

    vectors_key: str
    model: str
    model_fingerprint: str
    dimension: int
    vectors: int
    embedded: int
    reused: int
    remaining: int = 0
    indexed: Indexed | None = None


class IndexInput(Contract, frozen=True):
    """With ``publish`` the version is published in the same go, after its rows were counted.

    The rows are written into the collection of ``generation``.
    """

    knowledge_base_id: str
    document_id: str
    version: int
    chunks_key: str
    vectors_key: str = ""
    model: str = ""
    model_fingerprint: str = ""
    dimension: int = 0
    publish: PublishInput | None = None
    generation: int | None = None

    def of(self, embedded: Embedded) -> IndexInput:
        """The same, with the vectors that were made."""
        publish = self.publish and msgspec.structs.replace(self.publish, vectors_key=embedded.vectors_key)
        return msgspec.structs.replace(
            self,
            vectors_key=embedded.vectors_key,
            model=embedded.model,
            model_fingerprint=embedded.model_fingerprint,
            dimension=embedded.dimension,
            publish=publish,
        )


class Indexed(Contract, frozen=True):
    rows: int
    published: Published | None = None


class PublishInput(Contract, frozen=True):
    """A version whose ``chunks`` rows are in ``generation``, and what it was made of."""

    document_id: str
    version: int
    chunks: int
    media_type: str
    parsed_key: str
    chunks_key: str
    vectors_key: str = ""
    pages: int | None = None
    generation: int | None = None


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


class HoldInput(Contract, frozen=True):
    """A version whose run was paused, or goes on."""

    document_id: str
    version: int
    paused: bool


class StopRunsInput(Contract, frozen=True):
    """Whose runs are to stop: one document's, or all of a knowledge base."""

    knowledge_base_id: str
    document_id: str | None = None


class Stopped(Contract, frozen=True):
    runs: int


class RemoveInput(Contract, frozen=True):
    """The document whose blobs and catalogue rows go."""

    document_id: str


class KnowledgeBaseInput(Contract, frozen=True):
    """The deleted knowledge base whose collections and documents go."""

    knowledge_base_id: str


class Removed(Contract, frozen=True):
    blobs: int


# --- batches ---------------------------------------------------------------------------------------

BatchState = Literal["queued", "running", "paused", "ready", "failed", "canceled"]


class BatchInput(Contract, frozen=True):
    batch_id: str


class BatchCount(Contract, frozen=True):
    documents: int


class SettleBatchInput(Contract, frozen=True):
    """What the batch's workflow is doing now."""

    batch_id: str
    state: BatchState
    parallelism: int
    reason: Reason | None = None


class UnpackInput(Contract, frozen=True):
    """The archive whose files become the batch's documents."""

    batch_id: str
    knowledge_base_id: str
    sha256: str
    actor: str


class Unpacked(Contract, frozen=True):
    """``skipped`` members were left out: folders' litter, unsafe names, links."""

    documents: int
    skipped: int


class NextDocumentsInput(Contract, frozen=True):
    """``page`` names the request: asked again, it is answered the same."""

    batch_id: str
    page: str
    limit: int


class NextDocuments(Contract, frozen=True):
    """``closed`` when no more documents can come into the batch."""

    documents: list[Dispatch]
    closed: bool


class DocumentVersion(Contract, frozen=True):
    document_id: str
    version: int


class FinishedInput(Contract, frozen=True):
    versions: list[DocumentVersion]


class Finished(Contract, frozen=True):
    """Those of the versions that are ready, failed, canceled or gone."""

    versions: list[DocumentVersion]
