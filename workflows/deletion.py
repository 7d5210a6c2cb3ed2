"""Deletion: purges an unpublished document or knowledge base, verifies it, and returns a receipt."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.deletion import (
        DeleteJob,
        DeleteKnowledgeBaseJob,
        KnowledgeBaseInput,
        PurgeInput,
        RemoveInput,
        Stopped,
        StopRunsInput,
    )
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.stages import DELETE_KNOWLEDGE_BASE_STAGES, DELETE_STAGES
    from workflows.contracts import DeleteReceipt, JobState
    from workflows.policies import LONG_STEP
    from workflows.stages import Progress


#: Patch since 0.1.0: runs that could still write are stopped, and have ended, before anything is purged.
STOP_RUNS = "stop-runs-first"


@workflow.defn
class DeleteDocument:
    """stop runs → purge rows → remove blobs and records → receipt. The API has already unpublished the document."""

    @workflow.init
    def __init__(self, job: DeleteJob) -> None:
        self._progress = Progress(DELETE_STAGES)
        self._priority = Priority(priority_key=Urgency.UPLOAD, fairness_key=job.knowledge_base_id)

    @workflow.query
    def state(self) -> JobState:
        """Stage and state."""
        return self._progress.state()

    @workflow.run
    async def run(self, job: DeleteJob) -> DeleteReceipt:
        """Delete in stages. The receipt holds the number of rows before and after (0)."""
        if workflow.patched(STOP_RUNS):
            await _stop_runs(job.knowledge_base_id, job.document_id, self._priority, self._progress)
        self._progress.enter("purge_rows")
        purged = await workflow.execute_activity(
            signatures.purge_rows,
            PurgeInput(knowledge_base_id=job.knowledge_base_id, document_id=job.document_id),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Purge the rows of {job.document_name}",
            **LONG_STEP,
        )
        self._progress.enter("remove_document")
        removed = await workflow.execute_activity(
            signatures.remove_document,
            RemoveInput(document_id=job.document_id),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Remove the files of {job.document_name}",
            **LONG_STEP,
        )
        self._progress.finish("ready")
        return DeleteReceipt(rows_before=purged.before, rows_after=purged.after, blobs=removed.blobs)


@workflow.defn
class DeleteKnowledgeBase:
    """stop runs → drop collections → remove all documents → receipt. The API has already hidden the knowledge base."""

    @workflow.init
    def __init__(self, job: DeleteKnowledgeBaseJob) -> None:
        self._progress = Progress(DELETE_KNOWLEDGE_BASE_STAGES)
        self._priority = Priority(priority_key=Urgency.UPLOAD, fairness_key=job.knowledge_base_id)

    @workflow.query
    def state(self) -> JobState:
        """Stage and state."""
        return self._progress.state()

    @workflow.run
    async def run(self, job: DeleteKnowledgeBaseJob) -> DeleteReceipt:
        """Delete in stages. The receipt holds the number of rows before and after (0)."""
        input = KnowledgeBaseInput(knowledge_base_id=job.knowledge_base_id)
        if workflow.patched(STOP_RUNS):
            await _stop_runs(job.knowledge_base_id, None, self._priority, self._progress)
        self._progress.enter("drop_collections")
        purged = await workflow.execute_activity(
            signatures.drop_collections,
            input,
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Drop the collections of {job.knowledge_base}",
            **LONG_STEP,
        )
        self._progress.enter("remove_documents")
        removed = await workflow.execute_activity(
            signatures.remove_documents,
            input,
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Remove the documents of {job.knowledge_base}",
            **LONG_STEP,
        )
        self._progress.finish("ready")
        return DeleteReceipt(rows_before=purged.before, rows_after=purged.after, blobs=removed.blobs)


async def _stop_runs(
    knowledge_base_id: str, document_id: str | None, priority: Priority, progress: Progress
) -> Stopped:
    progress.enter("stop_runs")
    return await workflow.execute_activity(
        signatures.stop_runs,
        StopRunsInput(knowledge_base_id=knowledge_base_id, document_id=document_id),
        task_queue=Queue.STORE,
        priority=priority,
        summary="Stop running ingestions",
        **LONG_STEP,
    )
