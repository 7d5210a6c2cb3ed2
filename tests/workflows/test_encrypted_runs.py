"""Encryption in all that a run does: signals, queries, updates, children, schedules, failures, and runs from before."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowFailureError,
    WorkflowHistory,
)
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from activities.contracts.summaries import Summary
from activities.runtime.encryption import is_encrypted
from activities.runtime.summaries import ClearSummaries
from activities.runtime.temporal import connect
from activities.settings import PayloadKeys, TemporalSettings
from tests.conftest import assert_eventually

WORD = "glimmerdoubloon"

STEP: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=20),
    "retry_policy": RetryPolicy(maximum_attempts=2),
}


class Text(msgspec.Struct):
    """What a run is about."""

    text: str
    rounds: int = 0


@activity.defn
async def repeat(said: Text) -> Text:
    """Heartbeats the text and fails with it; its second attempt has it from the heartbeat."""
    if not activity.info().is_local and activity.info().attempt == 1:
        activity.heartbeat(said)
        raise ApplicationError(said.text, said)
    details = activity.info().heartbeat_details
    return msgspec.convert(details[0], Text) if details else said


@activity.defn
async def refuse(said: Text) -> None:
    """Fails with the text."""
    raise ApplicationError(said.text, said, type="refused", non_retryable=True)


@workflow.defn
class Child:
    """Returns the text, and what it was given before by its schedule."""

    @workflow.run
    async def run(self, said: Text) -> Text:
        """Read what the run before returned."""
        before = workflow.get_last_completion_result(Text)
        return Text(said.text, before.rounds + 1 if before else 0)


@workflow.defn
class Parent:
    """Uses everything that has payloads."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.signal
    def hear(self, said: Text) -> None:
        """Take a text."""
        self.heard.append(said.text)

    @workflow.query
    def told(self) -> list[str]:
        """Give the texts."""
        return self.heard

    @workflow.update
    async def tell(self, said: Text) -> Text:
        """Take a text and give it back."""
        self.heard.append(said.text)
        return said

    @workflow.run
    async def run(self, said: Text) -> Text:
        """One round of each, twice."""
        if said.rounds == 0:
            await workflow.wait_condition(lambda: len(self.heard) >= 2)
            workflow.continue_as_new(Text(said.text, 1))
        await workflow.sleep(0.01, summary=Summary("Wait a little"))
        local = await workflow.execute_local_activity(repeat, said, summary="Repeat here", **STEP)
        remote = await workflow.execute_activity(repeat, local, summary="Repeat there", **STEP)
        child = await workflow.execute_child_workflow(
            Child.run, remote, id=f"{workflow.info().workflow_id}/child", static_summary="Repeat below"
        )
        try:
            await workflow.execute_activity(refuse, child, **STEP)
        except ActivityError as exc:
            refused = cast(ApplicationError, exc.cause)
            detail = msgspec.convert(refused.details[0], Text)
            raise ApplicationError(f"{refused.message}!", detail, type="failed", non_retryable=True) from exc
        return child


@pytest.fixture
def encrypted(temporal_server: TemporalSettings, tmp_path: Path) -> TemporalSettings:
    """Settings with a key."""
    file = tmp_path / "payload.keys"
    file.write_text(f"first {base64.b64encode(os.urandom(32)).decode()}\n")
    return msgspec.structs.replace(temporal_server, payload_keys=PayloadKeys(str(file)))


