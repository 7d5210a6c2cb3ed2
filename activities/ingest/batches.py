"""What a batch's workflow asks of the catalogue: its next documents, and to note what it is doing."""

from __future__ import annotations

from temporalio import activity

from activities.contracts.batches import (
    BatchCount,
    BatchInput,
    DocumentVersion,
    Finished,
    FinishedInput,
    NextDocuments,
    NextDocumentsInput,
    SettleBatchInput,
)
from activities.stores.catalog.catalog import Catalog


class BatchActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._batches = catalog.batches

    @activity.defn(name="next_documents")
    async def next_documents(self, job: NextDocumentsInput) -> NextDocuments:
        """The batch's next queued documents; the same page again is the same documents."""
        documents, closed = await self._batches.next_documents(job.batch_id, job.page, job.limit)
        return NextDocuments(documents=documents, closed=closed)

    @activity.defn(name="finished_documents")
    async def finished_documents(self, job: FinishedInput) -> Finished:
        """Which of the documents are at their end."""
        asked = [(each.document_id, each.version) for each in job.versions]
        found = await self._batches.finished(asked)
        return Finished(versions=[DocumentVersion(document_id=id, version=version) for id, version in found])

    @activity.defn(name="close_batch")
    async def close_batch(self, job: BatchInput) -> None:
        """No more documents may join."""
        await self._batches.close(job.batch_id)

    @activity.defn(name="settle_batch")
    async def settle_batch(self, job: SettleBatchInput) -> None:
        """Note the batch's state and parallelism."""
        await self._batches.settle(job.batch_id, job.state, job.reason, job.parallelism)

    @activity.defn(name="cancel_queued")
    async def cancel_queued(self, job: BatchInput) -> BatchCount:
        """Cancel the documents that have not begun."""
        return BatchCount(documents=await self._batches.cancel_queued(job.batch_id))

    @activity.defn(name="requeue_failed")
    async def requeue_failed(self, job: BatchInput) -> BatchCount:
        """Put failed and canceled documents back in line."""
        return BatchCount(documents=await self._batches.requeue_failed(job.batch_id))
