"""Inputs and results of the ingestion steps: parse, chunk, embed, index, publish.

Values in Temporal's history are references and counts, never document text: ``*_key`` fields name blobs
(see ``activities.stores.blob_keys``). A field with a default can be added without breaking a running workflow."""

from __future__ import annotations

import msgspec

from activities.contracts import Contract
from activities.contracts.documents import Chunking
from activities.errors import Reason


class DocumentToIngest(Contract, frozen=True):
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
    """``force`` makes the output anew even if it is there; likewise in the other steps.

    With ``chunking`` the document is cut in the same go: for short ones, handing over costs more than the work.
    """

    sha256: str
    document_name: str
    bytes: int
    force: bool = msgspec.field(default=False, name="fresh")
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
    force: bool = msgspec.field(default=False, name="fresh")


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
    force: bool = msgspec.field(default=False, name="fresh")
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


class RecordFailureInput(Contract, frozen=True):
    document_id: str
    version: int
    reason: Reason
    canceled: bool = False


class PauseInput(Contract, frozen=True):
    """A version whose run was paused, or goes on."""

    document_id: str
    version: int
    paused: bool
