"""Inputs and results of retrying all documents that failed for one reason."""

from __future__ import annotations

from datetime import datetime

from activities.contracts import Contract
from activities.contracts.batches import DocumentVersion
from activities.contracts.ingest import DocumentToIngest


class FailuresToRetry(Contract, frozen=True):
    """Documents that failed for the reason ``code`` until ``before``, in one knowledge base or (None) in all."""

    code: str
    before: datetime
    actor: str
    knowledge_base_id: str | None = None
    knowledge_base: str | None = None


class RequeueFailuresInput(FailuresToRetry, frozen=True, kw_only=True):
    """The next ``limit`` of them."""

    limit: int


class DocumentToRetry(DocumentToIngest, frozen=True, kw_only=True):
    """The input of the document's run. One of many that are retried together yields to those that are uploaded."""

    priority: int


class FailuresRequeued(Contract, frozen=True):
    """Those that were put back in line; none when there are no more."""

    versions: list[DocumentVersion]
