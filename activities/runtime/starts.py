"""How the runs are started that both the API and Reconcile start: id, summary and search attributes of each."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from activities.contracts import addresses, described
from activities.contracts.batches import BatchToIngest
from activities.contracts.bulk import BulkJob
from activities.contracts.deletion import DeleteJob, DeleteKnowledgeBaseJob
from activities.contracts.ids import (
    CHANGE_DOCUMENTS,
    DELETE_DOCUMENT,
    DELETE_KNOWLEDGE_BASE,
    INGEST_BATCH,
    INGEST_DOCUMENT,
    REINDEX_ALL,
    REINDEX_KNOWLEDGE_BASE,
    SYNC_KNOWLEDGE_BASE,
    batch_workflow_id,
    bulk_workflow_id,
    delete_id,
    delete_knowledge_base_id,
    ingest_id,
    reindex_all_id,
    reindex_workflow_id,
    sync_workflow_id,
)
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.reindex import ReindexToRun
from activities.contracts.reindex_all import ReindexAllToRun
from activities.contracts.search_attributes import attributes
from activities.contracts.sync import SyncToRun
from activities.runtime import temporal

AGAIN = WorkflowIDReusePolicy.ALLOW_DUPLICATE
"""A run that has ended, however, is started again."""


async def ingest(client: Client, document: DocumentToIngest) -> bool:
    """Start an ingestion; False while an earlier run of the version has not ended, which must not be joined.

    The run asks the catalogue whether it is wanted: an unnecessary start has no effect.
    """
    try:
        await temporal.start(
            client,
            INGEST_DOCUMENT,
            document,
            ingest_id(document.document_id, document.version),
            described.ingestion(document),
            attributes(document.knowledge_base, document.actor, document.document_id, document.document_name),
            details=described.details(addresses.document(document.document_id), document.actor),
            reuse=AGAIN,
            conflict=WorkflowIDConflictPolicy.FAIL,
        )
    except temporal.RunExists:
        return False
    return True


async def batch(
    client: Client,
    job: BatchToIngest,
    *,
    signal: str | None = None,
    arguments: Sequence[object] = (),
    reuse: WorkflowIDReusePolicy = AGAIN,
) -> bool:
    """Start a batch unless it runs; ``signal`` reaches it in either case.

    False if its run has ended, where ``reuse`` forbids to start it again.
    """
    try:
        await temporal.start(
            client,
            INGEST_BATCH,
            job,
            batch_workflow_id(job.batch_id),
            described.summary(f"Index the batch {job.name} into {job.knowledge_base}", job.actor),
            attributes(job.knowledge_base, job.actor),
            details=described.details(addresses.batch(job.batch_id), job.actor),
            reuse=reuse,
            first_signal=signal,
            signal_arguments=arguments,
        )
    except temporal.RunExists:
        return False
    return True


async def delete_document(
    client: Client, job: DeleteJob, reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
) -> str:
    """Start a document's deletion; returns the workflow's id."""
    return await temporal.start(
        client,
        DELETE_DOCUMENT,
        job,
        delete_id(job.document_id),
        described.deletion(job),
        attributes(job.knowledge_base, job.actor, job.document_id, job.document_name),
        details=described.details(addresses.document(job.document_id), job.actor),
        reuse=reuse,
    )


async def delete_knowledge_base(
    client: Client,
    job: DeleteKnowledgeBaseJob,
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
) -> str:
    """Start a knowledge base's deletion; returns the workflow's id."""
    return await temporal.start(
        client,
        DELETE_KNOWLEDGE_BASE,
        job,
        delete_knowledge_base_id(job.knowledge_base_id),
        described.summary(f"Delete the knowledge base {job.knowledge_base}", job.actor),
        attributes(job.knowledge_base, job.actor),
        details=described.details(addresses.knowledge_base(job.knowledge_base), job.actor),
        reuse=reuse,
    )


async def reindex(client: Client, job: ReindexToRun) -> str:
    """Start a re-index, again if its run has ended otherwise than it should; returns the workflow's id."""
    what = f"{'Plan to re-index' if job.plan_only else 'Re-index'} {job.knowledge_base} (generation {job.generation})"
    return await temporal.start(
        client,
        REINDEX_KNOWLEDGE_BASE,
        job,
        reindex_workflow_id(job.knowledge_base_id, job.generation),
        described.summary(what, job.actor),
        attributes(job.knowledge_base, job.actor),
        details=described.details(addresses.reindex(job.reindex_id), job.actor),
        reuse=AGAIN,
    )


async def change_documents(client: Client, job: BulkJob) -> str:
    """Start a change of many documents, again if its run has ended before it; returns the workflow's id."""
    what = f"{job.action.capitalize()}{f' “{job.tag}”' if job.tag else ''}"
    return await temporal.start(
        client,
        CHANGE_DOCUMENTS,
        job,
        bulk_workflow_id(job.bulk_id),
        described.summary(f"{what}: {job.documents:,} documents of {job.knowledge_base}", job.actor),
        attributes(job.knowledge_base, job.actor),
        details=described.details(addresses.bulk_change(job.bulk_id), job.actor),
        reuse=AGAIN,
    )


async def sync(client: Client, job: SyncToRun) -> str:
    """Start a sync, again if its run has ended otherwise than it should; returns the workflow's id."""
    return await temporal.start(
        client,
        SYNC_KNOWLEDGE_BASE,
        job,
        sync_workflow_id(job.source_id, job.occurrence),
        described.summary(
            f"{'Preview the sync of' if job.preview else 'Sync'} {job.knowledge_base} with {job.source}", job.actor
        ),
        attributes(job.knowledge_base, job.actor),
        details=described.details(addresses.sync(job.sync_id), job.actor),
        reuse=AGAIN,
    )


async def reindex_all(client: Client, job: ReindexAllToRun) -> str:
    """Start a re-index of many knowledge bases, again if its run has ended too early; returns the workflow's id."""
    return await temporal.start(
        client,
        REINDEX_ALL,
        job,
        reindex_all_id(job.id),
        described.summary(
            f"{'Plan to re-index' if job.plan_only else 'Re-index'} many knowledge bases, one after the other",
            job.actor,
        ),
        attributes(None, job.actor),
        details=described.details(addresses.reindex_all(job.id), job.actor),
        reuse=AGAIN,
    )
