"""A re-index of many knowledge bases, in order and a limited number at once; each is a re-index of its own."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import msgspec
from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.reindex_all import (
        REINDEX_ALL_STAGES,
        Advanced,
        ControlAction,
        ControlAllInput,
        ReindexAllInput,
    )
    from activities.contracts.stages import FINAL_STATES
    from workflows.contracts import JobState, ReindexAllJob
    from workflows.policies import LONG_STEP
    from workflows.stages import Progress, by_actor, canceled_by
    from workflows.stopping import to_the_end

#: Looks at the re-indexes after which a run continues as new, so that its history stays small.
LOOKS_OF_A_RUN = 300

#: Time to the next look: it doubles while nothing changes.
SOON, SELDOM = timedelta(seconds=1), timedelta(seconds=10)


@workflow.defn
class ReindexAll:
    """Begins re-indexes, and follows them to their ends. What was begun and asked for is in the catalogue."""

    @workflow.init
    def __init__(self, job: ReindexAllJob) -> None:
        self._job = job
        self._progress = Progress(REINDEX_ALL_STAGES)
        self._priority = Priority(priority_key=Urgency.REINDEX)
        self._asked = list(job.asked)
        self._is_cancel_seen = False
        self._latest = Advanced(state="running", done=0, total=0)

    @workflow.query
    def state(self) -> JobState:
        """``done`` counts knowledge bases that have ended."""
        return msgspec.structs.replace(self._progress.state(), done=self._latest.done, total=self._latest.total)

    @workflow.signal
    def pause(self, actor: str = "") -> None:
        """Pause the re-indexes that are not switched yet, and begin none."""
        self._ask("pause", actor)

    @workflow.signal
    def resume(self, actor: str = "") -> None:
        """Go on with them."""
        self._ask("resume", actor)

    @workflow.signal
    def cancel(self, actor: str = "") -> None:
        """Cancel the re-indexes that are not switched yet, and begin none."""
        self._ask("cancel", actor)

    @workflow.run
    async def run(self, job: ReindexAllJob) -> Advanced:
        """The counts at the end; the report of each knowledge base is in the catalogue."""
        return await to_the_end(self._follow())

    async def _follow(self) -> Advanced:
        self._progress.enter("reindex")
        wait, looks = SOON, 0
        while True:
            while self._asked:
                await self._control(self._asked[0])
                self._asked.pop(0)
            advanced = await self._advance()
            if advanced.state in FINAL_STATES:
                self._progress.finish(advanced.state)
                return advanced
            looks += 1
            if looks == LOOKS_OF_A_RUN:
                self._has_controls()  # Temporal's own cancel request does not reach the next run
                workflow.continue_as_new(msgspec.structs.replace(self._job, asked=self._asked))
            wait = SOON if advanced.changed else min(2 * wait, SELDOM)
            with suppress(TimeoutError):
                await workflow.wait_condition(self._has_controls, timeout=wait)

    async def _advance(self) -> Advanced:
        advanced = await workflow.execute_activity(
            signatures.advance_reindex_all,
            ReindexAllInput(id=self._job.id),
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"Look at the re-indexes ({self._latest.done} of {self._latest.total or '?'} have ended)",
            **LONG_STEP,
        )
        if advanced.state != self._latest.state and advanced.state == "waiting":
            self._progress.wait("reindex")
        elif advanced.state != self._latest.state and advanced.state == "running":
            self._progress.enter("reindex")
        self._latest = advanced
        self._progress.count(advanced.done, advanced.total)
        return advanced

    async def _control(self, asked: ControlAllInput) -> None:
        await workflow.execute_activity(
            signatures.control_reindex_all,
            asked,
            task_queue=Queue.STORE,
            priority=self._priority,
            summary=f"{asked.action.capitalize()} the re-indexes {by_actor(asked.actor)}".strip(),
            **LONG_STEP,
        )
        if asked.action == "pause":
            self._progress.pause(by_actor(asked.actor))
        else:
            self._progress.annotate(f"{asked.action} asked for", by_actor(asked.actor))

    def _ask(self, action: ControlAction, actor: str) -> None:
        self._asked.append(ControlAllInput(id=self._job.id, action=action, actor=actor or self._job.actor))

    def _has_controls(self) -> bool:
        """Whether there is a control to heed; Temporal's own cancel request is one."""
        if workflow.cancellation_reason() is not None and not self._is_cancel_seen:
            self._is_cancel_seen = True
            self._ask("cancel", canceled_by().removeprefix("by "))
        return bool(self._asked)
