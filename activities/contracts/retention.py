"""Inputs and results of a retention, which deletes the documents of a knowledge base that were uploaded long ago."""

from __future__ import annotations

from datetime import datetime

from activities.contracts import Contract
from activities.contracts.deletion import DeleteJob
from activities.contracts.schedules import RetentionOptions


class RetentionToRun(Contract, frozen=True):
    """Documents last uploaded before ``cutoff`` are to go; ``record_id`` is the scheduled run that it belongs to."""

    record_id: str
    schedule: str
    knowledge_base_id: str
    knowledge_base: str
    cutoff: datetime
    options: RetentionOptions
    actor: str


class ExpiredInput(Contract, frozen=True):
    """At most ``limit`` documents, oldest first, after the cursor ``after`` of the call before."""

    knowledge_base_id: str
    cutoff: datetime
    options: RetentionOptions
    after: str = ""
    limit: int = 0


class Expired(Contract, frozen=True):
    """``documents`` are all that the knowledge base has, ``matching`` those of the filter, ``expired`` are to go."""

    documents: int
    matching: int
    expired: int

    def share(self) -> float:
        """The share of the documents that would go."""
        return self.expired / self.documents if self.documents else 0.0


class ExpiredDocument(Contract, frozen=True):
    document_id: str
    name: str
    uploaded_at: datetime


class ExpiredPage(Contract, frozen=True):
    """``next`` is the cursor of the next call; None when nothing is left."""

    documents: list[ExpiredDocument] = []
    next: str | None = None


class UnpublishExpiredInput(Contract, frozen=True):
    """Documents to take out of search, unless they were replaced, or do not match any more."""

    knowledge_base_id: str
    knowledge_base: str
    cutoff: datetime
    options: RetentionOptions
    document_ids: list[str]
    actor: str


class Unpublished(Contract, frozen=True):
    """Documents that nobody finds any more, and that are to be purged."""

    deletions: list[DeleteJob] = []
