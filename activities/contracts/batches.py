"""Inputs and results of a batch's steps."""

from __future__ import annotations

from activities.contracts import Contract
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.stages import BatchState
from activities.errors import Reason


class BatchInput(Contract, frozen=True):
    batch_id: str


class BatchCount(Contract, frozen=True):
    documents: int


class RecordBatchStateInput(Contract, frozen=True):
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

    documents: list[DocumentToIngest]
    closed: bool


class DocumentVersion(Contract, frozen=True):
    document_id: str
    version: int


class FinishedInput(Contract, frozen=True):
    versions: list[DocumentVersion]


class Finished(Contract, frozen=True):
    """Those of the versions that are ready, failed, canceled or gone."""

    versions: list[DocumentVersion]
