"""Catalogue ↔ Temporal: starts, requeues or ends work without a run, cancels runs without work, resumes deletions."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from datetime import datetime
from itertools import islice

import structlog
from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionDescription, WorkflowExecutionStatus

from activities.contracts.deletion import DeleteJob, DeleteKnowledgeBaseJob
from activities.contracts.ids import (
    INGEST_BATCH,
    INGEST_DOCUMENT,
    batch_workflow_id,
    delete_id,
    delete_knowledge_base_id,
    ingest_id,
    parse_batch_workflow_id,
    parse_ingest_id,
    question_id,
    reindex_all_id,
    reindex_workflow_id,
    sync_workflow_id,
)
from activities.contracts.reconcile import Discrepancies, ScanInput, ScanResult
from activities.contracts.stages import ACTIVE
from activities.errors import TemporalRefused
from activities.reconcile.leftovers import left_in_shared
from activities.reconcile.slices import PAGE, TimeSlice, older_than
from activities.runtime import starts, temporal
from activities.runtime.heartbeat import heartbeating, report
from activities.schedules import apply as schedules
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import DeletedDocument, DeletedKnowledgeBase, PendingVersion
from activities.stores.milvus import Milvus
from activities.stores.places import generation_name

#: Seconds after which what was accepted must have a run.
DISPATCH_SECONDS = 60.0

#: Activities of a run that is cleaning up and about to complete.
LAST_ACTIVITIES = frozenset({"end_run", "purge_rows", "record_failure", "settle_batch"})


log = structlog.get_logger()


class RunRepairActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog, milvus: Milvus) -> None:
        self._catalog, self._milvus = catalog, milvus
        self._stalled, self._reindexes, self._syncs = catalog.stalled_runs, catalog.reindexes, catalog.syncs

    @activity.defn(name="mend_batches")
    @heartbeating
    async def repair_batches(self, input: ScanInput) -> ScanResult:
        """Requeues active batches without a run, together with the documents that they had started.

        Starts those that the dispatcher should have started.
        """
        discrepancies, end, after = Discrepancies(), TimeSlice(), input.after
        if not after:
            await self._start_batches(_dispatched_before(input), input.repair, discrepancies)
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

    async def _start_batches(self, before: datetime, repair: bool, discrepancies: Discrepancies) -> None:
        after = ""
        while page := await self._stalled.unstarted_batches(after, PAGE, before):
            for batch in page:
                started = repair and await _started(starts.batch(activity.client(), batch), batch.batch_id)
                if started:
                    await self._catalog.batches.dispatched(batch.batch_id)
                discrepancies.add("batches_without_run", batch.name, mended=started, failed=repair and not started)
            after = page[-1].batch_id

    async def _requeue_documents_of(self, batch_id: str) -> None:
        after = ("", 0)
        while page := await self._stalled.versions_of(batch_id, after, PAGE):
            for version, run in await self._with_runs(page):
                if run is None or run.status is not WorkflowExecutionStatus.RUNNING:
                    await self._stalled.return_to_queue(version, by_dispatcher=False)
                elif version.state == "paused":  # by its batch, whose new run has no record of the pause
                    await temporal.signal(activity.client(), run.id, "resume")
            after = (page[-1].document_id, page[-1].version)

    @activity.defn(name="mend_documents")
    @heartbeating
    async def repair_documents(self, input: ScanInput) -> ScanResult:
        """Requeues pending documents that have no run, and starts those that the dispatcher should have started."""
        discrepancies, end = Discrepancies(), TimeSlice()
        if not input.after:
            await self._start_documents(_dispatched_before(input), input.repair, discrepancies)
        document, _, number = input.after.partition("/")
        after = (document, int(number or 0))
        while page := await self._stalled.versions(after, PAGE, older_than(input.grace_seconds)):
            for done, (version, run) in enumerate(await self._with_runs(page)):
                report(done, len(page))
                if has_run(version, run):
                    continue
                if await self._stalled.return_to_queue(version, change=input.repair):
                    discrepancies.add(
                        "documents_without_run", f"{version.name} v{version.version}", mended=input.repair
                    )
            after = (page[-1].document_id, page[-1].version)
            if end.is_over():
                return ScanResult(findings=discrepancies.list(), next=f"{after[0]}/{after[1]}")
        return ScanResult(findings=discrepancies.list())

    async def _start_documents(self, before: datetime, repair: bool, discrepancies: Discrepancies) -> None:
        after = ("", 0)
        while page := await self._stalled.unstarted(after, PAGE, before):
            for done, document in enumerate(page):
                report(done, len(page))
                id = ingest_id(document.document_id, document.version)
                started = repair and await _started(starts.ingest(activity.client(), document), id)
                if started:
                    await self._catalog.intake.dispatched([document])
                discrepancies.add(
                    "documents_without_run",
                    f"{document.document_name} v{document.version}",
                    mended=started,
                    failed=repair and not started,
                )
            after = (page[-1].document_id, page[-1].version)

    @activity.defn(name="mend_questions")
    @heartbeating
    async def repair_questions(self, input: ScanInput) -> ScanResult:
        """Records that questions without a run, which would be running for ever, were interrupted."""
        discrepancies, end, after = Discrepancies(), TimeSlice(), input.after
        while page := await self._stalled.questions(after, PAGE, older_than(input.grace_seconds)):
            statuses = await self._statuses(question_id(id) for id in page)
            for done, (id, status) in enumerate(zip(page, statuses, strict=True)):
                report(done, len(page))
                if status is not WorkflowExecutionStatus.RUNNING:
                    if input.repair:
                        await self._catalog.questions.interrupt(id)
                    discrepancies.add("questions_without_run", id, mended=input.repair)
            after = page[-1]
            if end.is_over():
                return ScanResult(findings=discrepancies.list(), next=after)
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
        run = await temporal.describe(activity.client(), id)
        if run is None or run.status is not WorkflowExecutionStatus.RUNNING:
            return False
        if LAST_ACTIVITIES & {pending.activity_type.name for pending in run.raw_description.pending_activities}:
            return False
        if repair:
            await temporal.cancel(activity.client(), id, why="its document or batch is gone or at its end")
        return True

    @activity.defn(name="mend_deletions")
    @heartbeating
    async def repair_deletions(self, input: ScanInput) -> ScanResult:
        """Starts the unfinished deletions, re-indexes and syncs that have no run; makes schedules agree."""
        discrepancies, end, after = Discrepancies(), TimeSlice(), input.after
        since = older_than(input.grace_seconds)
        if not after:
            await self._reindex(since, input.repair, discrepancies)
            await schedules.repair(activity.client(), self._catalog, since, input.repair, discrepancies)
            await self._sync(since, input.repair, discrepancies)
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

    async def _reindex(self, since: datetime, repair: bool, discrepancies: Discrepancies) -> None:
        unfinished = await self._reindexes.unfinished(since)
        ids = (reindex_workflow_id(each.knowledge_base_id, each.generation) for each in unfinished)
        for reindex, status in zip(unfinished, await self._statuses(ids), strict=True):
            if status is not WorkflowExecutionStatus.RUNNING:
                if repair:
                    await starts.reindex(activity.client(), reindex.to_run())
                discrepancies.add("reindexes_without_run", reindex.knowledge_base, mended=repair)

    async def _sync(self, since: datetime, repair: bool, discrepancies: Discrepancies) -> None:
        unfinished = await self._syncs.unfinished(since)
        ids = (sync_workflow_id(each.source_id, each.occurrence) for each in unfinished)
        for sync, status in zip(unfinished, await self._statuses(ids), strict=True):
            if status is not WorkflowExecutionStatus.RUNNING:
                if repair:
                    await starts.sync(activity.client(), sync.to_run())
                discrepancies.add("syncs_without_run", f"{sync.knowledge_base}: {sync.source}", mended=repair)
        all_unfinished = await self._catalog.reindex_alls.unfinished(since)
        statuses = await self._statuses(reindex_all_id(each.id) for each in all_unfinished)
        for each, status in zip(all_unfinished, statuses, strict=True):
            if status is not WorkflowExecutionStatus.RUNNING:
                if repair:
                    await starts.reindex_all(activity.client(), each.to_run())
                discrepancies.add("reindexes_without_run", reindex_all_id(each.id), mended=repair)

    async def _delete_knowledge_bases(self, since: datetime, repair: bool, discrepancies: Discrepancies) -> None:
        left = {each.id: each for each in await self._stalled.deleted_with_documents(since)}
        in_shared = [each async for each in left_in_shared(self._catalog, self._milvus)]
        shared = [generation_name(each.knowledge_base_id, each.generation, shared=True) for each in in_shared]
        names = iter([*await self._milvus.collections(), *shared])
        while page := list(islice(names, PAGE)):
            left |= {each.id: each for each in await self._stalled.deleted_with_collections(page, since)}
        statuses = await self._statuses(delete_knowledge_base_id(id) for id in left)
        for knowledge_base, status in zip(left.values(), statuses, strict=True):
            if status is not WorkflowExecutionStatus.RUNNING:
                if repair:
                    await _delete_knowledge_base(activity.client(), knowledge_base)
                discrepancies.add("unfinished_deletions", knowledge_base.name, mended=repair)

    async def _with_runs(
        self, versions: list[PendingVersion]
    ) -> list[tuple[PendingVersion, WorkflowExecutionDescription | None]]:
        ids = (ingest_id(version.document_id, version.version) for version in versions)
        return list(zip(versions, await temporal.describe_all(activity.client(), ids), strict=True))

    async def _statuses(self, ids: Iterable[str]) -> list[WorkflowExecutionStatus | None]:
        runs = await temporal.describe_all(activity.client(), ids)
        return [run.status if run is not None else None for run in runs]


def _dispatched_before(input: ScanInput) -> datetime:
    return older_than(min(input.grace_seconds, DISPATCH_SECONDS))


def has_run(version: PendingVersion, run: WorkflowExecutionDescription | None) -> bool:
    """Whether a pending version has its run, or its batch is still to start one.

    A run that ended after the version was queued was the one that it should have had.
    """
    if run is None or run.close_time is None:
        return run is not None or version.awaits_batch
    return version.awaits_batch and run.close_time < version.updated_at


def _is_old(run: WorkflowExecution, since: datetime) -> bool:
    return run.start_time < since


async def _started(start: Awaitable[bool], id: str) -> bool:
    """Whether a run was started; one that Temporal refuses, or whose earlier run has not ended, holds up no other."""
    try:
        return await start
    except TemporalRefused as exc:
        await log.awarning("a run is not started", workflow=id, reason=str(exc))
        return False


async def _delete_document(client: Client, document: DeletedDocument) -> None:
    job = DeleteJob(
        knowledge_base_id=document.knowledge_base_id,
        knowledge_base=document.knowledge_base,
        document_id=document.id,
        document_name=document.name,
        actor=document.deleted_by,
    )
    await starts.delete_document(client, job, starts.AGAIN)


async def _delete_knowledge_base(client: Client, knowledge_base: DeletedKnowledgeBase) -> None:
    job = DeleteKnowledgeBaseJob(
        knowledge_base_id=knowledge_base.id, knowledge_base=knowledge_base.name, actor=knowledge_base.deleted_by
    )
    await starts.delete_knowledge_base(client, job, starts.AGAIN)
