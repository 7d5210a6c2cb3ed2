"""Deletion: purges an unpublished document or knowledge base, verifies it, and returns a receipt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

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
    from activities.runtime.failures import final_failure, reason_of
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
        """Delete in stages. The receipt holds the number of rows before and after (0).

        Raises ApplicationError, typed by the reason's code, for a document that is not deleted.
        """
        with _ending(self._progress):
            return await self._delete(job)

    async def _delete(self, job: DeleteJob) -> DeleteReceipt:
        if workflow.patched(STOP_RUNS):
            runs = StopRunsInput(knowledge_base_id=job.knowledge_base_id, document_id=job.document_id, actor=job.actor)
            await _stop_runs(runs, self._priority, self._progress)
        self._progress.enter("purge_rows")
        purged = await workflow.execute_activity(
            signatures.purge_rows,
            PurgeInput(knowledge_base_id=job.knowledge_base_id, document_id=job.document_id),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Purge the rows of {job.document_name}",
            **LONG_STEP,
        )
        self._progress.count(purged.before)
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
        """Delete in stages. The receipt holds the number of rows before and after (0).

        Raises ApplicationError, typed by the reason's code, for a knowledge base that is not deleted.
        """
        with _ending(self._progress):
            return await self._delete(job)

    async def _delete(self, job: DeleteKnowledgeBaseJob) -> DeleteReceipt:
        input = KnowledgeBaseInput(knowledge_base_id=job.knowledge_base_id)
        if workflow.patched(STOP_RUNS):
            runs = StopRunsInput(knowledge_base_id=job.knowledge_base_id, actor=job.actor)
            await _stop_runs(runs, self._priority, self._progress)
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


@contextmanager
def _ending(progress: Progress) -> Iterator[None]:
    """Ends the workflow with the reason of an activity that failed for good."""
    try:
        yield
    except ActivityError as exc:
        if is_cancelled_exception(exc):
            raise
        progress.finish("failed")
        raise final_failure(reason_of(exc)) from exc


async def _stop_runs(runs: StopRunsInput, priority: Priority, progress: Progress) -> Stopped:
    progress.enter("stop_runs")
    return await workflow.execute_activity(
        signatures.stop_runs,
        runs,
        task_queue=Queue.STORE,
        priority=priority,
        summary="Stop running ingestions",
        **LONG_STEP,
    )
