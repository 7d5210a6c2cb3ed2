"""Exports the histories of ended runs to the blob store, before Temporal drops them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import Contract, signatures
    from activities.contracts.histories import ArchiveInput, ExpireInput
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.stages import ARCHIVE_STAGES
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import ArchiveJob, ArchiveReport, JobState
    from workflows.policies import LONG_STEP
    from workflows.stages import Progress, canceled_by
    from workflows.stopping import was_canceled

#: Slices after which a run continues as new, so that its own history stays small.
SLICES_OF_A_RUN = 200

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out", bound=Contract)


@workflow.defn
class ArchiveHistories:
    """archive → expire. A run that fails is no loss: the next one begins where the last complete one did."""

    @workflow.init
    def __init__(self, job: ArchiveJob) -> None:
        self._progress = Progress(ARCHIVE_STAGES)
        self._priority = Priority(priority_key=Urgency.REINDEX)
        self._archived, self._expired = job.archived, 0

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; ``done`` counts exported histories."""
        return msgspec.structs.replace(self._progress.state(), done=self._archived)

    @workflow.run
    async def run(self, job: ArchiveJob) -> ArchiveReport:
        """Export and delete. Raises ApplicationError, typed by the reason's code, for an unforeseen failure."""
        try:
            await self._archive(job)
            await self._expire()
        except (ActivityError, asyncio.CancelledError) as exc:
            canceled = was_canceled(exc)
            self._progress.finish("canceled" if canceled else "failed", canceled_by() if canceled else "")
            if canceled:
                raise
            raise final_failure(reason_of(exc)) from exc
        self._progress.finish("ready")
        return ArchiveReport(archived=self._archived, expired=self._expired)

    async def _archive(self, job: ArchiveJob) -> None:
        self._progress.enter("archive")
        window, slices = job.window, 0
        while True:
            step = ArchiveInput(window=window)
            done = await self._step(signatures.archive_histories, step, "Export the histories of ended runs")
            self._archived, window, slices = self._archived + done.archived, done.window, slices + 1
            self._progress.count(self._archived)
            if window is None:
                return
            if slices >= SLICES_OF_A_RUN:
                workflow.continue_as_new(ArchiveJob(window=window, archived=self._archived))

    async def _expire(self) -> None:
        self._progress.enter("expire")
        more = True
        while more:
            done = await self._step(signatures.expire_histories, ExpireInput(), "Delete histories past their time")
            self._expired, more = self._expired + done.expired, done.more
            self._progress.count(self._expired)

    async def _step(self, activity: Callable[[In], Coroutine[Any, Any, Out]], input: In, summary: str) -> Out:
        return await workflow.execute_activity(
            activity, input, task_queue=Queue.STORE, priority=self._priority, summary=summary, **LONG_STEP
        )
