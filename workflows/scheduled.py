"""One run of a schedule: starts the job of its kind, follows it, and ends as the job does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.ids import occurrence_of
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.schedules import (
        BeginScheduledInput,
        JobSeen,
        JobToStart,
        LookAtJobInput,
        RecordScheduledInput,
        ScheduledBegun,
        ScheduleRunState,
        ScheduleToRun,
        counts_of,
    )
    from activities.contracts.search_attributes import KNOWLEDGE_BASE, OWNER, STAGE
    from activities.contracts.stages import SCHEDULED_STAGES, JobStateName
    from activities.contracts.summaries import Summary
    from activities.errors import Canceled, HoldfastError, Reason
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import JobState, ScheduledResult
    from workflows.policies import SHORT_STEP
    from workflows.stages import Progress
    from workflows.stopping import to_the_end, was_canceled

#: The time for which Temporal started a run of a schedule; it sets this search attribute itself.
SCHEDULED_FOR = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")

#: Intervals at which a job is looked at that another run has started: the first one, and the longest.
LOOK_FIRST, LOOK_LAST = timedelta(seconds=5), timedelta(minutes=10)


@workflow.defn
class RunScheduled:
    """begin → job. The schedule's settings are read when it begins; a canceled run cancels its job."""

    @workflow.init
    def __init__(self, schedule: ScheduleToRun) -> None:
        self._progress = Progress(SCHEDULED_STAGES)
        self._priority = Priority(priority_key=Urgency.UPLOAD)

    @workflow.query
    def state(self) -> JobState:
        """Stage and state."""
        return self._progress.state()

    @workflow.run
    async def run(self, schedule: ScheduleToRun) -> ScheduledResult:
        """Raises ApplicationError, typed by the reason's code, if the job failed."""
        self._progress.enter("begin")
        begun = await self._begin(schedule)
        if begun.job is None:
            await self._record(begun.record_id, "skipped", begun.reason)
            self._progress.finish("ready", f"without a job: {begun.reason.render()}" if begun.reason else "")
            return ScheduledResult(state="skipped", reason=begun.reason)
        self._progress.enter("job")
        seen = await self._follow(begun.job)
        await to_the_end(self._record(begun.record_id, seen.state, seen.reason, seen.counts))
        state: JobStateName = "ready" if seen.state == "ready" else "canceled" if seen.state == "canceled" else "failed"
        self._progress.finish(state)
        if workflow.cancellation_reason() is not None and state == "canceled":
            raise asyncio.CancelledError
        if state != "ready":
            raise final_failure(seen.reason or HoldfastError().reason)
        return ScheduledResult(state=seen.state, job=begun.job.id, counts=seen.counts)

    async def _begin(self, schedule: ScheduleToRun) -> ScheduledBegun:
        info = workflow.info()
        at = info.typed_search_attributes.get(SCHEDULED_FOR) or info.start_time
        return await workflow.execute_activity(
            signatures.begin_scheduled,
            BeginScheduledInput(
                schedule_id=schedule.schedule_id,
                occurrence=occurrence_of(info.workflow_id),
                at=at,
                workflow_id=info.workflow_id,
                run_id=info.run_id,
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Begin what {schedule.name} is to do at {at:%Y-%m-%d %H:%M}",
            **SHORT_STEP,
        )

    async def _follow(self, job: JobToStart) -> JobSeen:
        """What became of the job, started here or by another run."""
        try:
            return JobSeen(state="ready", counts=counts_of(await self._start(job)))
        except WorkflowAlreadyStartedError:
            pass  # of another run
        except ChildWorkflowError as exc:
            reason = reason_of(exc)
            canceled = is_cancelled_exception(exc) or reason.code == Canceled.code
            return JobSeen(state="canceled" if canceled else "failed", reason=reason)
        except asyncio.CancelledError:
            return JobSeen(state="canceled", reason=Reason(code=Canceled.code))
        try:
            return await self._watch(job)
        except (asyncio.CancelledError, ActivityError) as exc:
            if not was_canceled(exc):
                raise
            return JobSeen(state="canceled", reason=Reason(code=Canceled.code))

    async def _start(self, job: JobToStart) -> object:
        child = await workflow.start_child_workflow(
            job.workflow,
            job.input,
            id=job.id,
            task_queue=Queue.WORKFLOWS,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=job.summary[:200],
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(KNOWLEDGE_BASE, job.knowledge_base),
                    SearchAttributePair(OWNER, job.actor),
                    SearchAttributePair(STAGE, "queued"),
                ]
            ),
        )
        if workflow.cancellation_reason() is not None:  # the activity before has consumed the request
            child.cancel()
        return await child

    async def _watch(self, job: JobToStart) -> JobSeen:
        interval = LOOK_FIRST
        while True:
            seen = await workflow.execute_activity(
                signatures.look_at_job,
                LookAtJobInput(workflow_id=job.id),
                task_queue=Queue.STORE,
                priority=self._priority,
                summary="Look at the job, which runs already",
                **SHORT_STEP,
            )
            if seen.state != "running":
                return seen
            await workflow.sleep(interval, summary=Summary("Until the next look"))
            interval = min(LOOK_LAST, interval * 2)

    async def _record(
        self,
        record_id: str,
        state: ScheduleRunState,
        reason: Reason | None,
        counts: dict[str, int] | None = None,
    ) -> None:
        if not record_id:  # the schedule is deleted
            return
        await workflow.execute_activity(
            signatures.record_scheduled,
            RecordScheduledInput(record_id=record_id, state=state, reason=reason, counts=counts),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Record: {state}",
            **SHORT_STEP,
        )