@asynccontextmanager
async def working(client: Client, queue: str) -> AsyncIterator[None]:
    """A worker as the platform's, for these workflows."""
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Parent, Child],
        activities=[repeat, refuse],
        interceptors=[ClearSummaries()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


async def histories(client: Client, id: str) -> list[WorkflowHistory]:
    """The histories of all runs of a workflow."""
    return [
        await client.get_workflow_handle(id, run_id=run.run_id).fetch_history()
        async for run in client.list_workflows(f"WorkflowId = '{id}'")
    ]


async def test_everything_that_a_run_does_is_encrypted(encrypted: TemporalSettings) -> None:
    """Input, signals, updates, queries, heartbeats, results, children, continue-as-new, failures with their causes."""
    client, id = await connect(encrypted), f"test/{uuid.uuid4().hex}"
    async with working(client, id):
        handle = await client.start_workflow(
            Parent.run,
            Text(WORD),
            id=id,
            task_queue=id,
            start_signal="hear",
            start_signal_args=[Text(f"{WORD} one")],
            static_summary=Summary("Repeat"),
        )
        assert await handle.query(Parent.told) == [f"{WORD} one"]
        assert await handle.execute_update(Parent.tell, Text(f"{WORD} two")) == Text(f"{WORD} two")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type) == (f"{WORD}!", "failed")
    assert msgspec.convert(cause.details[0], Text) == Text(WORD)
    assert WORD in str(cause.__cause__.__cause__)

    found = [*await assert_eventually(lambda: _two(client, id)), *await histories(client, f"{id}/child")]
    events = [event for history in found for event in history.events]
    assert not any(WORD.encode() in event.SerializeToString() for event in events)
    assert not any(b"test_encrypted_runs" in event.SerializeToString() for event in events), "stack traces"
    summaries = [event.user_metadata.summary for event in events if event.HasField("user_metadata")]
    texts = {summary.data.decode().strip('"') for summary in summaries if not is_encrypted(summary)}
    assert {"Repeat", "Wait a little", "Repeat there", "Repeat below"} <= texts
    assert not any(map(is_encrypted, summaries))
    replayer = Replayer(
        workflows=[Parent, Child], data_converter=client.data_converter, workflow_runner=UnsandboxedWorkflowRunner()
    )
    for history in found:
        await replayer.replay_workflow(history, raise_on_replay_failure=True)


async def _two(client: Client, id: str) -> list[WorkflowHistory] | None:
    """Both runs, once they are listed."""
    found = await histories(client, id)
    return found if len(found) == 2 else None


async def test_runs_of_a_schedule_read_each_other(encrypted: TemporalSettings) -> None:
    """Arguments are encrypted for the schedule; a run gets the result of the one before."""
    client, id = await connect(encrypted), f"test-{uuid.uuid4().hex}"
    action = ScheduleActionStartWorkflow(Child.run, Text(WORD), id=id, task_queue=id, static_summary=Summary("Nightly"))
    schedule = await client.create_schedule(id, Schedule(action=action, spec=ScheduleSpec()))
    async with working(client, id):
        for rounds in range(2):
            await schedule.trigger()

            async def result(rounds: int = rounds) -> Text | None:
                recent = (await schedule.describe()).info.recent_actions
                if len(recent) <= rounds:
                    return None
                run = client.get_workflow_handle(recent[rounds].action.workflow_id, result_type=Text)  # type: ignore[union-attr]
                return await run.result()

            assert await assert_eventually(result) == Text(WORD, rounds)
    await schedule.delete()


async def test_a_run_from_before_goes_on_encrypted(
    temporal_server: TemporalSettings, encrypted: TemporalSettings
) -> None:
    """It began in clear; what follows is not."""
    before, client, id = await connect(temporal_server), await connect(encrypted), f"test/{uuid.uuid4().hex}"
    async with working(before, id):
        handle = await before.start_workflow(Parent.run, Text(WORD), id=id, task_queue=id)
        await handle.signal(Parent.hear, Text("one"))
        assert await handle.query(Parent.told) == ["one"]
    async with working(client, id):
        handle = client.get_workflow_handle_for(Parent.run, id)
        await handle.signal(Parent.hear, Text("two"))
        with pytest.raises(WorkflowFailureError, match="failed"):
            await handle.result()
    found = await assert_eventually(lambda: _two(client, id))
    first, last = sorted(found, key=lambda each: each.events[0].event_time.ToNanoseconds())
    assert WORD.encode() in first.events[0].SerializeToString()
    assert not any(WORD.encode() in event.SerializeToString() for event in last.events)
