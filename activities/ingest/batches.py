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
    RecordBatchStateInput,
)
from activities.stores.catalog.catalog import Catalog


class BatchActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._batches = catalog.batches

    @activity.defn(name="next_documents")
    async def next_documents(self, input: NextDocumentsInput) -> NextDocuments:
        """The batch's next queued documents; the same page again is the same documents."""
        documents, closed = await self._batches.next_documents(input.batch_id, input.page, input.limit)
        return NextDocuments(documents=documents, closed=closed)

    @activity.defn(name="finished_documents")
    async def finished_documents(self, input: FinishedInput) -> Finished:
        """Which of the documents are at their end."""
        asked = [(each.document_id, each.version) for each in input.versions]
        found = await self._batches.finished(asked)
        return Finished(versions=[DocumentVersion(document_id=id, version=version) for id, version in found])

    @activity.defn(name="close_batch")
    async def close_batch(self, input: BatchInput) -> None:
        """No more documents may join."""
        await self._batches.close(input.batch_id)

    @activity.defn(name="settle_batch")
    async def record_batch_state(self, input: RecordBatchStateInput) -> None:
        """Note the batch's state and parallelism."""
        await self._batches.record_state(input.batch_id, input.state, input.reason, input.parallelism)

    @activity.defn(name="cancel_queued")
    async def cancel_queued(self, input: BatchInput) -> BatchCount:
        """Cancel the documents that have not begun."""
        return BatchCount(documents=await self._batches.cancel_queued(input.batch_id))

    @activity.defn(name="requeue_failed")
    async def requeue_failed(self, input: BatchInput) -> BatchCount:
        """Put failed and canceled documents back in line."""
        return BatchCount(documents=await self._batches.requeue_failed(input.batch_id))
