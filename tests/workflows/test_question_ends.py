"""Every question ends: as canceled when its worker is gone, and with a reason when its steps never complete."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.ids import question_id
from activities.contracts.questions import Answered, AnswerInput, RecordAnswerInput, Retrieved, RetrieveInput
from activities.contracts.queues import Queue
from activities.errors import MilvusUnavailable, QuestionTimedOut
from activities.runtime.interceptor import ActivityEdge
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from tests.workflows.test_replay import replayer
from workflows import policies
from workflows.answer import AnswerQuestion
from workflows.client.jobs import Jobs
from workflows.contracts import QuestionJob


class Steps:
    """Activities of a question of which some never complete."""

    def __init__(self, *, hangs: str, error: Exception | None = None) -> None:
        """``hangs`` is the activity that neither ends nor sends heartbeats, or fails with ``error``."""
        self._hangs, self._error = hangs, error
        self.begun = asyncio.Event()
        self.records: list[RecordAnswerInput] = []

    @activity.defn(name="retrieve")
    async def retrieve(self, input: RetrieveInput) -> Retrieved:
        """No passages."""
        await self._step("retrieve")
        return Retrieved(sources_key="k", sources=[], similarity=0.0)

    @activity.defn(name="answer")
    async def answer(self, input: AnswerInput) -> Answered:
        """An answer."""
        assert input.question_id == "q"
        await self._step("answer")
        return Answered(answer="Five.", citations=[], mode="extractive", found=True)

    @activity.defn(name="record_answer")
    async def record_answer(self, input: RecordAnswerInput) -> None:
        """Keeps the record."""
        self.records.append(input)

    async def _step(self, name: str) -> None:
        if name == self._hangs:
            self.begun.set()
            if self._error is not None:
                raise self._error
            await asyncio.sleep(30)

    def worker(self, client: Client) -> Worker:
        """The worker of these steps, with the edge of all activities."""
        return Worker(
            client,
            task_queue=Queue.ANSWER,
            workflows=[AnswerQuestion],
            activities=[self.retrieve, self.answer, self.record_answer],
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[ActivityEdge()],
        )


JOB = QuestionJob(
    question_id="q",
    knowledge_base_id="k",
    knowledge_base="kb",
    question="How long?",
    mode="extractive",
    actor="ann",
    events_in_catalog=True,
)


async def test_a_cancel_counts_although_the_worker_is_gone(temporal_server: TemporalSettings) -> None:
    """The answer's worker never confirms the cancellation; the question is canceled, not failed, and replays."""
    client, steps = await connect(temporal_server), Steps(hangs="answer")
    jobs = Jobs(client)
    async with steps.worker(client):
        await jobs.answer(JOB)
        await asyncio.wait_for(steps.begun.wait(), 20)
        assert await jobs.cancel(question_id("q"), "bob")
        with pytest.raises(WorkflowFailureError) as caught:
            await asyncio.wait_for(jobs.handle(question_id("q")).result(), 40)
    assert isinstance(caught.value.cause, CancelledError)
    (record,) = steps.records
    assert (record.canceled, record.reason and record.reason.code) == (True, "canceled")
    history = await jobs.handle(question_id("q")).fetch_history()
    assert "RETRY_STATE_CANCEL_REQUESTED" in history.to_json()
    await replayer().replay_workflow(history)


@pytest.mark.parametrize("step", ["retrieve", "answer"])
@pytest.mark.parametrize(
    ("error", "code"),
    [(None, QuestionTimedOut.code), (MilvusUnavailable(detail="gone"), MilvusUnavailable.code)],
)
async def test_a_step_that_never_completes_ends_the_question(
    temporal_server: TemporalSettings, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception | None, code: str
) -> None:
    """Its attempts time out, or wait for what is down, until the step's time is over; the record has the reason."""
    for policy in (policies.INTERACTIVE_STEP, policies.ANSWER_STEP):
        assert policy["schedule_to_close_timeout"] <= timedelta(hours=2)
        monkeypatch.setitem(policy, "start_to_close_timeout", timedelta(seconds=0.3))
        monkeypatch.setitem(policy, "schedule_to_close_timeout", timedelta(seconds=2))
    client, steps = await connect(temporal_server), Steps(hangs=step, error=error)
    jobs = Jobs(client)
    async with steps.worker(client):
        await jobs.answer(JOB)
        with pytest.raises(WorkflowFailureError) as caught:
            await asyncio.wait_for(jobs.handle(question_id("q")).result(), 20)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == code
    (record,) = steps.records
    assert (record.canceled, record.answered, record.reason and record.reason.code) == (False, None, code)
