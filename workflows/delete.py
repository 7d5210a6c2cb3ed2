"""Deletion: what was taken out of every answer is purged, verified, and acknowledged with a receipt."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from activities import contracts as step
    from activities.contracts import Priority as Urgency
    from activities.contracts import Queue
    from workflows.contracts import (
        DELETE_KNOWLEDGE_BASE_STAGES,
        DELETE_STAGES,
        DeleteJob,
        DeleteKnowledgeBaseJob,
        DeleteReceipt,
        JobState,
    )
    from workflows.policies import LONG_STEP
    from workflows.progress import Progress


@workflow.defn
class DeleteDocument:
    """purge rows → remove blobs and records → receipt. The API has already unpublished the document."""

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
        """The receipt says how many rows there were, and that none are left."""
        self._progress.enter("purge_rows")
        purged = await workflow.execute_activity(
            step.purge_rows,
            step.PurgeInput(knowledge_base_id=job.knowledge_base_id, document_id=job.document_id),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Purge the rows of {job.document_name}",
            **LONG_STEP,
        )
        self._progress.enter("remove_document")
        removed = await workflow.execute_activity(
            step.remove_document,
            step.RemoveInput(document_id=job.document_id),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Remove the files of {job.document_name}",
            **LONG_STEP,
        )
        self._progress.finish("ready")
        return DeleteReceipt(rows_before=purged.before, rows_after=purged.after, blobs=removed.blobs)


@workflow.defn
class DeleteKnowledgeBase:
    """drop collections → remove all documents → receipt. The API has already hidden the knowledge base."""

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
        """The receipt says how many rows there were, and that none are left."""
        which = step.KnowledgeBaseInput(knowledge_base_id=job.knowledge_base_id)
        self._progress.enter("drop_collections")
        purged = await workflow.execute_activity(
            step.drop_collections,
            which,
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Drop the collections of {job.knowledge_base}",
            **LONG_STEP,
        )
        self._progress.enter("remove_documents")
        removed = await workflow.execute_activity(
            step.remove_documents,
            which,
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Remove the documents of {job.knowledge_base}",
            **LONG_STEP,
        )
        self._progress.finish("ready")
        return DeleteReceipt(rows_before=purged.before, rows_after=purged.after, blobs=removed.blobs)
