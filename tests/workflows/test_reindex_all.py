"""Re-indexes of many knowledge bases with a real Temporal and catalogue; the re-indexes themselves are played."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts import signatures
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.ids import reindex_all_id, reindex_workflow_id
from activities.contracts.queues import Queue
from activities.contracts.reconcile import ScanInput, ScanResult
from activities.contracts.reindex import RecordReindexInput, ReindexToRun
from activities.contracts.reindex_all import AllSettings
from activities.contracts.stages import JobStateName
from activities.errors import GenerationDiffers
from activities.reconcile.runs import RunRepairActivities
from activities.reindex.many import ManyReindexesActivities
from activities.runtime import starts
from activities.runtime.temporal import connect
from activities.settings import Settings, TemporalSettings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Reindex
from activities.stores.catalog.reindex_alls import ReindexAllJob
from activities.stores.milvus import Milvus
from tests.conftest import assert_eventually
from tests.stores.catalog.conftest import created, sqlite_settings, sqlite_template
from tests.workflows.test_replay import replayer
from workflows import reindex_all
from workflows.client.jobs import Jobs
from workflows.reindex_all import ReindexAll

__all__ = ["sqlite_settings", "sqlite_template"]  # fixtures


async def served(knowledge_base_id: str) -> EmbeddingModel:
    """The model of every knowledge base."""
    return EmbeddingModel(name="model", fingerprint="f" * 16)


@workflow.defn(name="ReindexKnowledgeBase")
class Played:
    """A re-index that does nothing; the test records its states, and sees the signals."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    @workflow.run
    async def run(self, job: ReindexToRun) -> None:
        """Stays until the test ends."""
        await workflow.wait_condition(lambda: "end" in self.signals)

    @workflow.signal(dynamic=True)
    def take(self, name: str, args: Sequence[RawValue]) -> None:
        """Notes it."""
        self.signals.append(name)

    @workflow.query
    def seen(self) -> list[str]:
        """The signals so far."""
        return self.signals


class NoCollections(Milvus):
    """A Milvus without collections."""

    def __init__(self) -> None:
        pass

    async def collections(self) -> list[str]:
        """None."""
        return []


@workflow.defn
class Repair:
    """The part of ``Reconcile`` that starts what has no run."""

    @workflow.run
    async def run(self, input: ScanInput) -> ScanResult:
        """One scan."""
        return await workflow.execute_activity(
            signatures.repair_deletions, input, task_queue=Queue.STORE, start_to_close_timeout=timedelta(seconds=20)
        )


class Scene:
    """Three knowledge bases ``a``, ``b`` and ``c``, and what a test does with them."""

    def __init__(self, client: Client, catalog: Catalog, bases: list[KnowledgeBase]) -> None:
        self.client, self.catalog, self.bases = client, catalog, bases
        self.job: ReindexAllJob

    async def start(self, **settings: object) -> None:
        """Start a job with all of them."""
        asked = AllSettings(**settings)  # type: ignore[arg-type]
        self.job = await self.catalog.reindex_alls.create(self.bases, asked, "ann")
        await starts.reindex_all(self.client, self.job.to_run())

    async def reaches(self, *states: str, state: str = "") -> list[str]:
        """Wait until the knowledge bases, and the job, have these states; the codes of their reasons."""

        async def check() -> list[str] | None:
            job = await self.catalog.reindex_alls.get(self.job.id)
            if [item.state for item in job.items] != list(states) or (state and job.state != state):
                return None
            return [item.reason.code if item.reason else "" for item in job.items]

        return await assert_eventually(check, 30)

    async def ends(self, place: int, state: JobStateName = "ready") -> None:
        """Record the end of a re-index."""
        await self.record(place, state, "retire" if state == "ready" else "verify")

    async def record(self, place: int, state: JobStateName, stage: str) -> None:
        """Record a state of a re-index."""
        item = (await self.catalog.reindex_alls.get(self.job.id)).items[place]
        reason = GenerationDiffers(lost=1, searched=2).reason if state == "failed" else None
        await self.catalog.reindexes.record(
            RecordReindexInput(reindex_id=item.reindex_id or "", state=state, stage=stage, reason=reason)
        )

    async def seen(self, place: int) -> list[str]:
        """The signals that a re-index got."""
        reindex = await self.reindex(place)
        id = reindex_workflow_id(reindex.knowledge_base_id, reindex.generation)
        found: list[str] = await self.client.get_workflow_handle(id).query("seen")
        return found

    async def reindex(self, place: int) -> Reindex:
        """The re-index of a knowledge base."""
        item = (await self.catalog.reindex_alls.get(self.job.id)).items[place]
        return await self.catalog.reindexes.get(item.reindex_id or "")

    async def signal(self, name: str) -> None:
        """Send a control to the job."""
        assert await Jobs(self.client).signal(reindex_all_id(self.job.id), name, "bob")

    async def replays(self) -> None:
        """The history of the job replays."""
        history = await self.client.get_workflow_handle(reindex_all_id(self.job.id)).fetch_history()
        await replayer().replay_workflow(history)


