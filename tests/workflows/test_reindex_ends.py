"""Ends of a re-index at each of its stages, with a real Temporal; the activities are played.

What removing a generation removes of the stores is tested with the activity, and through the whole platform.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.documents import Chunking
from activities.contracts.gate import JudgeInput, Measured, MeasureInput, QuestionSet, Verdict
from activities.contracts.ingest import Parsed, ParseInput
from activities.contracts.queues import Queue
from activities.contracts.reindex import (
    BuildList,
    BuildListInput,
    DocumentToBuild,
    RecordReindexInput,
    ReindexInput,
    ReindexPlan,
    Retired,
    RetireInput,
    Switched,
    SwitchInput,
    Verified,
)
from activities.errors import GenerationDiffers
from activities.runtime.failures import reason_of
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from tests.conftest import assert_eventually
from workflows import reindex
from workflows.contracts import ReindexJob
from workflows.reindex import ReindexKnowledgeBase

Run = WorkflowHandle[ReindexKnowledgeBase, Any]

OLD, NEW = 1, 2


class Played:
    """The activities of a re-index. The one that is named ``stops`` goes on until it is canceled, or let go."""

    def __init__(self, stops: str = "", *, refused: bool = False, closed: int = 0) -> None:
        self.stops, self.refused, self.closed = stops, refused, closed
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.calls: list[str] = []
        self.retired: list[tuple[int, bool]] = []
        self.records: list[tuple[str, str, str]] = []

    async def _at(self, name: str) -> None:
        self.calls.append(name)
        while name == self.stops and not self.go.is_set():
            self.reached.set()
            activity.heartbeat()
            await asyncio.sleep(0.02)

    @activity.defn(name="plan_reindex")
    async def plan(self, input: ReindexInput) -> ReindexPlan:
        await self._at("plan")
        return ReindexPlan(documents=1, cut_again=1)

    @activity.defn(name="begin_generation")
    async def begin(self, input: ReindexInput) -> None:
        await self._at("begin")

    @activity.defn(name="documents_to_build")
    async def listed(self, input: BuildListInput) -> BuildList:
        self.calls.append("list")
        if self.closed:
            self.closed -= 1
            return BuildList(closed_seconds=3600)
        wanted = self.stops == "parse" and not input.after
        document = DocumentToBuild(document_id="d", document_name="d.txt", version=1, sha256="0" * 64, bytes=1)
        return BuildList(documents=[document] if wanted else [])

    @activity.defn(name="parse")
    async def parse(self, input: ParseInput) -> Parsed:
        await self._at("parse")
        raise AssertionError("nobody lets it go")

    @activity.defn(name="verify_generation")
    async def verify(self, input: ReindexInput) -> Verified:
        await self._at("verify")
        return Verified(documents=1, rows=1)

    @activity.defn(name="prepare_gate")
    async def prepare(self, input: ReindexInput) -> QuestionSet:
        await self._at("prepare")
        return QuestionSet(questions=0)

    @activity.defn(name="measure_gate")
    async def measure(self, input: MeasureInput) -> Measured:
        return Measured(pairs=[])

    @activity.defn(name="judge_gate")
    async def judge(self, input: JudgeInput) -> Verdict:
        await self._at("judge")
        return Verdict(refused=GenerationDiffers(lost=1, searched=2).reason if self.refused else None)

    @activity.defn(name="switch_generation")
    async def switch(self, input: SwitchInput) -> Switched:
        await self._at("switch back" if input.back else "switch")
        return Switched(switched=True)

    @activity.defn(name="retire_generation")
    async def retire(self, input: RetireInput) -> Retired:
        await self._at("retire")
        self.retired.append((input.generation, input.unfinished))
        return Retired(rows=0, left=0, blobs=0)

    @activity.defn(name="record_reindex")
    async def record(self, input: RecordReindexInput) -> None:
        self.records.append((input.state, input.stage, input.reason.code if input.reason else ""))

    @property
    def activities(self) -> list[Any]:
        """All of them."""
        return [
            *(self.plan, self.begin, self.listed, self.parse, self.verify, self.prepare, self.measure, self.judge),
            *(self.switch, self.retire, self.record),
        ]

    async def recorded(self, state: str, stage: str) -> None:
        """Wait until a state was recorded."""

        async def check() -> bool:
            return (state, stage) in [record[:2] for record in self.records]

        await assert_eventually(check, 30)


@pytest.fixture
async def client(temporal_server: TemporalSettings, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client; waits of a re-index are short."""
    monkeypatch.setattr(reindex, "DRAIN", timedelta(0))
    monkeypatch.setattr(reindex, "LOOK_AGAIN", timedelta(milliseconds=50))
    return await connect(temporal_server)


