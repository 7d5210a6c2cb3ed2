"""Retries all documents that failed for one reason, a limited number at a time."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.batches import FinishedInput
    from activities.contracts.failures import FailuresToRetry, RequeueFailuresInput
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.stages import RETRY_STAGES
    from workflows.contracts import JobState, RetriedFailures, RetryFailuresJob
    from workflows.policies import SHORT_STEP
    from workflows.stages import Progress, by_actor

#: Documents on their way at once.
AT_ONCE = 64

#: The time between two looks at them: the first after some have ended, the longest while none does.
LOOK_SOON, LOOK_AFTER = timedelta(seconds=1), timedelta(seconds=15)

#: Looks after which a run continues as new, so that its history stays small.
LOOKS_OF_A_RUN = 20


@workflow.defn
class RetryFailures:
    """A sliding window: while documents are left, those that have ended are followed by the next ones."""

    @workflow.init
    def __init__(self, job: RetryFailuresJob) -> None:
        self._progress = Progress(RETRY_STAGES)
        self._priority = Priority(priority_key=Urgency.BATCH, fairness_key="retry-failures")
        self._in_flight, self._done = list(job.in_flight), job.done
        self._before, self._actor = job.before, job.actor

    @workflow.query
    def state(self) -> JobState:
        """Stage and state; ``done`` counts documents that were put back in line."""
        return msgspec.structs.replace(self._progress.state(), done=self._done)

    @workflow.signal
    def more(self, asked: FailuresToRetry) -> None:
        """Asked for again: those that have failed meanwhile are meant too."""
        if asked.before > self._before:
            self._before, self._actor = asked.before, asked.actor
            self._progress.annotate("asked for again", by_actor(asked.actor))

    @workflow.run
    async def run(self, job: RetryFailuresJob) -> RetriedFailures:
        """Ends when the last document is back in line; the documents' own runs go on by themselves."""
        self._progress.enter("retry")
        looks, pause = 0, LOOK_SOON
        while True:
            ended = await self._look()
            if len(self._in_flight) < AT_ONCE and not await self._requeue(job):
                self._progress.finish("ready")
                return RetriedFailures(documents=self._done)
            looks, pause = looks + 1, LOOK_SOON if ended else min(pause * 2, LOOK_AFTER)
            await workflow.sleep(pause)
            if looks == LOOKS_OF_A_RUN:
                changed = {"before": self._before, "actor": self._actor}
                changed |= {"in_flight": self._in_flight, "done": self._done}
                workflow.continue_as_new(msgspec.structs.replace(job, **changed))

    async def _look(self) -> bool:
        """Whether documents on their way have ended."""
        if not self._in_flight:
            return True
        finished = await workflow.execute_activity(
            signatures.finished_documents,
            FinishedInput(versions=self._in_flight),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary="Look which documents have ended",
            **SHORT_STEP,
        )
        self._in_flight = [version for version in self._in_flight if version not in finished.versions]
        return bool(finished.versions)

    async def _requeue(self, job: RetryFailuresJob) -> bool:
        """Put the next documents back in line; whether there may be more."""
        before, limit = self._before, AT_ONCE - len(self._in_flight)
        requeued = await workflow.execute_activity(
            signatures.requeue_failures,
            RequeueFailuresInput(
                code=job.code,
                before=before,
                actor=self._actor,
                knowledge_base_id=job.knowledge_base_id,
                limit=limit,
            ),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Put up to {limit} documents back in line",
            **SHORT_STEP,
        )
        self._in_flight += requeued.versions
        self._done += len(requeued.versions)
        self._progress.count(self._done)
        return bool(requeued.versions) or self._before != before
