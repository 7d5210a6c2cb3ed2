"""Inputs and receipts of deletions: of a document, of a knowledge base, of a version's rows."""

from __future__ import annotations

from activities.contracts import Contract


class PurgeInput(Contract, frozen=True):
    """Rows to purge: those of ``versions``, or of the whole document when it is None."""

    knowledge_base_id: str
    document_id: str
    versions: list[int] | None = None


class Purged(Contract, frozen=True):
    """Receipt of a purge: Milvus rows before and after."""

    before: int
    after: int


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


class DeleteJob(Contract, frozen=True):
    """A document that was already taken out of every answer; what it left is purged."""

    knowledge_base_id: str
    knowledge_base: str
    document_id: str
    document_name: str
    actor: str


class DeleteKnowledgeBaseJob(Contract, frozen=True):
    """A knowledge base that was already hidden; what it left is purged."""

    knowledge_base_id: str
    knowledge_base: str
    actor: str
