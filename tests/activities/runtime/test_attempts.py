"""Attempts that end without a word are counted, and end the activity when there are too many in a row."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.errors import TritonUnavailable
from activities.runtime.failures import reason_of
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.interceptor import ActivityEdge
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings

ATTEMPTS: dict[str, int] = {}


@workflow.defn
class RunStep:
    """Runs one activity by its name, as a workflow of ours would."""

    @workflow.run
    async def run(self, step: str, plan: str) -> str:
        return str(
            await workflow.execute_activity(
                step,
                plan,
                start_to_close_timeout=timedelta(seconds=1 if step == "retrieve" else 60),
                heartbeat_timeout=None if step == "retrieve" else timedelta(seconds=1),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10), backoff_coefficient=1),
            )
        )


async def _do(plan: str) -> str:
    """Does what the plan says for this attempt: be lost (``L``), get further and be lost (``P``), wait, or succeed."""
    attempt = activity.info().attempt
    ATTEMPTS[plan] = attempt
    match plan[attempt - 1 : attempt]:
        case "P":
            report(attempt, 99)
            await asyncio.sleep(1.2)  # until a heartbeat has carried it
            await _be_lost()
        case "L":
            await _be_lost()
        case "W":
            raise TritonUnavailable(detail="down")
    return "done"


async def _be_lost() -> None:
    for task in asyncio.all_tasks():
        if task.get_coro().__name__ == "_send_heartbeats":  # type: ignore[union-attr]
            task.cancel()
    await asyncio.sleep(5)
    raise AssertionError("the attempt was not given up")


@activity.defn(name="parse")
@heartbeating
async def parse(plan: str) -> str:
    return await _do(plan)


@activity.defn(name="retrieve")
async def retrieve(plan: str) -> str:
    return await _do(plan)


@activity.defn(name="publish")
@heartbeating
async def publish(plan: str) -> str:
    return await _do(plan)


async def run(settings: TemporalSettings, step: str, plan: str) -> str:
    """The result of the plan, or the code of the reason with which it failed."""
    client: Client = await connect(settings)
    queue = uuid.uuid4().hex
    async with Worker(
        client,
        task_queue=queue,
        workflows=[RunStep],
        activities=[parse, retrieve, publish],
        interceptors=[ActivityEdge()],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=timedelta(seconds=0.2),
        default_heartbeat_throttle_interval=timedelta(seconds=0.2),
    ):
        try:
            return str(await client.execute_workflow(RunStep.run, args=[step, plan], id=queue, task_queue=queue))
        except WorkflowFailureError as exc:
            return reason_of(exc.cause).code


@pytest.mark.parametrize(
    ("step", "plan", "outcome", "attempts"),
    [
        ("parse", "LLLLLL", "parser-crashed", 5),
        ("parse", "LLLL", "done", 5),
        ("parse", "LLWWWWWLL", "done", 10),
        ("parse", "LLPLLLL", "parser-crashed", 7),
        ("retrieve", "LLLL", "step-lost", 3),
        ("publish", "LLLLLL", "done", 7),
    ],
)
async def test_lost_attempts_end_a_step_that_makes_no_progress(
    temporal_server: TemporalSettings, step: str, plan: str, outcome: str, attempts: int
) -> None:
    """Waiting for a dependency does not count; steps that depend on services alone are tried without limit."""
    assert await run(temporal_server, step, plan) == outcome
    assert ATTEMPTS[plan] == attempts
