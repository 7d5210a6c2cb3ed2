"""Inputs and results of the ingestion activities: parse, chunk, embed, index, publish.

Values in Temporal's history are references and counts, never document text: ``*_key`` fields name blobs
(see ``activities.stores.blob_keys``). A field with a default can be added without breaking a running workflow.
"""

from __future__ import annotations

import msgspec

from activities.contracts import Contract
from activities.contracts.documents import Chunking, Remark
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.reindex import Target
from activities.errors import Reason


class DocumentToIngest(Contract, frozen=True):
    """One version of one document that is to be ingested.

    ``retry_from`` is the stage from which all output is rebuilt. ``supersedes`` is the older version whose run must
    stop, set if that version was pending when this one was accepted. ``generation`` is the index generation that the
    whole run writes to; None, in runs started before the field existed, means the current live one. ``run`` counts the
    runs of the version, each retry being the next one; 0 in runs started before the field existed. ``embedding`` is
    the model of ``generation``; None, here and in the inputs of activities, is the default one. ``request`` is the
    request that asked for it, for who starts the run: the run itself does not have it.
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
    run: int = 0
    embedding: EmbeddingModel | None = None
    request: str | None = None


class VersionRun(Contract, frozen=True):
    """One run of a version."""

    document_id: str
    version: int
    run: int


class ParseInput(Contract, frozen=True):
    """``force`` rebuilds the output even if it exists; the same holds for the other activities.

    With ``chunking`` the same activity also chunks the document: for short documents, scheduling another activity
    costs more than the work. With ``begins`` it first begins this run in the catalogue, and raises WrongState when the
    catalogue does not want the run.
    """

    sha256: str
    document_name: str
    bytes: int
    force: bool = msgspec.field(default=False, name="fresh")
    chunking: Chunking | None = None
    begins: VersionRun | None = None
    embedding: EmbeddingModel | None = None


class Parsed(Contract, frozen=True):
    parsed_key: str
    elements: int
    characters: int
    media_type: str
    pages: int | None = None
    chunked: Chunked | None = None
    remarks: list[Remark] = []


class ChunkInput(Contract, frozen=True):
    """``document_name`` belongs to the context of every chunk; empty in runs started before the field existed."""

    parsed_key: str
    chunking: Chunking
    force: bool = msgspec.field(default=False, name="fresh")
    document_name: str = ""
    embedding: EmbeddingModel | None = None


class Chunked(Contract, frozen=True):
    chunks_key: str
    chunks: int
    tokens: int


class EmbedInput(Contract, frozen=True):
    """``slice_seconds`` is the time after which the activity yields its slot; the rest is embedded by a later call.

    With ``index`` the same activity also writes the rows; the vector and model fields of ``index`` are filled in from
    the result. Vectors of the version before, and of other generations than ``generation``, are reused.
    """

    document_id: str
    version: int
    chunks_key: str
    force: bool = msgspec.field(default=False, name="fresh")
    slice_seconds: float | None = None
    index: IndexInput | None = None
    generation: int | None = None
    embedding: EmbeddingModel | None = None


class Embedded(Contract, frozen=True):
    """Counts of chunks: ``embedded`` by the model, ``reused`` because their vectors existed, ``remaining`` to embed.

    While ``remaining`` is not 0 the activity must be called again, and the blob ``vectors_key`` does not exist yet.
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
    """A version whose rows are written into the collection of ``generation``.

    With ``publish`` the same activity also publishes the version, after its rows were counted.
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
        """A copy that refers to the vectors of ``embedded``."""
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
    """A version whose rows (``chunks`` of them) are in ``generation``, and the blobs they were made from.

    With ``knowledge_base_id`` the activity also purges the rows of the version that is replaced. With ``record_only``
    it records that the version, which is live already, is in ``generation`` too.
    """

    document_id: str
    version: int
    chunks: int
    media_type: str
    parsed_key: str
    chunks_key: str
    vectors_key: str = ""
    pages: int | None = None
    generation: int | None = None
    knowledge_base_id: str = ""
    remarks: list[Remark] = []
    record_only: bool = False


class Published(Contract, frozen=True):
    """``live`` is False when a newer version is live or this one was canceled or deleted; ``retired`` can be purged.

    While a knowledge base is re-indexed it is also False until the version is in the generations ``also``.
    """

    live: bool
    retired: list[int] = []
    also: list[Target] = []


class FailureRecorded(Contract, frozen=True):
    """``purge`` is False when the version had already been published: its rows must then be kept."""

    purge: bool


class RecordFailureInput(Contract, frozen=True):
    document_id: str
    version: int
    reason: Reason
    canceled: bool = False


class EndRunInput(Contract, frozen=True):
    """A run that ends without publishing its version, with the reason; ``run`` as in ``DocumentToIngest``."""

    knowledge_base_id: str
    document_id: str
    version: int
    run: int
    reason: Reason
    canceled: bool = False


class RunEnded(Contract, frozen=True):
    """``live`` is True when the version had been published before: it then stays live, with its rows."""

    live: bool


class PauseInput(Contract, frozen=True):
    """A version whose run was paused (``paused``) or resumed."""

    document_id: str
    version: int
    paused: bool
