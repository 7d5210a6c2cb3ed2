"""A change of many documents: delete, retry, tag or untag those that were selected."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import msgspec
from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.bulk import BulkInput, BulkJob, BulkResult, BulkSlice
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.stages import BULK_STAGES
    from workflows.contracts import JobState
    from workflows.policies import LONG_STEP
    from workflows.stages import Progress, by_actor

#: Number of activities after which a run continues as new, so that its history stays small.
SLICES_OF_A_RUN = 500


@workflow.defn
class ChangeDocuments:
    """change → (purge). The catalogue knows which documents are left: an interrupted run goes on where it was.

    It is canceled in the catalogue as well, between two steps; what was deleted by then is still purged.
    """

    @workflow.init
    def __init__(self, job: BulkJob) -> None:
        self._job, self._slices, self._done = job, 0, 0
        self._progress = Progress(BULK_STAGES)
        self._priority = Priority(priority_key=Urgency.BATCH, fairness_key=job.knowledge_base_id)

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; ``done`` counts the documents that were looked at."""
        return msgspec.structs.replace(self._progress.state(), done=self._done, total=self._job.documents)

    @workflow.run
    async def run(self, job: BulkJob) -> BulkResult:
        """Change all documents, then wait until the data of deleted ones are removed."""
        self._progress.enter("change")
        canceled_by = await self._all(signatures.change_documents, f"{job.action.capitalize()} documents")
        if job.action == "delete":
            self._progress.enter("purge")
            await self._all(signatures.purge_documents, "Remove the data of deleted documents")
        self._progress.finish("canceled" if canceled_by else "ready", by_actor(canceled_by or ""))
        return BulkResult(documents=self._done)

    async def _all(self, step: Callable[[BulkInput], Coroutine[Any, Any, BulkSlice]], summary: str) -> str | None:
        """Repeat an activity until it has nothing left to do; returns whoever ended the change before that."""
        while True:
            done: BulkSlice = await workflow.execute_activity(
                step,
                BulkInput(bulk_id=self._job.bulk_id),
                task_queue=Queue.STORE,
                priority=self._priority,
                summary=summary,
                **LONG_STEP,
            )
            self._done = max(self._done, done.done)
            self._progress.count(self._done, self._job.documents)
            if done.ended:
                return done.canceled_by
            self._slices += 1
            if self._slices >= SLICES_OF_A_RUN:
                workflow.continue_as_new(self._job)
            if done.wait_seconds:
                await workflow.sleep(timedelta(seconds=done.wait_seconds))
