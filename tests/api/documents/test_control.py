"""Control of documents and batches that have no run yet, whose run is ending, or whose run was started twice.

The catalogue and the Temporal server are real; no worker runs, so that every run stays where it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.contracts.documents import Chunking
from activities.contracts.ids import batch_workflow_id, ingest_id
from activities.errors import TemporalUnavailable, WrongState
from activities.runtime import temporal
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Batch, Document, KnowledgeBase, Upload
from api.background.dispatcher import Dispatcher
from api.batches.control import BatchControl
from api.documents.control import DocumentControl
from tests.conftest import assert_eventually
from workflows.client.jobs import Jobs


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """An empty catalogue."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


@pytest.fixture
async def kb(catalog: Catalog) -> KnowledgeBase:
    """A knowledge base."""
    return await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")


@pytest.fixture
async def client(temporal_server: TemporalSettings) -> Client:
    """A client of a server without workers."""
    return await connect(temporal_server)


@pytest.fixture
def jobs(client: Client) -> Jobs:
    """What starts and steers runs."""
    return Jobs(client)


@pytest.fixture
def dispatcher(catalog: Catalog, jobs: Jobs) -> Dispatcher:
    """A dispatcher that starts runs when a test says so."""
    return Dispatcher(catalog, jobs)


@pytest.fixture
def control(catalog: Catalog, jobs: Jobs, dispatcher: Dispatcher) -> DocumentControl:
    """Control of documents."""
    return DocumentControl(catalog, jobs, dispatcher)


async def made_batch(catalog: Catalog, kb: KnowledgeBase) -> Batch:
    """A batch of one document."""
    batch = await catalog.batches.create(kb.id, "files", 4, "ann", closed=True)
    upload = Upload(knowledge_base_id=kb.id, name="a.txt", sha256="1" * 64, bytes=7, actor="ann", batch_id=batch.id)
    await catalog.intake.accept([upload])
    return batch


async def only(catalog: Catalog, kb: KnowledgeBase) -> Document:
    """The only document."""
    (document,) = await catalog.documents.page(kb.id, None, None, 10)
    return document


async def trail(catalog: Catalog, action: str) -> list[str]:
    """The actors of the events of an action, oldest first."""
    return [event.actor for event in reversed(await catalog.audit.page(None, 100, action=action))]


# --- documents --------------------------------------------------------------------------------------------


async def test_a_listed_document_is_paused_resumed_retried_and_canceled(
    catalog: Catalog, kb: KnowledgeBase, control: DocumentControl, client: Client
) -> None:
    """Its batch was going to start it: each request has its effect without a run."""
    batch = await made_batch(catalog, kb)
    await catalog.batches.next_documents(batch.id, "page", 16)
    await control.pause(await only(catalog, kb), "ada")
    assert (await only(catalog, kb)).state == "paused"
    await control.resume(await only(catalog, kb), "ada")
    assert [each.run for each in await catalog.intake.undispatched(10)] == [1]
    await control.pause(await only(catalog, kb), "ada")
    assert (await control.retry(await only(catalog, kb), "chunk", "ada")).state == "queued"
    assert [(each.run, each.retry_from) for each in await catalog.intake.undispatched(10)] == [(2, "chunk")]
    await control.cancel(await only(catalog, kb), "ada")
    assert (await only(catalog, kb)).state == "canceled"
    assert await temporal.describe(client, ingest_id((await only(catalog, kb)).id, 1)) is None


async def test_a_request_also_reaches_a_run_that_has_not_begun(
    catalog: Catalog, kb: KnowledgeBase, control: DocumentControl, jobs: Jobs, dispatcher: Dispatcher
) -> None:
    """It is started, but no worker has taken it up."""
    document = (await catalog.documents.accept(kb.id, "a.txt", "1" * 64, 7, "ann")).document
    await dispatcher.once()
    await control.pause(document, "ada")
    await control.cancel(document, "ada")
    events = [event async for event in jobs.handle(ingest_id(document.id, 1)).fetch_history_events()]
    assert any(event.HasField("workflow_execution_signaled_event_attributes") for event in events)
    assert any(event.HasField("workflow_execution_cancel_requested_event_attributes") for event in events)
    assert (await only(catalog, kb)).state == "canceled"


async def test_repeated_requests_are_recorded_once(
    catalog: Catalog, kb: KnowledgeBase, control: DocumentControl, dispatcher: Dispatcher
) -> None:
    """Until another request is made in between."""
    document = (await catalog.documents.accept(kb.id, "a.txt", "1" * 64, 7, "ann")).document
    await dispatcher.once()
    for actor in ("ada", "bob"):
        await control.pause(document, actor)
    assert await trail(catalog, "document.pause") == ["ada"]
    await control.resume(document, "ada")
    await control.pause(document, "bob")
    assert await trail(catalog, "document.pause") == ["ada", "bob"]
    for actor in ("ada", "bob"):
        await control.cancel(document, actor)
    assert await trail(catalog, "document.cancel") == ["ada"]


async def test_a_document_that_lost_its_run_is_not_controlled(
    catalog: Catalog, kb: KnowledgeBase, control: DocumentControl, jobs: Jobs, dispatcher: Dispatcher
) -> None:
    """The answer is an error, because nothing could be told; a cancel needs no run."""
    document = (await catalog.documents.accept(kb.id, "a.txt", "1" * 64, 7, "ann")).document
    await dispatcher.once()
    await jobs.handle(ingest_id(document.id, 1)).terminate()
    for request in (control.pause, control.resume):
        with pytest.raises(WrongState):
            await request(document, "ada")
    assert await trail(catalog, "document.pause") == []
    assert (await control.cancel(document, "ada")).state == "canceled"
    assert await trail(catalog, "document.cancel") == ["ada"]


