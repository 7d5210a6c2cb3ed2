"""Reconciliation: compares catalogue, blobs, Milvus and Temporal, and repairs discrepancies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.reconcile import Discrepancies, RecordReconcileInput, ScanInput, ScanResult
    from activities.contracts.stages import RECONCILE_STAGES
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import JobState, ReconcileJob, ReconcileReport
    from workflows.policies import REPAIR_STEP, SHORT_STEP
    from workflows.stages import Progress
    from workflows.stopping import was_canceled

Scan = Callable[[ScanInput], Coroutine[Any, Any, ScanResult]]

#: Stage, activity and summary. Rows come after deletions and blobs last, because deleted documents need neither.
SCANS: tuple[tuple[str, Scan, str], ...] = (
    ("batches", signatures.repair_batches, "Find batches without a run"),
    ("documents", signatures.repair_documents, "Find documents without a run"),
    ("questions", signatures.repair_questions, "Find questions without a run"),
    ("runs", signatures.repair_runs, "Find runs without a document"),
    ("deletions", signatures.repair_deletions, "Find unfinished deletions"),
    ("collections", signatures.repair_collections, "Find collections without an index generation"),
    ("rows", signatures.repair_rows, "Find stray and missing rows"),
    ("files", signatures.repair_files, "Find live versions whose files are lost"),
    ("versions", signatures.expire_versions, "Find replaced versions that are no longer kept"),
    ("blobs", signatures.repair_blobs, "Find unreferenced files"),
    ("outside", signatures.tell_outside, "Tell in the audit trail what was done to runs around the API"),
    ("log", signatures.check_audit_log, "Compare the audit events with their log"),
)

#: Patch since 0.1.0: questions, files and versions are scanned too.
MORE_SCANS = "more-scans"
ADDED = ("questions", "files", "versions")

#: Patches: what was done to runs around the API is told in the audit trail; audit events are compared with their log.
TELLS_OUTSIDE = "tells-outside"
CHECKS_LOG = "checks-log"


@workflow.defn
class Reconcile:
    """One stage for each kind of discrepancy; each scans in slices, so that it scales to 100,000 documents."""

    @workflow.init
    def __init__(self, job: ReconcileJob) -> None:
        self._progress = Progress(RECONCILE_STAGES)
        self._priority = Priority(priority_key=Urgency.REINDEX)
        self._discrepancies = Discrepancies()

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; ``done`` counts the discrepancies so far."""
        return msgspec.structs.replace(
            self._progress.state(), done=sum(found.count for found in self._discrepancies.list())
        )

    @workflow.run
    async def run(self, job: ReconcileJob) -> ReconcileReport:
        """Run all scans and record the report. Raises ApplicationError if a scan fails for an unforeseen reason."""
        try:
            has_more, tells = workflow.patched(MORE_SCANS), workflow.patched(TELLS_OUTSIDE)
            for stage, scan, title in SCANS:
                if (stage in ADDED and not has_more) or (stage == "outside" and not tells):
                    continue
                if stage == "log" and not workflow.patched(CHECKS_LOG):
                    continue
                self._progress.enter(stage)
                await self._scan(scan, title, job)
        except (ActivityError, asyncio.CancelledError) as exc:
            canceled, reason = was_canceled(exc), reason_of(exc)
            self._progress.finish("canceled" if canceled else "failed")
            if canceled:
                raise
            raise final_failure(reason) from exc
        self._progress.enter("record")
        await self._record(job)
        self._progress.finish("ready")
        return ReconcileReport(repair=job.repair, findings=self._discrepancies.list())

    async def _scan(self, scan: Scan, title: str, job: ReconcileJob) -> None:
        grace = job.blob_grace_seconds if scan is signatures.repair_blobs else job.grace_seconds
        after: str | None = ""
        while after is not None:
            result = await workflow.execute_activity(
                scan,
                ScanInput(repair=job.repair, grace_seconds=grace, after=after, all_files=job.all_files),
                task_queue=Queue.STORE,
                priority=self._priority,
                summary=title,
                **REPAIR_STEP,
            )
            self._discrepancies.merge(result.findings)
            self._progress.count(sum(found.count for found in result.findings))
            after = result.next

    async def _record(self, job: ReconcileJob) -> None:
        await workflow.execute_activity(
            signatures.record_reconcile,
            RecordReconcileInput(
                reconcile_id=job.reconcile_id or workflow.info().run_id.replace("-", ""),
                actor=job.actor,
                repair=job.repair,
                findings=self._discrepancies.list(),
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary="Record the findings",
            **SHORT_STEP,
        )
