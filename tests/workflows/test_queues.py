"""The state of the task queues, as Temporal tells it."""

from __future__ import annotations

import uuid

from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.queues import Queue
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from activities.stores.catalog.tables import now
from tests.conftest import assert_eventually
from workflows.client.queues import KINDS, QueueState, describe_queues
from workflows.retry_failures import RetryFailures


def test_every_queue_is_described() -> None:
    """None is forgotten."""
    assert set(KINDS) == set(Queue.ALL)


async def test_a_queue_tells_its_backlog_and_its_workers(temporal_server: TemporalSettings) -> None:
    """What waits without a worker, and since when; then the worker by its name, once, however often it polls."""
    client = await connect(temporal_server)
    await client.start_workflow("Unknown", id=uuid.uuid4().hex, task_queue=Queue.WORKFLOWS)
    before = now()

    async def workflows() -> QueueState:
        return next(each for each in await describe_queues(client) if each.queue == Queue.WORKFLOWS)

    async def waiting() -> QueueState | None:
        found = await workflows()
        return found if found.backlog and found.age_seconds else None

    found = await assert_eventually(waiting)
    assert (found.backlog, found.kind, found.workers) == (1, "workflow", [])
    runner = UnsandboxedWorkflowRunner()
    async with Worker(
        client, task_queue=Queue.WORKFLOWS, workflows=[RetryFailures], workflow_runner=runner, identity="7@here"
    ):

        async def attended() -> QueueState | None:
            found = await workflows()
            return found if found.workers else None

        (worker,) = (await assert_eventually(attended)).workers
    assert worker.identity == "7@here"
    assert worker.build
    assert worker.seen_at >= before.replace(microsecond=0)
