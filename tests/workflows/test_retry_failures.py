"""Failed documents of one reason are retried together, some at a time, on a real catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.documents import Chunking
from activities.contracts.ids import retry_failures_id
from activities.contracts.queues import Priority, Queue
from activities.errors import EmptyDocument
from activities.ingest.batches import BatchActivities
from activities.ingest.failures import FailureActivities
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import now
from tests.stores.catalog.conftest import publishing
from tests.workflows.test_replay import replayer
from workflows import retry_failures
from workflows.client.jobs import Jobs
from workflows.contracts import IngestJob, RetriedFailures, RetryFailuresJob
from workflows.retry_failures import RetryFailures

FAILED = 8


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """A catalogue of its own."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


async def failing(catalog: Catalog, kb: KnowledgeBase, *names: str) -> None:
    """Documents that failed."""
    for name in names:
        accepted = await catalog.documents.accept(kb.id, name, "1" * 64, 7, "ann")
        await catalog.documents.finish(accepted.document.id, 1, "failed", EmptyDocument().reason)


#: What the runs of documents were given.
JOBS: list[IngestJob] = []


@workflow.defn(name="IngestDocument")
class Ingested:
    """Stands in for the ingestion, which ``publishing_all`` does."""

    @workflow.run
    async def run(self, job: IngestJob) -> None:
        """Only notes its input."""
        JOBS.append(job)


async def publishing_all(catalog: Catalog, most: list[int]) -> None:
    """Publish what is retried, and note how many documents that is at once."""
    while True:
        found = await catalog.operations.jobs.page(None, 100, "document")
        most.append(len(found))
        for job in found:
            await catalog.documents.publish(publishing(job.id, 1))
        await asyncio.sleep(0.05)


def worker(client: Client, catalog: Catalog) -> list[Worker]:
    """Workers of the two queues."""
    activities = [FailureActivities(catalog).requeue_failures, BatchActivities(catalog).finished_documents]
    return [
        Worker(client, task_queue=Queue.STORE, activities=activities),
        Worker(
            client,
            task_queue=Queue.WORKFLOWS,
            workflows=[RetryFailures, Ingested],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ]


async def test_all_are_retried_a_few_at_a_time(
    temporal_server: TemporalSettings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over several runs, each document with a run that yields to uploads.

    What fails after the request is left; a second request extends the first, which is one job.
    """
    monkeypatch.setattr(retry_failures, "AT_ONCE", 3)
    monkeypatch.setattr(retry_failures, "LOOKS_OF_A_RUN", 2)
    monkeypatch.setattr(retry_failures, "LOOK_SOON", timedelta(seconds=0.1))
    client = await connect(temporal_server)
    kb = await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")
    await failing(catalog, kb, *(f"{n}.md" for n in range(FAILED)))
    before = now()
    await failing(catalog, kb, "late.md")

    async def ask(at: datetime) -> str:
        job = RetryFailuresJob(code="empty", before=at, actor="ann", knowledge_base_id=kb.id, knowledge_base=kb.name)
        return await Jobs(client).retry_failures(job)

    most: list[int] = []
    id = await ask(before)
    assert id == await ask(before) == retry_failures_id("empty", kb.id)
    store, workflows = worker(client, catalog)
    publisher = asyncio.create_task(publishing_all(catalog, most))
    async with store, workflows:
        result = await client.get_workflow_handle(id, result_type=RetriedFailures).result()
        assert result.documents == FAILED
        assert await catalog.operations.failures.count("empty", None) == 1
        assert await ask(now()) == id
        assert (await client.get_workflow_handle(id, result_type=RetriedFailures).result()).documents == 1
    publisher.cancel()
    with suppress(asyncio.CancelledError):
        await publisher
    assert 0 < max(most) <= 3
    assert await catalog.intake.undispatched(9) == []
    assert {(job.priority, job.run, job.knowledge_base) for job in JOBS} == {(Priority.BATCH, 2, "handbook")}
    assert len({job.document_id for job in JOBS}) == FAILED + 1
    assert await catalog.operations.failures.count("empty", None) == 0
    monkeypatch.undo()
    await replayer().replay_workflow(await client.get_workflow_handle(id).fetch_history())
