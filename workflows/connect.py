"""The connection to Temporal, and starting the platform's jobs: one client, one error table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from async_lru import alru_cache
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import Queue, batch_workflow_id, ingest_id
from activities.converter import data_converter
from activities.errors import TemporalUnavailable
from activities.settings import TemporalSettings
from workflows import contracts
from workflows.answer import AnswerQuestion
from workflows.batch import IngestBatch
from workflows.delete import DeleteDocument, DeleteKnowledgeBase
from workflows.ingest import IngestDocument
from workflows.reconcile import Reconcile

_DOWN = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.ABORTED,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.INTERNAL,
}

#: Seconds for which it is taken as known that Temporal answers.
PING_SECONDS = 1.0
PING_TIMEOUT = timedelta(seconds=2)

#: How long an update may take to be taken in by a worker.
UPDATE_TIMEOUT = timedelta(seconds=10)


async def connect(settings: TemporalSettings, *, lazy: bool = False, metrics: str | None = None) -> Client:
    """A client that speaks our contracts. ``lazy`` connects at the first call, so that an API can start without.

    Raises TemporalUnavailable when it is not lazy and Temporal does not answer.
    """
    runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=metrics))) if metrics else None
    try:
        return await Client.connect(
            settings.address, namespace=settings.namespace, data_converter=data_converter, lazy=lazy, runtime=runtime
        )
    except RuntimeError as exc:
        raise TemporalUnavailable() from exc


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """The error table of calls to Temporal. Other RPC errors (not found …) pass through."""
    try:
        yield
    except RPCError as exc:
        if exc.status in _DOWN:
            raise TemporalUnavailable() from exc
        raise
    except (RuntimeError, TimeoutError) as exc:
        raise TemporalUnavailable() from exc  # the lazy client's first connection failed


class Jobs:
    """Starts workflows. Ids are deterministic: starting a job that runs already returns the running one."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def ping(self) -> None:
        """Raise TemporalUnavailable unless it answers."""
        async with translated():
            await self.client.service_client.check_health(timeout=PING_TIMEOUT)

    @alru_cache(ttl=PING_SECONDS)
    async def answers(self) -> None:
        """Like ``ping``, but what was known a moment ago is good enough: many requests make one call."""
        await self.ping()

    async def ingest(self, job: contracts.IngestJob) -> str:
        """Start an ingestion; the workflow's id.

        That a version is in line is the catalogue's to say: also one whose run was at its end may be again.
        """
        return await self._start(
            IngestDocument.run,
            job,
            ingest_id(job.document_id, job.version),
            f"Index {job.document_name} v{job.version} into {job.knowledge_base}",
            _attributes(job.knowledge_base, job.actor, job.document_id),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def batch(self, job: contracts.BatchJob, signal: str | None = None) -> str:
        """Start a batch, unless it runs; ``signal`` reaches it in either case. The workflow's id."""
        id = batch_workflow_id(job.batch_id)
        async with translated():
            await self.client.start_workflow(
                IngestBatch.run,
                job,
                id=id,
                task_queue=Queue.WORKFLOWS,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=signal,
                static_summary=f"Index the batch {job.name} into {job.knowledge_base}"[:200],
                search_attributes=_attributes(job.knowledge_base, job.actor),
            )
        return id

    async def signal(self, workflow_id: str, name: str, *arguments: object) -> bool:
        """Send a signal to a run; False when there is none, or it has ended."""
        async with translated():
            try:
                await self.handle(workflow_id).signal(name, args=arguments)
            except RPCError as exc:
                if exc.status is not RPCStatusCode.NOT_FOUND:
                    raise
                return False
        return True

    async def retry(self, document_id: str, version: int, from_step: str | None) -> bool:
        """Send a run back to a step; False when there is none, or it is at its end."""
        async with translated():
            try:
                await self.handle(ingest_id(document_id, version)).execute_update(
                    IngestDocument.retry, from_step, rpc_timeout=UPDATE_TIMEOUT
                )
            except WorkflowUpdateFailedError:
                return False
            except RPCError as exc:
                if exc.status is not RPCStatusCode.NOT_FOUND:
                    raise
                return False
        return True

    async def delete(self, job: contracts.DeleteJob) -> str:
        """Start a document's deletion; the workflow's id."""
        return await self._start(
            DeleteDocument.run,
            job,
            contracts.delete_id(job.document_id),
            f"Delete {job.document_name} from {job.knowledge_base}",
            _attributes(job.knowledge_base, job.actor, job.document_id),
        )

    async def delete_knowledge_base(self, job: contracts.DeleteKnowledgeBaseJob) -> str:
        """Start a knowledge base's deletion; the workflow's id."""
        return await self._start(
            DeleteKnowledgeBase.run,
            job,
            contracts.delete_knowledge_base_id(job.knowledge_base_id),
            f"Delete the knowledge base {job.knowledge_base}",
            _attributes(job.knowledge_base, job.actor),
        )

    async def answer(self, job: contracts.QuestionJob) -> str:
        """Start a question; the workflow's id."""
        return await self._start(
            AnswerQuestion.run,
            job,
            contracts.question_id(job.question_id),
            f"Answer a question of {job.actor} from {job.knowledge_base} ({job.mode})",
            _attributes(job.knowledge_base, job.actor, stage="running"),
            queue=Queue.ANSWER,
        )

    async def reconcile(self, job: contracts.ReconcileJob) -> str:
        """Start a comparison; the workflow's id."""
        return await self._start(
            Reconcile.run,
            job,
            contracts.reconcile_id(job.reconcile_id),
            f"Compare catalogue, blobs, Milvus and Temporal{'; repair differences' if job.repair else ''}",
            TypedSearchAttributes(
                [
                    SearchAttributePair(contracts.OWNER, job.actor),
                    SearchAttributePair(contracts.STAGE, "queued"),
                ]
            ),
        )

    async def cancel(self, workflow_id: str) -> None:
        """Ask a run to stop; a run that has ended, or never was, stays as it is."""
        async with translated():
            try:
                await self.handle(workflow_id).cancel()
            except RPCError as exc:
                if exc.status is not RPCStatusCode.NOT_FOUND:
                    raise

    async def forget(self, workflow_id: str) -> None:
        """Delete a run with its history, also while it goes on; one that never was is fine."""
        request = DeleteWorkflowExecutionRequest(
            namespace=self.client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
        )
        async with translated():
            try:
                await self.client.workflow_service.delete_workflow_execution(request)
            except RPCError as exc:
                if exc.status is not RPCStatusCode.NOT_FOUND:
                    raise

    def handle(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        """The handle of a run by its id."""
        return self.client.get_workflow_handle(workflow_id)

    async def _start(
        self,
        run: Any,
        job: Any,
        id: str,
        summary: str,
        attributes: TypedSearchAttributes,
        reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        queue: str = Queue.WORKFLOWS,
    ) -> str:
        async with translated():
            with suppress(WorkflowAlreadyStartedError):  # it ran already, to a good end
                await self.client.start_workflow(
                    run,
                    job,
                    id=id,
                    task_queue=queue,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=reuse,
                    static_summary=summary[:200],
                    search_attributes=attributes,
                )
        return id


def _attributes(
    knowledge_base: str, actor: str, document_id: str | None = None, stage: str = "queued"
) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(contracts.KNOWLEDGE_BASE, knowledge_base),
        SearchAttributePair(contracts.OWNER, actor),
        SearchAttributePair(contracts.STAGE, stage),
    ]
    if document_id is not None:
        pairs.append(SearchAttributePair(contracts.DOCUMENT, document_id))
    return TypedSearchAttributes(pairs)
