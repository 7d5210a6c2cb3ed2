"""Retries failed documents, a few at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import msgspec
import structlog
from temporalio import activity

from activities.contracts.batches import DocumentVersion
from activities.contracts.failures import DocumentToRetry, FailuresRequeued, RequeueFailuresInput
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.queues import Priority
from activities.errors import DependencyError
from activities.runtime import starts
from activities.stores.catalog.catalog import Catalog

log = structlog.get_logger()


class FailureActivities:
    """Activities of ``RetryFailures``."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @activity.defn(name="requeue_failures")
    async def requeue_failures(self, input: RequeueFailuresInput) -> FailuresRequeued:
        """The next failed documents are in line again, and get runs that yield to uploads.

        One whose run is not started here is started by the dispatcher, like any document in line.
        """
        documents = await self._catalog.operations.failures.requeue(
            input.code, input.knowledge_base_id, input.before, input.limit, input.actor
        )
        started = [document async for document in _started(documents)]
        if started:
            await self._catalog.intake.dispatched(started)
        versions = [DocumentVersion(document_id=each.document_id, version=each.version) for each in documents]
        return FailuresRequeued(versions=versions)


async def _started(documents: Iterable[DocumentToIngest]) -> AsyncIterator[DocumentToIngest]:
    """Those whose runs are started."""
    for document in documents:
        retried = DocumentToRetry(**msgspec.structs.asdict(document), priority=Priority.BATCH)
        try:
            if await starts.ingest(activity.client(), retried):
                yield document
        except DependencyError as exc:
            await log.awarning("runs are left to the dispatcher", dependency=exc.dependency, reason=str(exc))
            return
