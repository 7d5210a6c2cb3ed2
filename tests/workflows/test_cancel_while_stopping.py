"""A cancellation that arrives while a pause is still stopping the current activity is not lost."""

from __future__ import annotations

import asyncio

import pytest
from temporalio import activity
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.documents import Chunking
from activities.contracts.ids import ingest_id
from activities.contracts.ingest import EndRunInput, Parsed, ParseInput, PauseInput, RunEnded
from activities.contracts.queues import Queue
from activities.runtime import temporal
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from tests.workflows.test_replay import replayer
from workflows.client.jobs import Jobs
from workflows.contracts import IngestJob
from workflows.ingest import IngestDocument


class Slow:
    """Activities of which the first takes a while to stop."""

    def __init__(self) -> None:
        self.begun, self.stopping, self.recorded = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @activity.defn(name="parse")
    async def parse(self, job: ParseInput) -> Parsed:
        """Never completes; takes a second from the cancellation to its end."""
        self.begun.set()
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.05)
        finally:
            self.stopping.set()
            await asyncio.sleep(1)

    @activity.defn(name="hold")
    async def hold(self, job: PauseInput) -> None:
        """Records nothing."""

    @activity.defn(name="end_run")
    async def end_run(self, job: EndRunInput) -> RunEnded:
        """Reports the cancellation."""
        assert job.canceled
        self.recorded.set()
        return RunEnded(live=False)


async def test_a_cancellation_while_a_step_is_stopping(temporal_server: TemporalSettings) -> None:
    """The run ends as canceled instead of staying paused for ever; its history replays."""
    client, slow = await connect(temporal_server), Slow()
    job = IngestJob(
        knowledge_base_id="k",
        knowledge_base="kb",
        document_id="d",
        document_name="a.txt",
        version=1,
        sha256="0" * 64,
        bytes=1 << 20,
        chunking=Chunking(),
        actor="ada",
    )
    id, jobs, runner = ingest_id("d", 1), Jobs(client), UnsandboxedWorkflowRunner()
    async with (
        Worker(client, task_queue=Queue.WORKFLOWS, workflows=[IngestDocument], workflow_runner=runner),
        Worker(client, task_queue=Queue.CPU, activities=[slow.parse]),
        Worker(client, task_queue=Queue.STORE, activities=[slow.hold, slow.end_run]),
    ):
        await jobs.ingest(job)
        await asyncio.wait_for(slow.begun.wait(), 20)
        assert await jobs.signal(id, "pause", "ada")
        await asyncio.wait_for(slow.stopping.wait(), 20)
        assert await jobs.cancel(id, "bob")
        with pytest.raises(WorkflowFailureError) as caught:
            await asyncio.wait_for(jobs.handle(id).result(), 20)
    assert isinstance(caught.value.cause, CancelledError)
    assert slow.recorded.is_set()
    assert not await temporal.is_running(client, id)
    await replayer().replay_workflow(await jobs.handle(id).fetch_history())