@asynccontextmanager
async def working(client: Client, catalog: Catalog) -> AsyncIterator[None]:
    """Workers of the job's queues."""
    many, repairs = ManyReindexesActivities(catalog, served), RunRepairActivities(catalog, NoCollections())
    activities = [many.advance_reindex_all, many.control_reindex_all, repairs.repair_deletions]
    async with (
        Worker(
            client,
            task_queue=Queue.WORKFLOWS,
            workflows=[ReindexAll, Played, Repair],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
        Worker(
            client,
            task_queue=Queue.STORE,
            activities=activities,
        ),
    ):
        yield


@pytest.fixture
async def scene(
    temporal_server: TemporalSettings, sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    """The scene, whose job looks often."""
    monkeypatch.setattr(reindex_all, "SOON", timedelta(seconds=0.1))
    monkeypatch.setattr(reindex_all, "SELDOM", timedelta(seconds=0.1))
    client, catalog = await connect(temporal_server), Catalog(sqlite_settings.catalog_url)
    bases = [await created(catalog, name) for name in ("a", "b", "c")]
    yield Scene(client, catalog, bases)
    await catalog.close()


async def test_one_after_the_other(scene: Scene) -> None:
    """The next one begins once one is switched; the job ends when all are retired; its history replays."""
    async with working(scene.client, scene.catalog):
        await scene.start()
        await scene.reaches("running", "queued", "queued", state="running")
        await scene.record(0, "running", "soak")
        await scene.reaches("running", "running", "queued")
        await scene.ends(0)
        await scene.ends(1)
        await scene.reaches("ready", "ready", "running")
        await scene.ends(2)
        await scene.reaches("ready", "ready", "ready", state="ready")
        handle = scene.client.get_workflow_handle(reindex_all_id(scene.job.id))
        assert (await handle.result())["done"] == 3
    await scene.replays()


@pytest.mark.parametrize(("go_on", "after"), [(False, ("canceled", "canceled")), (True, ("running", "queued"))])
async def test_a_failure_stops_it_unless_it_goes_on(scene: Scene, go_on: bool, after: tuple[str, str]) -> None:
    """What was not begun says why."""
    async with working(scene.client, scene.catalog):
        await scene.start(go_on=go_on)
        await scene.reaches("running", "queued", "queued")
        await scene.ends(0, "failed")
        reasons = await scene.reaches("failed", *after, state="running" if go_on else "failed")
        assert reasons == ["generation-differs", *(["", ""] if go_on else ["earlier-failed"] * 2)]


async def test_deleted_ones_are_skipped_and_busy_ones_waited_for(scene: Scene) -> None:
    """One that another job re-indexes has its turn after that; with a limit of 2, two are built at once."""
    other = ReindexToRun(
        reindex_id="",
        knowledge_base_id=scene.bases[1].id,
        knowledge_base="b",
        generation=0,
        previous=0,
        chunking=scene.bases[1].chunking,
        actor="cy",
    )
    busy = await scene.catalog.reindexes.create(other)
    await scene.catalog.knowledge_bases.delete("a", "ann")
    async with working(scene.client, scene.catalog):
        await scene.start(limit=2)
        reasons = await scene.reaches("skipped", "waiting", "running", state="running")
        assert reasons == ["knowledge-base-gone", "reindex-runs", ""]
        await scene.ends(2)
        await scene.reaches("skipped", "waiting", "ready", state="waiting")
        await scene.catalog.reindexes.record(RecordReindexInput(reindex_id=busy.id, state="ready", stage="retire"))
        await scene.reaches("skipped", "running", "ready", state="running")
        await scene.catalog.knowledge_bases.delete("b", "ann")
        await scene.ends(1, "failed")
        await scene.reaches("skipped", "skipped", "ready", state="ready")


async def test_controls_reach_what_runs_and_survive_a_restart(scene: Scene) -> None:
    """Pause, resume and cancel are handed on; a run that is lost is started again as it was."""
    async with working(scene.client, scene.catalog):
        await scene.start()
        await scene.reaches("running", "queued", "queued")
        await scene.signal("pause")
        await scene.reaches("running", "queued", "queued", state="paused")
        await scene.ends(0)
        await scene.reaches("ready", "queued", "queued", state="paused")
        await scene.client.get_workflow_handle(reindex_all_id(scene.job.id)).terminate()
        scan = ScanInput(repair=True, grace_seconds=0.0)
        found = await scene.client.execute_workflow(
            Repair.run, scan, id=f"repair/{scene.job.id}", task_queue=Queue.WORKFLOWS
        )
        assert [(each.kind, each.mended) for each in found.findings] == [("reindexes_without_run", 1)]
        await scene.signal("resume")
        await scene.reaches("ready", "running", "queued", state="running")
        await scene.record(1, "running", "build")
        await scene.signal("cancel")
        await scene.reaches("ready", "running", "canceled")
        assert await scene.seen(1) == ["cancel"]
        assert (await scene.reindex(1)).canceled_by == "bob"
        await scene.ends(1, "canceled")
        await scene.reaches("ready", "canceled", "canceled", state="canceled")


async def test_an_interrupted_begin_is_completed(scene: Scene) -> None:
    """A re-index that was recorded, and whose run was not started, gets it with the next look."""
    async with working(scene.client, scene.catalog):
        scene.job = await scene.catalog.reindex_alls.create(scene.bases[:1], AllSettings(), "ann")
        await scene.catalog.reindex_alls.settle(scene.job.id, 0, "queued", None, "7" * 32)
        run = ReindexToRun(
            reindex_id="7" * 32,
            knowledge_base_id=scene.bases[0].id,
            knowledge_base="a",
            generation=0,
            previous=0,
            chunking=scene.bases[0].chunking,
            actor="ann",
        )
        await scene.catalog.reindexes.create(run)
        await starts.reindex_all(scene.client, scene.job.to_run())
        await scene.reaches("running")
        assert await scene.seen(0) == []
        await scene.ends(0)
        await scene.reaches("ready", state="ready")


async def test_a_long_job_continues_as_new(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its controls carry over, and its histories stay short."""
    monkeypatch.setattr(reindex_all, "LOOKS_OF_A_RUN", 3)
    async with working(scene.client, scene.catalog):
        await scene.start()
        await scene.reaches("running", "queued", "queued")
        handle = scene.client.get_workflow_handle(reindex_all_id(scene.job.id))
        first = (await handle.describe()).run_id

        async def is_another() -> bool:
            return (await handle.describe()).run_id != first

        await assert_eventually(is_another)
        await scene.signal("pause")
        await scene.reaches("running", "queued", "queued", state="paused")
