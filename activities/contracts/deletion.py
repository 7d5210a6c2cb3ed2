"""Inputs and results of deletions: of a document, of a knowledge base, of a version's rows."""

from __future__ import annotations

from activities.contracts import Contract


class PurgeInput(Contract, frozen=True):
    """The rows to purge: those of ``versions``, or all rows of a deleted document when ``versions`` is None.

    A version that is live keeps its rows.
    """

    knowledge_base_id: str
    document_id: str
    versions: list[int] | None = None


class Purged(Contract, frozen=True):
    """Receipt of a purge: numbers of Milvus rows before and after."""

    before: int
    after: int


class StopRunsInput(Contract, frozen=True):
    """The runs to stop: those of one document, or all runs of the knowledge base when ``document_id`` is None."""

    knowledge_base_id: str
    document_id: str | None = None
    actor: str = ""


class Stopped(Contract, frozen=True):
    """The number of runs that were canceled."""

    runs: int


class RemoveInput(Contract, frozen=True):
    """The document whose blobs and catalogue rows are removed."""

    document_id: str


class KnowledgeBaseInput(Contract, frozen=True):
    """The deleted knowledge base whose collections and documents are removed."""

    knowledge_base_id: str


class Removed(Contract, frozen=True):
    blobs: int


class DeleteJob(Contract, frozen=True):
    """A document to purge; the catalogue already excludes it from search."""

    knowledge_base_id: str
    knowledge_base: str
    document_id: str
    document_name: str
    actor: str


class DeleteKnowledgeBaseJob(Contract, frozen=True):
    """A knowledge base to purge; the catalogue already hides it."""

    knowledge_base_id: str
    knowledge_base: str
    actor: str
