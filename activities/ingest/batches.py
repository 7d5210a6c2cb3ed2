"""Activities of a batch's workflow on the catalogue: reads the next documents and records the batch's state."""

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
        """The batch's next queued documents; repeating a ``page`` returns the same documents."""
        documents, closed = await self._batches.next_documents(input.batch_id, input.page, input.limit)
        return NextDocuments(documents=documents, closed=closed)

    @activity.defn(name="finished_documents")
    async def finished_documents(self, input: FinishedInput) -> Finished:
        """The versions among ``input.versions`` that are ready, failed, canceled or removed."""
        requested = [(item.document_id, item.version) for item in input.versions]
        finished = await self._batches.finished(requested)
        return Finished(versions=[DocumentVersion(document_id=id, version=version) for id, version in finished])

    @activity.defn(name="close_batch")
    async def close_batch(self, input: BatchInput) -> None:
        """Closes the batch, so that no more documents can join."""
        await self._batches.close(input.batch_id)

    @activity.defn(name="settle_batch")
    async def record_batch_state(self, input: RecordBatchStateInput) -> None:
        """Records the batch's state and parallelism."""
        await self._batches.record_state(input.batch_id, input.state, input.reason, input.parallelism)

    @activity.defn(name="cancel_queued")
    async def cancel_queued(self, input: BatchInput) -> BatchCount:
        """Cancels the documents that are still queued; returns their number."""
        return BatchCount(documents=await self._batches.cancel_queued(input.batch_id))

    @activity.defn(name="requeue_failed")
    async def requeue_failed(self, input: BatchInput) -> BatchCount:
        """Requeues failed and canceled documents; returns their number."""
        return BatchCount(documents=await self._batches.requeue_failed(input.batch_id))
