"""Activities of a batch's workflow on the catalogue: reads the next documents and records the batch's state."""

from __future__ import annotations

from collections.abc import Iterable

from temporalio import activity

from activities.contracts.batches import (
    BatchCount,
    BatchInput,
    CancelQueuedInput,
    DocumentVersion,
    Finished,
    FinishedInput,
    NextDocuments,
    NextDocumentsInput,
    QueuedCanceled,
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
        is_last = closed and len(documents) < input.limit
        elsewhere = await self._batches.elsewhere(input.batch_id) if is_last else 0
        return NextDocuments(documents=documents, closed=closed, elsewhere=elsewhere)

    @activity.defn(name="finished_documents")
    async def finished_documents(self, input: FinishedInput) -> Finished:
        """The versions among ``input.versions`` that have ended, and those that no run has begun."""
        finished, not_begun = await self._batches.finished(_pairs(input.versions))
        return Finished(versions=_versions(finished), not_begun=_versions(not_begun))

    @activity.defn(name="close_batch")
    async def close_batch(self, input: BatchInput) -> None:
        """Closes the batch, so that no more documents can join."""
        await self._batches.close(input.batch_id)

    @activity.defn(name="settle_batch")
    async def record_batch_state(self, input: RecordBatchStateInput) -> None:
        """Records the batch's state and parallelism."""
        await self._batches.record_state(input.batch_id, input.state, input.reason, input.parallelism)

    @activity.defn(name="cancel_queued")
    async def cancel_queued(self, input: CancelQueuedInput) -> QueuedCanceled:
        """Cancels the documents that have no run yet; returns their number, and the documents that have one."""
        documents, running = await self._batches.cancel_queued(input.batch_id, _pairs(input.running))
        return QueuedCanceled(documents=documents, running=_versions(running))

    @activity.defn(name="requeue_failed")
    async def requeue_failed(self, input: BatchInput) -> BatchCount:
        """Requeues failed and canceled documents; returns their number."""
        return BatchCount(documents=await self._batches.requeue_failed(input.batch_id))


def _pairs(versions: Iterable[DocumentVersion]) -> list[tuple[str, int]]:
    return [(version.document_id, version.version) for version in versions]


def _versions(pairs: Iterable[tuple[str, int]]) -> list[DocumentVersion]:
    return [DocumentVersion(document_id=document_id, version=version) for document_id, version in pairs]
