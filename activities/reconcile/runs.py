"""Catalogue ↔ Temporal: requeues work without a run, cancels runs without work, restarts unfinished deletions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy

from activities.contracts.deletion import DeleteJob, DeleteKnowledgeBaseJob
from activities.contracts.ids import (
    DELETE_DOCUMENT,
    DELETE_KNOWLEDGE_BASE,
    INGEST_BATCH,
    INGEST_DOCUMENT,
    batch_workflow_id,
    delete_id,
    delete_knowledge_base_id,
    ingest_id,
    parse_batch_workflow_id,
    parse_ingest_id,
)
from activities.contracts.reconcile import Discrepancies, ScanInput, ScanResult
from activities.contracts.stages import ACTIVE
from activities.reconcile.slices import AT_ONCE, PAGE, TimeSlice, older_than
from activities.runtime import temporal
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import DeletedDocument, DeletedKnowledgeBase, PendingVersion
from activities.stores.milvus import Milvus

#: Statuses of a run that was ended from outside and could not record a final state.
CUT_OFF = (WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT)

#: Activities of a run that is cleaning up and about to complete.
LAST_ACTIVITIES = frozenset({"end_run", "purge_rows", "record_failure", "settle_batch"})


class RunRepairActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog, milvus: Milvus) -> None:
        self._catalog, self._milvus = catalog, milvus
        self._stalled = catalog.stalled_runs
        self._slots = asyncio.Semaphore(AT_ONCE)

    @activity.defn(name="mend_batches")
    @heartbeating
    async def repair_batches(self, input: ScanInput) -> ScanResult:
        """Requeues active batches without a run, together with the documents that they had started."""
        discrepancies, end, after = Discrepancies(), TimeSlice(), input.after
        while page := await self._stalled.batches(after, PAGE, older_than(input.grace_seconds)):
            statuses = await self._statuses(batch_workflow_id(batch.id) for batch in page)
            for done, (batch, status) in enumerate(zip(page, statuses, strict=True)):
                report(done, len(page))
                if status is WorkflowExecutionStatus.RUNNING:
                    continue
                if input.repair:
                    await self._requeue_documents_of(batch.id)
                    discrepancies.add(
                        "batches_without_run", batch.name, mended=await self._stalled.return_batch_to_queue(batch)
                    )
                else:
                    discrepancies.add("batches_without_run", batch.name)
            after = page[-1].id
            if end.is_over():
                return ScanResult(findings=discrepancies.list(), next=after)
        return ScanResult(findings=discrepancies.list())

    async def _requeue_documents_of(self, batch_id: str) -> None:
        after = ("", 0)
        while page := await self._stalled.versions_of(batch_id, after, PAGE):
            for version, status in await self._with_status(page):
                if status is not WorkflowExecutionStatus.RUNNING:
                    await self._stalled.return_to_queue(version, by_dispatcher=False)
                elif version.state == "paused":  # by its batch, whose new run has no record of the pause
                    run = ingest_id(version.document_id, version.version)
                    await temporal.signal(activity.client(), run, "resume")
            after = (page[-1].document_id, page[-1].version)

    @activity.defn(name="mend_documents")
    @heartbeating
    async def repair_documents(self, input: ScanInput) -> ScanResult:
        """Requeues pending documents that have no run."""
        discrepancies, end = Discrepancies(), TimeSlice()
        document, _, number = input.after.partition("/")
        after = (document, int(number or 0))
        while page := await self._stalled.versions(after, PAGE, older_than(input.grace_seconds)):
            for done, (version, status) in enumerate(await self._with_status(page)):
                report(done, len(page))
                if status is WorkflowExecutionStatus.RUNNING or (version.awaits_batch and status not in CUT_OFF):
                    continue
                if await self._stalled.return_to_queue(version, change=input.repair):
                    discrepancies.add(
                        "documents_without_run", f"{version.name} v{version.version}", mended=input.repair
                    )
            after = (page[-1].document_id, page[-1].version)
            if end.is_over():
                return ScanResult(findings=discrepancies.list(), next=f"{after[0]}/{after[1]}")
        return ScanResult(findings=discrepancies.list())

    @activity.defn(name="mend_runs")
    @heartbeating
    async def repair_runs(self, input: ScanInput) -> ScanResult:
        """Cancels runs of documents and batches that are removed, deleted or finished."""
        discrepancies, since, seen = Discrepancies(), older_than(input.grace_seconds), 0
        query = f"WorkflowType IN ('{INGEST_DOCUMENT}', '{INGEST_BATCH}') AND ExecutionStatus = 'Running'"
        page: list[str] = []
        async with temporal.translated():
            async for run in activity.client().list_workflows(query, page_size=PAGE):
                page += [run.id] if _is_old(run, since) else []
                if len(page) == PAGE:
                    await self._cancel_orphaned(page, since, input.repair, discrepancies)
                    seen, page = seen + PAGE, []
                    report(seen)
        await self._cancel_orphaned(page, since, input.repair, discrepancies)
        return ScanResult(findings=discrepancies.list())

    async def _cancel_orphaned(
        self, ids: list[str], since: datetime, repair: bool, discrepancies: Discrepancies
    ) -> None:
        versions = {id: version for id in ids if (version := parse_ingest_id(id)) is not None}
        batches = {id: batch for id in ids if (batch := parse_batch_workflow_id(id)) is not None}
        statuses = await self._stalled.version_statuses(versions.values())
        states = await self._stalled.batch_states(batches.values())
        for id in ids:
            if id in versions:
                status = statuses.get(versions[id])
                orphaned = status is None or (status.changed_at < since and (status.deleted or not status.pending))
            elif id in batches:
                state, changed_at = states.get(batches[id], (None, since))
                orphaned = state not in ACTIVE and changed_at <= since
            else:
                continue
            if orphaned and await self._cancel(id, repair):
                discrepancies.add("runs_without_document", id, mended=repair)

    async def _cancel(self, id: str, repair: bool) -> bool:
        """Cancels a run if ``repair``; False when it has ended, or is cleaning up and about to complete."""
        run = await self._described(id)
        if run is None or run.status is not WorkflowExecutionStatus.RUNNING:
            return False
        if LAST_ACTIVITIES & {pending.activity_type.name for pending in run.raw_description.pending_activities}:
            return False
        if repair:
            await temporal.cancel(activity.client(), id)
        return True

    @activity.defn(name="mend_deletions")
    @heartbeating
    async def repair_deletions(self, input: ScanInput) -> ScanResult:
        """Starts the workflows of unfinished deletions that have no run."""
        discrepancies, end, after = Discrepancies(), TimeSlice(), input.after
        since = older_than(input.grace_seconds)
        if not after:
            await self._delete_knowledge_bases(since, input.repair, discrepancies)
        while page := await self._stalled.deleted_documents(after, PAGE, since):
            statuses = await self._statuses(delete_id(document.id) for document in page)
            for done, (document, status) in enumerate(zip(page, statuses, strict=True)):
                report(done, len(page))
                if status is not WorkflowExecutionStatus.RUNNING:
                    if input.repair:
                        await _delete_document(activity.client(), document)
                    discrepancies.add("unfinished_deletions", document.name, mended=input.repair)
            after = page[-1].id
            if end.is_over():
                return ScanResult(findings=discrepancies.list(), next=after)
        return ScanResult(findings=discrepancies.list())

    async def _delete_knowledge_bases(self, since: datetime, repair: bool, discrepancies: Discrepancies) -> None:
        collections = set(await self._milvus.collections())
        for knowledge_base in await self._stalled.deleted_knowledge_bases(since):
            generations = await self._catalog.knowledge_bases.generations(knowledge_base.id)
            if not knowledge_base.has_documents and collections.isdisjoint(item.collection for item in generations):
                continue
            run = await self._described(delete_knowledge_base_id(knowledge_base.id))
            if run is None or run.status is not WorkflowExecutionStatus.RUNNING:
                if repair:
                    await _delete_knowledge_base(activity.client(), knowledge_base)
                discrepancies.add("unfinished_deletions", knowledge_base.name, mended=repair)

    async def _with_status(
        self, versions: list[PendingVersion]
    ) -> list[tuple[PendingVersion, WorkflowExecutionStatus | None]]:
        statuses = await self._statuses(ingest_id(version.document_id, version.version) for version in versions)
        return list(zip(versions, statuses, strict=True))

    async def _statuses(self, ids: Iterable[str]) -> list[WorkflowExecutionStatus | None]:
        runs = await asyncio.gather(*(self._described(id) for id in ids))
        return [run.status if run is not None else None for run in runs]

    async def _described(self, id: str) -> WorkflowExecutionDescription | None:
        async with self._slots:
            return await temporal.describe(activity.client(), id)


def _is_old(run: WorkflowExecution, since: datetime) -> bool:
    return run.start_time < since


async def _delete_document(client: Client, document: DeletedDocument) -> None:
    job = DeleteJob(
        knowledge_base_id=document.knowledge_base_id,
        knowledge_base=document.knowledge_base,
        document_id=document.id,
        document_name=document.name,
        actor=document.deleted_by,
    )
    await temporal.start(
        client,
        DELETE_DOCUMENT,
        job,
        delete_id(document.id),
        f"Delete {document.name} from {document.knowledge_base}",
        temporal.attributes(job.knowledge_base, job.actor, document.id),
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def _delete_knowledge_base(client: Client, knowledge_base: DeletedKnowledgeBase) -> None:
    job = DeleteKnowledgeBaseJob(
        knowledge_base_id=knowledge_base.id, knowledge_base=knowledge_base.name, actor=knowledge_base.created_by
    )
    await temporal.start(
        client,
        DELETE_KNOWLEDGE_BASE,
        job,
        delete_knowledge_base_id(knowledge_base.id),
        f"Delete the knowledge base {knowledge_base.name}",
        temporal.attributes(job.knowledge_base, job.actor),
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
