"""Puts failed documents back in line, a few at a time."""

from __future__ import annotations

from temporalio import activity

from activities.contracts.batches import DocumentVersion
from activities.contracts.failures import FailuresRequeued, RequeueFailuresInput
from activities.stores.catalog.catalog import Catalog


class FailureActivities:
    """Activities of ``RetryFailures``."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @activity.defn(name="requeue_failures")
    async def requeue_failures(self, input: RequeueFailuresInput) -> FailuresRequeued:
        """The next failed documents wait for the dispatcher, like one that is retried by itself."""
        requeued = await self._catalog.operations.failures.requeue(
            input.code, input.knowledge_base_id, input.before, input.limit, input.actor
        )
        return FailuresRequeued(versions=[DocumentVersion(document_id=id, version=number) for id, number in requeued])
