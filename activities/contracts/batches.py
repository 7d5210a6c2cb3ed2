"""Inputs and results of a batch's activities."""

from __future__ import annotations

from activities.contracts import Contract
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.stages import BatchState
from activities.errors import Reason


class BatchToIngest(Contract, frozen=True):
    """Documents added together, or an archive that is unpacked first."""

    batch_id: str
    knowledge_base_id: str
    knowledge_base: str
    name: str
    actor: str
    parallelism: int
    archive_sha256: str | None = None


class DocumentVersion(Contract, frozen=True):
    document_id: str
    version: int


class BatchInput(Contract, frozen=True):
    batch_id: str


class BatchCount(Contract, frozen=True):
    documents: int


class CancelQueuedInput(BatchInput, frozen=True):
    """``running`` are documents that the batch's workflow has started: their runs end by themselves."""

    running: list[DocumentVersion] = []


class QueuedCanceled(Contract, frozen=True):
    """The number of documents that were canceled, and those that are still pending because they have a run."""

    documents: int
    running: list[DocumentVersion] = []


class RecordBatchStateInput(Contract, frozen=True):
    """The current state of the batch's workflow."""

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
    """Counts of an unpacked archive; ``skipped`` members are desktop metadata files, unsafe names and links."""

    documents: int
    skipped: int


class NextDocumentsInput(Contract, frozen=True):
    """Request for a batch's next documents; repeating a request with the same ``page`` returns the same documents."""

    batch_id: str
    page: str
    limit: int


class NextDocuments(Contract, frozen=True):
    """``closed`` is True when no more documents can join the batch.

    ``elsewhere`` counts the pending documents that the batch does not start: those that are paused before they have a
    run, and those that a user has resumed or retried one by one.
    """

    documents: list[DocumentToIngest]
    closed: bool
    elsewhere: int = 0


class FinishedInput(Contract, frozen=True):
    versions: list[DocumentVersion]


class Finished(Contract, frozen=True):
    """The requested versions that are ready, failed, canceled or removed, and those that no run has begun."""

    versions: list[DocumentVersion]
    not_begun: list[DocumentVersion] = []
