"""A sync: a knowledge base follows a folder or an S3 prefix, by the difference since the last one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue, fairness_key
    from activities.contracts.stages import SYNC_STAGES, JobStateName
    from activities.contracts.sync import (
        Applied,
        ApplyInput,
        Compared,
        Listed,
        RecordSyncInput,
        SyncInput,
        SyncReport,
        WaitsFor,
    )
    from activities.errors import Canceled, NotConfirmed, Reason
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import JobState, SyncJob, SyncResult
    from workflows.policies import LONG_STEP, SHORT_STEP
    from workflows.stages import Progress, by_actor, canceled_by
    from workflows.stopping import cancel_and_wait, to_the_end, was_canceled

In = TypeVar("In")
Out = TypeVar("Out", Listed, Compared, Applied)

#: Slices of changes after which a run continues as new, so that its history stays small.
SLICES_OF_A_RUN = 100

#: How often a source that cannot be read is looked at again, and when that is given up.
SOONEST, LATEST, GIVE_UP = timedelta(seconds=5), timedelta(minutes=2), timedelta(hours=24)

#: Wait for room among the pending documents.
LOOK_FOR_ROOM = timedelta(seconds=15)

#: Days for which deletions may be confirmed.
CONFIRM_DAYS = 7


@workflow.defn
class SyncKnowledgeBase:
    """list → compare → (confirm) → apply → report.

    A source that cannot be read is waited for; nothing is deleted then. More deletions than the source allows wait for
    a person's confirmation, before anything is changed. It can be paused, resumed and canceled; what was applied stays.
    """

    @workflow.init
    def __init__(self, job: SyncJob) -> None:
        self._job = job
        self._progress = Progress(SYNC_STAGES)
        self._priority = Priority(
            priority_key=Urgency.BATCH, fairness_key=fairness_key(job.knowledge_base_id, job.actor)
        )
        self._report, self._changes, self._done = job.report, job.changes, job.done
        self._applied = Counter(job.applied)
        self._paused, self._paused_by = job.paused, job.paused_by
        self._confirmed_by = ""
        self._canceled, self._canceled_by = job.canceled_by is not None, job.canceled_by or ""

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; ``done`` counts changes."""
        total = self._changes if self._report is not None else None
        return msgspec.structs.replace(self._progress.state(), done=self._done, total=total)

    @workflow.signal
    def pause(self, actor: str = "") -> None:
        """Stop what runs and wait; what was applied stays."""
        self._paused, self._paused_by = True, actor

    @workflow.signal
    def resume(self, actor: str = "") -> None:
        """Go on."""
        self._paused = False
        self._progress.annotate("resumed", by_actor(actor))

    @workflow.signal
    def cancel(self, actor: str = "") -> None:
        """End; what was applied stays."""
        self._canceled, self._canceled_by = True, actor

    @workflow.signal
    def confirm(self, actor: str = "") -> None:
        """Allow the deletions that the sync asks about."""
        self._confirmed_by = actor or "somebody"
        self._progress.annotate("confirmed", by_actor(actor))

    @workflow.run
    async def run(self, job: SyncJob) -> SyncResult:
        """Sync. Raises ApplicationError, typed by the reason's code, if it did not come to its end."""
        try:
            report = await self._sync()
        except (ActivityError, ApplicationError, asyncio.CancelledError) as exc:
            canceled = was_canceled(exc)
            reason = Reason(code=Canceled.code) if canceled else reason_of(exc)
            await to_the_end(self._end(reason, canceled=canceled))
            if canceled and not self._canceled:
                raise
            raise final_failure(reason) from exc
        self._progress.finish("ready")
        return SyncResult(report=report, applied=dict(self._applied))

    async def _sync(self) -> SyncReport:
        if self._report is None:
            compared = await self._compare()
            self._report, self._changes = compared.report, compared.changes
            if not self._job.preview:
                await self._wait_for_confirmation(compared.guarded)
        if not self._job.preview:
            await self._apply()
        self._progress.enter("report")
        await to_the_end(self._record("ready", "report"))
        return self._report

    async def _compare(self) -> Compared:
        """List and compare, again from the beginning when the source was away."""
        input = SyncInput(sync_id=self._job.sync_id)
        pause, since = SOONEST, workflow.now()
        while True:
            await self._reached("list", signatures.list_source, input, "List the files of the source")
            summary = "Compare the files with the documents"
            compared = await self._step("compare", signatures.compare_source, input, summary)
            if compared.unavailable is None:
                return compared
            await self._wait_for_source("compare", compared.unavailable, since, pause)
            pause = min(pause * 2, LATEST)

    async def _wait_for_confirmation(self, guarded: Reason | None) -> None:
        """Wait until a person allows the deletions. Raises ApplicationError when nobody does for days."""
        if guarded is None or self._confirmed_by:
            return
        await self._wait_for("confirmation", "confirm", guarded)
        with suppress(TimeoutError):
            timeout = timedelta(days=CONFIRM_DAYS)
            await workflow.wait_condition(lambda: bool(self._confirmed_by) or self._is_to_end(), timeout=timeout)
        self._raise_if_canceled()
        if not self._confirmed_by:
            raise final_failure(NotConfirmed(days=CONFIRM_DAYS).reason)

    async def _apply(self) -> None:
        slices = 0
        while self._done < self._changes:
            if slices >= SLICES_OF_A_RUN or workflow.info().is_continue_as_new_suggested():
                self._raise_if_canceled()
                self._continue_as_new()
            input = ApplyInput(sync_id=self._job.sync_id, offset=self._done)
            applied = await self._reached("apply", signatures.apply_changes, input, f"Apply from {self._done:,} on")
            self._done, slices = applied.next, slices + 1
            self._applied += Counter(applied.counts)
            self._progress.count(self._done, self._changes)
            if applied.full:
                await self._wait_for("room", "apply")
                await self._sleep(LOOK_FOR_ROOM)

    # --- waiting ------------------------------------------------------------------------------------------

    async def _reached(
        self, stage: str, activity: Callable[[In], Coroutine[Any, Any, Out]], input: In, summary: str
    ) -> Out:
        """The result of a step, once the source can be read. Raises ApplicationError when it cannot for a day."""
        pause, since = SOONEST, workflow.now()
        while True:
            result = await self._step(stage, activity, input, summary)
            if result.unavailable is None or (isinstance(result, Applied) and result.next > self._done):
                return result
            await self._wait_for_source(stage, result.unavailable, since, pause)
            pause = min(pause * 2, LATEST)

    async def _wait_for_source(self, stage: str, reason: Reason, since: datetime, pause: timedelta) -> None:
        if workflow.now() - since > GIVE_UP:
            raise final_failure(reason)
        await self._wait_for("source", stage, reason)
        await self._sleep(pause)

    async def _step(
        self, stage: str, activity: Callable[[In], Coroutine[Any, Any, Out]], input: In, summary: str
    ) -> Out:
        """The result of an activity, which a pause stops and a resume begins again. Raises CancelledError."""
        while True:
            await self._stay_paused()
            state = self._progress.state()
            if (state.stage, state.state) != (stage, "running"):
                self._progress.enter(stage)
                await self._record("running", stage)
            running = workflow.start_activity(
                activity, input, task_queue=Queue.CPU, priority=self._priority, summary=summary, **LONG_STEP
            )
            stop = asyncio.ensure_future(workflow.wait_condition(lambda: self._paused or self._is_to_end()))
            try:
                await workflow.wait([running, stop], return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                await cancel_and_wait(running)
                raise
            finally:
                stop.cancel()
            if running.done() or await cancel_and_wait(running):
                result: Out = running.result()
                return result

    async def _stay_paused(self) -> None:
        self._raise_if_canceled()
        if self._paused:
            self._progress.pause(by_actor(self._paused_by))
            await self._record("paused", self._progress.state().stage)
            await workflow.wait_condition(lambda: not self._paused or self._is_to_end())
            self._raise_if_canceled()

    async def _wait_for(self, what: WaitsFor, stage: str, reason: Reason | None = None) -> None:
        self._progress.wait(stage)
        await self._record("waiting", stage, waiting_for=what, reason=reason)

    async def _sleep(self, pause: timedelta) -> None:
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._paused or self._is_to_end(), timeout=pause)
        self._raise_if_canceled()

    def _is_to_end(self) -> bool:
        """Whether it was canceled, also by a request of Temporal that an awaited activity has consumed."""
        return self._canceled or workflow.cancellation_reason() is not None

    def _raise_if_canceled(self) -> None:
        if self._is_to_end():
            raise asyncio.CancelledError

    # --- records ------------------------------------------------------------------------------------------

    async def _end(self, reason: Reason, *, canceled: bool) -> None:
        state: JobStateName = "canceled" if canceled else "failed"
        actor = (self._canceled_by or canceled_by().removeprefix("by ")) if canceled else ""
        await self._record(state, "", reason=reason, actor=actor)
        self._progress.finish(state, by_actor(actor))

    async def _record(
        self,
        state: JobStateName,
        stage: str,
        *,
        waiting_for: WaitsFor | None = None,
        reason: Reason | None = None,
        actor: str = "",
    ) -> None:
        compared = self._report is not None
        await workflow.execute_activity(
            signatures.record_sync,
            RecordSyncInput(
                sync_id=self._job.sync_id,
                state=state,
                stage=stage,
                done=self._done,
                total=self._changes if compared else None,
                waiting_for=waiting_for,
                reason=reason,
                report=self._report,
                applied=dict(self._applied),
                actor=actor,
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Record: {state} {stage}".strip(),
            **SHORT_STEP,
        )

    def _continue_as_new(self) -> None:
        workflow.continue_as_new(
            msgspec.structs.replace(
                self._job,
                report=self._report,
                changes=self._changes,
                done=self._done,
                applied=dict(self._applied),
                paused=self._paused,
                paused_by=self._paused_by,
            )
        )
