"""Answers a question: (wait for the index →) retrieve → answer → record.

Its activities append what readers follow (``state``, ``sources``, ``delta`` …, at last ``done`` or ``error``) to the
catalogue, so that the history is short, however long the answer and however many the readers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.contrib.workflow_streams import WorkflowStream
from temporalio.exceptions import (
    ActivityError,
    FailureError,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as StepTimeout

with workflow.unsafe.imports_passed_through():
    from activities.contracts import Contract, signatures
    from activities.contracts.events import DoneEvent, ErrorEvent, QuestionEvent, SourcesEvent, StateEvent
    from activities.contracts.questions import (
        Answered,
        AnswerInput,
        RecordAnswerInput,
        Retrieved,
        RetrieveInput,
        WaitInput,
    )
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.stages import QUESTION_STAGES, WAITING_QUESTION_STAGES
    from activities.errors import Canceled, QuestionTimedOut, Reason
    from activities.runtime.failures import final_failure, reason_of
    from workflows.contracts import JobState, QuestionJob
    from workflows.policies import ANSWER_STEP, INTERACTIVE_STEP, LOCAL_ACTIVITY, SHORT_STEP, WAIT_STEP, Policy
    from workflows.stages import Progress, canceled_by
    from workflows.stopping import was_canceled


@workflow.defn
class AnswerQuestion:
    @workflow.init
    def __init__(self, job: QuestionJob) -> None:
        self._job = job
        # Runs from before `events_in_catalog` hold their events and answer their readers, which replays have to repeat.
        self._events = None if job.events_in_catalog else WorkflowStream().topic("events")
        stages = WAITING_QUESTION_STAGES if job.wait_for_index else QUESTION_STAGES
        self._progress = Progress(stages, hide_stages=job.hide_stages)
        self._milliseconds: dict[str, int] = {}
        self._priority = Priority(priority_key=Urgency.QUESTION, fairness_key=job.knowledge_base_id)

    @workflow.query
    def state(self) -> JobState:
        """Stage and state."""
        return self._progress.state()

    @workflow.run
    async def run(self, job: QuestionJob) -> Answered:
        """Answer and record. Raises ApplicationError, typed by the reason's code, if there is no answer."""
        try:
            answered = await self._answer(job)
        except (ActivityError, asyncio.CancelledError) as exc:
            canceled, reason = was_canceled(exc), _reason(exc)
            await self._record(RecordAnswerInput(question_id=job.question_id, reason=reason, canceled=canceled))
            self._progress.finish("canceled" if canceled else "failed", canceled_by() if canceled else "")
            self._publish(ErrorEvent(reason=reason))
            if canceled:
                raise asyncio.CancelledError from exc
            raise final_failure(reason) from exc
        self._progress.finish("ready")
        self._publish(
            DoneEvent(
                answer=answered.answer,
                citations=answered.citations,
                mode=answered.mode,
                found=answered.found,
                fallback=answered.fallback,
                withheld=answered.withheld,
            )
        )
        return answered

    async def _answer(self, job: QuestionJob) -> Answered:
        if job.wait_for_index:
            await self._wait_for_index(job)
        self._enter("retrieve")
        retrieved: Retrieved = await self._execute(
            signatures.retrieve,
            RetrieveInput(
                question_id=job.question_id,
                knowledge_base_id=job.knowledge_base_id,
                question=job.question,
                documents=job.documents,
                filter=job.filter,
                follows=job.conversation_id is not None,
                history_key=job.history_key,
                mode=job.mode,
            ),
            f"Search {job.knowledge_base}",
            INTERACTIVE_STEP,
            local=job.conversation_id is None and job.history_key is None,  # else a language model may rewrite it first
        )
        self._progress.note(f"Found {len(retrieved.sources)} passages")
        self._publish(SourcesEvent(sources=retrieved.sources))
        self._enter("generate")
        answered = await workflow.execute_activity(
            signatures.answer,
            AnswerInput(
                question=job.question,
                mode=job.mode,
                sources_key=retrieved.sources_key,
                sources=retrieved.sources,
                similarity=retrieved.similarity,
                question_id=job.question_id,
                embedding=retrieved.embedding,
            ),
            task_queue=Queue.ANSWER,
            priority=self._priority,
            summary=f"Answer from {len(retrieved.sources)} passages ({job.mode})",
            **ANSWER_STEP,
        )
        if job.local_activities and workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError  # the activity completed first, but the question is canceled
        self._enter("record")
        await self._record(
            RecordAnswerInput(
                question_id=job.question_id, retrieved=retrieved, answered=answered, milliseconds=self._milliseconds
            )
        )
        return answered

    async def _wait_for_index(self, job: QuestionJob) -> None:
        """Wait until the documents uploaded before the question by the asker are searchable or ended."""
        started = workflow.now()
        self._progress.wait("wait_for_index")
        await workflow.execute_activity(
            signatures.wait_for_index,
            WaitInput(question_id=job.question_id, knowledge_base_id=job.knowledge_base_id, actor=job.actor),
            task_queue=Queue.ANSWER,
            priority=self._priority,
            summary=f"Wait until the documents of {job.actor} are indexed",
            **WAIT_STEP,
        )
        self._milliseconds["wait_for_index"] = int((workflow.now() - started).total_seconds() * 1000)

    async def _record(self, record: RecordAnswerInput) -> None:
        await self._execute(signatures.record_answer, record, "Record the answer", SHORT_STEP)

    async def _execute(
        self, function: Callable[..., Any], input: Contract, summary: str, policy: Policy, *, local: bool = True
    ) -> Any:
        """Run an activity; with ``local`` as a local one first, which saves several round trips to the server.

        If the local attempt fails, a regular activity follows, whose retries wait for a dependency that is down.
        """
        if local and self._job.local_activities:
            try:
                return await workflow.execute_local_activity(function, input, summary=summary, **LOCAL_ACTIVITY)
            except FailureError as exc:
                if is_cancelled_exception(exc):
                    raise
        return await workflow.execute_activity(
            function, input, task_queue=Queue.ANSWER, priority=self._priority, summary=summary, **policy
        )

    def _enter(self, stage: str) -> None:
        self._progress.enter(stage)
        self._publish(StateEvent(stage=stage))

    def _publish(self, event: QuestionEvent) -> None:
        if self._events is not None:
            self._events.publish(event)


def _reason(exc: BaseException) -> Reason:
    if was_canceled(exc):
        return Canceled().reason
    first = exc
    while first.__cause__ is not None:
        first = first.__cause__
    return QuestionTimedOut().reason if isinstance(first, StepTimeout) else reason_of(exc)
