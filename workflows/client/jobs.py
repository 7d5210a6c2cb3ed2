"""Starts workflows and steers them from outside. Ids are deterministic: a second start has no effect."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from async_lru import alru_cache
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDReusePolicy

from activities.contracts import addresses, described
from activities.contracts.bulk import BulkJob
from activities.contracts.deletion import DeleteJob, DeleteKnowledgeBaseJob
from activities.contracts.ids import (
    ingest_id,
    question_id,
    reconcile_id,
    reindex_workflow_id,
    retry_failures_id,
    webhook_workflow_id,
)
from activities.contracts.queues import Queue
from activities.contracts.reindex import ReindexToRun
from activities.contracts.reindex_all import ReindexAllToRun
from activities.contracts.search_attributes import attributes
from activities.contracts.webhooks import DeliveryToMake
from activities.runtime import starts, temporal
from workflows.answer import AnswerQuestion
from workflows.contracts import BatchJob, DeliveryJob, IngestJob, QuestionJob, ReconcileJob, RetryFailuresJob
from workflows.ingest import IngestDocument
from workflows.reconcile import Reconcile
from workflows.reindex import ReindexKnowledgeBase
from workflows.retry_failures import RetryFailures
from workflows.webhooks import DeliverWebhook

#: Seconds for which a successful ping is cached.
PING_SECONDS = 1.0

PING_TIMEOUT = timedelta(seconds=2)

#: Deadline for a worker to accept an update.
UPDATE_TIMEOUT = timedelta(seconds=10)

#: Deadline for a knowledge base to have returned to its index from before.
ROLLBACK_TIMEOUT = timedelta(seconds=30)


class Jobs:
    """Starts workflows. Starting a job that already runs returns the id of the running one."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def ping(self) -> None:
        """Raises TemporalUnavailable unless Temporal answers."""
        async with temporal.translated():
            await self.client.service_client.check_health(timeout=PING_TIMEOUT)

    @alru_cache(ttl=PING_SECONDS)
    async def ensure_available(self) -> None:
        """Raises TemporalUnavailable if Temporal cannot take work; success is cached for ``PING_SECONDS``."""
        await self.ping()

    async def ingest(self, job: IngestJob) -> bool:
        """Start an ingestion; False while an earlier run of the version has not ended, which must not be joined.

        The run asks the catalogue whether it is wanted: an unnecessary start has no effect.
        """
        return await starts.ingest(self.client, job)

    async def batch(self, job: BatchJob, signal: str, *arguments: object, again: bool = True) -> bool:
        """Start a batch unless it runs; ``signal`` reaches it in either case.

        Unless ``again``, a batch whose run has ended is not started again; the result is then False.
        """
        reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE if again else WorkflowIDReusePolicy.REJECT_DUPLICATE
        return await starts.batch(self.client, job, signal=signal, arguments=arguments, reuse=reuse)

    async def signal(self, workflow_id: str, name: str, *arguments: object) -> bool:
        """Send a signal to a run; False if there is none or it has ended."""
        return await temporal.signal(self.client, workflow_id, name, *arguments)

    async def retry(self, document_id: str, version: int, from_step: str | None, actor: str) -> bool:
        """Send a run back to a stage; False if there is none or it has ended."""
        try:
            async with temporal.translated():
                await self.handle(ingest_id(document_id, version)).execute_update(
                    IngestDocument.retry, args=[from_step, actor], rpc_timeout=UPDATE_TIMEOUT
                )
        except (WorkflowUpdateFailedError, temporal.RunNotFound):
            return False
        return True

    async def delete(self, job: DeleteJob) -> str:
        """Start a document's deletion; returns the workflow's id."""
        return await starts.delete_document(self.client, job)

    async def delete_knowledge_base(self, job: DeleteKnowledgeBaseJob) -> str:
        """Start a knowledge base's deletion; returns the workflow's id."""
        return await starts.delete_knowledge_base(self.client, job)

    async def change_documents(self, job: BulkJob) -> str:
        """Start a change of many documents; returns the workflow's id."""
        return await starts.change_documents(self.client, job)

    async def reindex(self, job: ReindexToRun) -> str:
        """Start a re-index; returns the workflow's id."""
        return await starts.reindex(self.client, job)

    async def reindex_all(self, job: ReindexAllToRun) -> str:
        """Start a re-index of many knowledge bases; returns the workflow's id."""
        return await starts.reindex_all(self.client, job)

    async def roll_back(self, knowledge_base_id: str, generation: int, actor: str) -> bool:
        """Return to the index before a re-index; False if its run is not at a stage where that is possible."""
        handle = self.handle(reindex_workflow_id(knowledge_base_id, generation))
        try:
            async with temporal.translated():
                await handle.execute_update(ReindexKnowledgeBase.rollback, actor, rpc_timeout=ROLLBACK_TIMEOUT)
        except (WorkflowUpdateFailedError, temporal.RunNotFound):
            return False
        return True

    async def deliver(self, delivery: DeliveryToMake, type: str, knowledge_base: str | None, *, again: bool) -> str:
        """Start a delivery of a webhook; with ``again`` a run that waits tries at once. Returns the workflow's id."""
        job = DeliveryJob(**{name: getattr(delivery, name) for name in delivery.__struct_fields__})
        return await temporal.start(
            self.client,
            DeliverWebhook.run,
            job,
            webhook_workflow_id(job.event_id, job.endpoint_id),
            described.summary(f"Tell a webhook of {type}", "system"),
            attributes(knowledge_base, "system"),
            details=described.details(addresses.webhook(job.endpoint_id), "system"),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            first_signal="retry" if again else None,
        )

    async def answer(self, job: QuestionJob) -> str:
        """Start answering a question; returns the workflow's id."""
        return await temporal.start(
            self.client,
            AnswerQuestion.run,
            job,
            question_id(job.question_id),
            f"Answer a question of {job.actor} from {job.knowledge_base} ({job.mode})",
            attributes(job.knowledge_base, job.actor, stage="running"),
            details=described.details(addresses.question_record(job.question_id), job.actor),
            queue=Queue.ANSWER,
        )

    async def reconcile(self, job: ReconcileJob) -> str:
        """Start a reconciliation; returns the workflow's id."""
        what = f"Compare catalogue, blobs, Milvus and Temporal{'; repair differences' if job.repair else ''}"
        return await temporal.start(
            self.client,
            Reconcile.run,
            job,
            reconcile_id(job.reconcile_id),
            described.summary(what, job.actor),
            attributes(None, job.actor),
            details=described.details(addresses.reconciliation(job.reconcile_id), job.actor),
        )

    async def retry_failures(self, job: RetryFailuresJob) -> str:
        """Retry all documents that failed for one reason; returns the workflow's id. One that runs is extended."""
        return await temporal.start(
            self.client,
            RetryFailures.run,
            job,
            retry_failures_id(job.code, job.knowledge_base_id),
            described.summary(
                f"Retry documents that failed ({job.code}) in {job.knowledge_base or 'all knowledge bases'}", job.actor
            ),
            attributes(job.knowledge_base, job.actor),
            details=described.details(addresses.OPERATIONS, job.actor),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            first_signal="more",
            signal_arguments=(job,),
        )

    async def cancel(self, workflow_id: str, actor: str = "") -> bool:
        """Request the cancellation of a run; False if there is none or it has ended, which Temporal does not tell."""
        running = await temporal.is_running(self.client, workflow_id)
        return running and await temporal.cancel(self.client, workflow_id, actor)

    async def forget(self, workflow_id: str) -> None:
        """Delete a run with its history, even while it runs; a run that does not exist is ignored."""
        request = DeleteWorkflowExecutionRequest(
            namespace=self.client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
        )
        with suppress(temporal.RunNotFound):
            async with temporal.translated():
                await self.client.workflow_service.delete_workflow_execution(request, timeout=temporal.RPC_TIMEOUT)

    def handle(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        """The handle of a run by its id."""
        return self.client.get_workflow_handle(workflow_id)