class Worked:
    """Workers for a re-index that is played."""

    def __init__(self, client: Client, played: Played, **settings: Any) -> None:
        self._client, self._settings = client, settings
        shared: dict[str, Any] = {
            "activities": played.activities,
            "max_heartbeat_throttle_interval": timedelta(milliseconds=50),
            "default_heartbeat_throttle_interval": timedelta(milliseconds=50),
        }
        self._workers = [
            Worker(
                client,
                task_queue=Queue.WORKFLOWS,
                workflows=[ReindexKnowledgeBase],
                workflow_runner=UnsandboxedWorkflowRunner(),
            ),
            *(Worker(client, task_queue=queue, **shared) for queue in (Queue.CPU, Queue.STORE)),
        ]

    async def __aenter__(self) -> Run:
        for worker in self._workers:
            await worker.__aenter__()
        job = ReindexJob(
            reindex_id="r", knowledge_base_id="k", knowledge_base="hr", generation=NEW, previous=OLD,
            chunking=Chunking(), actor="ann", **self._settings,
        )  # fmt: skip
        return await self._client.start_workflow(
            ReindexKnowledgeBase.run, job, id=f"reindex/{uuid4().hex}/2", task_queue=Queue.WORKFLOWS
        )

    async def __aexit__(self, *raised: object) -> None:
        for worker in self._workers:
            await worker.shutdown()


async def ends_canceled(run: Run) -> str:
    """Wait for the end of a run that was canceled; the code of its reason."""
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(run.result(), 30)
    return reason_of(caught.value.cause).code


@pytest.mark.parametrize("stops", ["plan", "begin", "parse", "verify", "prepare", "judge"])
async def test_a_cancel_stops_what_runs_and_removes_the_new_generation(client: Client, stops: str) -> None:
    """At each stage that works; nothing else is done any more, and the index in use is left."""
    played = Played(stops)
    async with Worked(client, played, questions="given", approve=True) as run:
        await asyncio.wait_for(played.reached.wait(), 30)
        await run.signal(ReindexKnowledgeBase.cancel, "bob")
        if stops == "begin":  # a transaction is not interrupted
            played.go.set()
        assert await ends_canceled(run) == "canceled"
    assert played.retired == [(NEW, True)]
    assert played.records[-1] == ("canceled", "", "canceled")
    assert "switch" not in played.calls


@pytest.mark.parametrize(
    ("waits", "stage", "settings", "played"),
    [
        ("waiting", "build", {"window": "22:00-06:00"}, Played(closed=1 << 30)),
        ("waiting", "gate", {"questions": "given"}, Played(refused=True)),
        ("waiting", "approve", {"approve": True}, Played()),
    ],
    ids=["window", "gate", "approve"],
)
async def test_a_cancel_ends_each_wait(
    client: Client, waits: str, stage: str, settings: dict[str, Any], played: Played
) -> None:
    """Of a window, of a refused gate, and of an approval."""
    async with Worked(client, played, **settings) as run:
        await played.recorded(waits, stage)
        await run.signal(ReindexKnowledgeBase.cancel, "bob")
        assert await ends_canceled(run) == "canceled"
    assert played.retired == [(NEW, True)]
    assert "switch" not in played.calls


async def test_a_cancel_ends_a_pause(client: Client) -> None:
    """What was paused is not gone on with."""
    played = Played("parse")
    async with Worked(client, played) as run:
        await asyncio.wait_for(played.reached.wait(), 30)
        await run.signal(ReindexKnowledgeBase.pause, "ann")
        await played.recorded("paused", "")
        await run.signal(ReindexKnowledgeBase.cancel, "bob")
        assert await ends_canceled(run) == "canceled"
    assert played.retired == [(NEW, True)]


async def test_a_cancel_during_the_switch_is_rolled_back_after_it(client: Client) -> None:
    """The cancel was accepted, so the old generation is searched in the end, and the new one removed."""
    played = Played("switch")
    async with Worked(client, played) as run:
        await asyncio.wait_for(played.reached.wait(), 30)
        await run.signal(ReindexKnowledgeBase.cancel, "bob")
        played.go.set()
        assert not (await asyncio.wait_for(run.result(), 30)).switched
    assert played.calls[-2:] == ["switch back", "retire"]
    assert played.retired == [(NEW, False)]
    assert played.records[-1] == ("canceled", "", "rolled-back")


async def test_a_soak_is_not_canceled_but_rolled_back(client: Client) -> None:
    """The new generation is removed then, after the old one is searched again."""
    played = Played()
    async with Worked(client, played) as run:
        await played.recorded("running", "soak")
        await run.execute_update(ReindexKnowledgeBase.rollback, "bob")
        assert not (await asyncio.wait_for(run.result(), 30)).switched
    assert played.calls[-2:] == ["switch back", "retire"]
    assert played.retired == [(NEW, False)]
    assert played.records[-1] == ("canceled", "", "rolled-back")


async def test_a_retirement_is_ended_whatever_is_asked(client: Client) -> None:
    """The old generation is removed to its end; a cancel comes too late, and so does the way back."""
    played = Played("retire")
    async with Worked(client, played, soak_seconds=0.01) as run:
        await asyncio.wait_for(played.reached.wait(), 30)
        await run.signal(ReindexKnowledgeBase.cancel, "bob")
        played.go.set()
        assert (await asyncio.wait_for(run.result(), 30)).switched
    assert played.retired == [(OLD, False)]
    assert played.records[-1][0] == "ready"


async def test_a_window_that_opens_is_noticed_without_a_word(client: Client) -> None:
    """The pause of a time window ends by itself; what was to be built is built, and the index is switched."""
    played = Played(closed=3)
    async with Worked(client, played, window="22:00-06:00", soak_seconds=0.01) as run:
        assert (await asyncio.wait_for(run.result(), 30)).switched
    assert [state for state, stage, _ in played.records if stage == "build"] == ["running"] + ["waiting", "running"] * 3
    assert played.retired == [(OLD, False)]