async def test_what_has_ended_is_not_canceled(catalog: Catalog, kb: KnowledgeBase, control: DocumentControl) -> None:
    """It stays as it is, also for a request that read it before."""
    document = (await catalog.documents.accept(kb.id, "a.txt", "1" * 64, 7, "ann")).document
    await catalog.documents.finish(document.id, 1, "failed", WrongState(state="lost").reason)
    assert (await control.cancel(document, "ada")).state == "failed"
    assert await trail(catalog, "document.cancel") == []


async def test_a_run_that_has_not_ended_is_not_joined(
    catalog: Catalog, kb: KnowledgeBase, control: DocumentControl, jobs: Jobs, dispatcher: Dispatcher
) -> None:
    """The retried version stays in the outbox until the earlier run is over, and is started then."""
    document = (await catalog.documents.accept(kb.id, "a.txt", "1" * 64, 7, "ann")).document
    await dispatcher.once()
    first = await jobs.handle(ingest_id(document.id, 1)).describe()
    await catalog.intake.cancel(document.id, 1, "ada")
    await catalog.documents.finish(document.id, 1, "canceled", WrongState(state="canceled").reason)
    await control.retry(await only(catalog, kb), None, "ada")
    await dispatcher.once()
    assert [each.run for each in await catalog.intake.undispatched(10)] == [2]
    await jobs.handle(ingest_id(document.id, 1)).terminate()

    async def is_started() -> bool:
        await dispatcher.once()
        return await catalog.intake.undispatched(10) == []

    await assert_eventually(is_started)  # it is tried again after a moment
    assert (await jobs.handle(ingest_id(document.id, 1)).describe()).run_id != first.run_id


# --- batches ----------------------------------------------------------------------------------------------


async def test_a_batch_is_paused_before_it_was_started(
    catalog: Catalog, kb: KnowledgeBase, jobs: Jobs, dispatcher: Dispatcher
) -> None:
    """The request starts it; a later dispatch joins that run. Repeated requests are recorded once."""
    batch, control = await made_batch(catalog, kb), BatchControl(catalog, jobs, dispatcher)
    await control.signal(batch, "pause", "ada")
    first = await jobs.handle(batch_workflow_id(batch.id)).describe()
    await control.signal(batch, "pause", "bob")
    await dispatcher.once()
    assert (await jobs.handle(batch_workflow_id(batch.id)).describe()).run_id == first.run_id
    assert await trail(catalog, "batch.pause") == ["ada"]
    await jobs.handle(batch_workflow_id(batch.id)).terminate()
    with pytest.raises(WrongState):
        await control.signal(batch, "resume", "ada")


async def test_an_empty_batch_that_a_control_has_started_is_not_forgotten(
    catalog: Catalog, kb: KnowledgeBase, jobs: Jobs, dispatcher: Dispatcher
) -> None:
    """Its run would be left without a batch: paused for ever, and out of reach."""
    batch = await catalog.batches.create(kb.id, "open", 4, "ann", closed=False)
    control = BatchControl(catalog, jobs, dispatcher)
    await control.signal(batch, "pause", "ada")
    assert await control.close(batch, "ada")
    await control.signal(await catalog.batches.get(batch.id), "resume", "ada")


async def test_without_temporal_a_batch_is_not_reopened(
    catalog: Catalog, kb: KnowledgeBase, jobs: Jobs, dispatcher: Dispatcher
) -> None:
    """The error says that nothing was changed, and nothing was."""
    batch = await made_batch(catalog, kb)
    await catalog.batches.record_state(batch.id, "ready")
    ended = await catalog.batches.get(batch.id)
    nowhere = Jobs(await connect(TemporalSettings(address="127.0.0.1:1"), lazy=True))
    with pytest.raises(TemporalUnavailable):
        await BatchControl(catalog, nowhere, dispatcher).retry_failed(ended, "ada")
    assert await catalog.batches.get(batch.id) == ended
    assert await trail(catalog, "batch.retry-failed") == []
    await BatchControl(catalog, jobs, dispatcher).retry_failed(ended, "ada")
    assert (await catalog.batches.get(batch.id)).state == "running"


async def test_a_batch_that_went_on_is_not_reopened(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its run may have recorded its end before the request that started it returns."""
    batch = await made_batch(catalog, kb)
    await catalog.batches.record_state(batch.id, "canceled")
    ended = await catalog.batches.get(batch.id)
    await catalog.batches.record_state(batch.id, "ready")
    await catalog.batches.reopen(ended)
    assert (await catalog.batches.get(batch.id)).state == "ready"


async def test_a_batch_that_has_ended_is_not_started_by_a_hint(
    catalog: Catalog, kb: KnowledgeBase, dispatcher: Dispatcher, client: Client
) -> None:
    """It was closed, which hints the dispatcher, after it had been canceled."""
    batch = await made_batch(catalog, kb)
    await catalog.batches.record_state(batch.id, "canceled")
    dispatcher.hint(batch.id)
    await dispatcher.once()
    assert await temporal.describe(client, batch_workflow_id(batch.id)) is None
