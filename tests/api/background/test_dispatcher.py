"""The dispatcher: whatever keeps one run from starting delays no other, and nothing that was accepted is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy.exc import IntegrityError

from activities.contracts.bulk import BulkJob, BulkRequested
from activities.contracts.documents import Chunking
from activities.errors import NotFound, TemporalRefused, TemporalUnavailable
from activities.runtime import loops
from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import KnowledgeBase, Upload
from activities.telemetry import origin
from activities.telemetry.origin import Origin
from api.background import dispatcher as dispatching
from api.background.dispatcher import Dispatcher
from workflows.client.jobs import Jobs
from workflows.contracts import BatchJob, IngestJob

#: Errors that are one run's own; a TaskGroup raises groups.
OF_ONE = [
    NotFound(kind="knowledge base", id="x"),
    TemporalRefused(detail="the input is too large"),
    IntegrityError("UPDATE", {}, ValueError()),
    ExceptionGroup("of a task group", [ValueError("nobody foresaw this")]),
]


class Runs:
    """Starts no run, and raises the errors noted for a document's or a batch's name; each once."""

    def __init__(self) -> None:
        self.errors: dict[str, list[Exception]] = {}
        self.started: list[str] = []
        self.requests: list[str | None] = []

    def _start(self, name: str) -> str:
        if self.errors.get(name):
            raise self.errors[name].pop(0)
        self.started.append(name)
        self.requests.append(origin.current().request_id)
        return name

    async def ingest(self, job: IngestJob) -> str:
        return self._start(job.document_name)

    async def batch(self, job: BatchJob, signal: str | None = None, *arguments: object) -> str:
        return self._start(job.name)

    async def change_documents(self, job: BulkJob) -> str:
        return self._start(job.action)


class Outbox:
    """A dispatcher on a real catalogue."""

    def __init__(self, catalog: Catalog, kb: KnowledgeBase) -> None:
        self.catalog, self.kb, self.runs = catalog, kb, Runs()
        self.dispatcher = Dispatcher(catalog, cast(Jobs, self.runs))

    async def upload(self, *names: str, batch_id: str | None = None) -> None:
        """Accept a document of each name."""
        for name in names:
            sent = Upload(
                knowledge_base_id=self.kb.id, name=name, sha256="0" * 64, bytes=1, actor="ann", batch_id=batch_id
            )
            await self.catalog.intake.accept([sent])

    async def waiting(self) -> set[str]:
        """The names of documents without a run."""
        return {each.document_name for each in await self.catalog.intake.undispatched(1000)}

    @asynccontextmanager
    async def dispatched(self) -> AsyncIterator[None]:
        """Dispatch inside of the block, until everything has a run."""
        async with self.dispatcher.loop:
            yield
            while await self.waiting() or await self.catalog.batches.undispatched():
                self.dispatcher.hint()
                await asyncio.sleep(0.01)


@pytest.fixture
async def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outbox]:
    """A dispatcher with delays of milliseconds."""
    monkeypatch.setattr(loops, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(dispatching, "MAX_OUTAGE_DELAY", 0.01)
    monkeypatch.setattr(dispatching, "MAX_DELAY", 0.01)
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield Outbox(catalog, await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann"))
    await catalog.close()


async def test_a_run_is_started_for_the_request_that_asked(outbox: Outbox) -> None:
    """Of a document, also when it is tried again, and of a batch; whoever finds them in the outbox."""
    for request_id in ("one", "two"):
        with origin.of(Origin(request_id=request_id)):
            await outbox.upload(f"{request_id}.txt")
    with origin.of(Origin(request_id="three")):
        batch = await outbox.catalog.batches.create(outbox.kb.id, "three", 2, "ann", closed=True)
        await outbox.upload("of the batch.txt", batch_id=batch.id)
    async with outbox.dispatched():
        pass
    assert dict(zip(outbox.runs.started, outbox.runs.requests, strict=True)) == {
        "one.txt": "one", "two.txt": "two", "three": "three",
    }  # fmt: skip
    assert origin.current().request_id is None


@pytest.mark.parametrize("error", OF_ONE)
async def test_a_document_that_cannot_be_started_delays_no_other(outbox: Outbox, error: Exception) -> None:
    """It stays in the outbox, and is tried again; the others are started and noted in the same turn."""
    outbox.runs.errors["bad.txt"] = [error]
    await outbox.upload("a.txt", "bad.txt", "z.txt")
    await outbox.dispatcher.once()
    assert await outbox.waiting() == {"bad.txt"}
    async with outbox.dispatched():
        pass
    assert outbox.runs.started == ["a.txt", "z.txt", "bad.txt"]


async def test_more_bad_documents_than_a_group_delay_no_other(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of the oldest cannot be started."""
    monkeypatch.setattr(dispatching, "GROUP", 2)
    monkeypatch.setattr(dispatching, "MAX_DELAY", 3600)
    bad = [f"bad-{number}.txt" for number in range(6)]
    outbox.runs.errors = {name: [ValueError(name)] * 9 for name in bad}
    await outbox.upload(*bad, "good.txt")
    while await outbox.dispatcher.once():
        pass
    assert outbox.runs.started == ["good.txt"]


@pytest.mark.parametrize("error", [TemporalUnavailable(), ExceptionGroup("several", [TemporalUnavailable()])])
async def test_an_outage_is_over_when_it_is_over(outbox: Outbox, error: Exception) -> None:
    """The dispatcher goes on, however often it was refused; what started before is not started again."""
    outbox.runs.errors["b.txt"] = [error] * 5
    await outbox.upload("a.txt", "b.txt", "c.txt")
    async with outbox.dispatched():
        pass
    assert sorted(outbox.runs.started) == ["a.txt", "b.txt", "c.txt"]


@pytest.mark.parametrize("error", OF_ONE)
async def test_a_batch_that_cannot_be_started_delays_nothing(outbox: Outbox, error: Exception) -> None:
    """Neither other batches nor documents; it is started later."""
    for name in ("bad", "good"):
        batch = await outbox.catalog.batches.create(outbox.kb.id, name, 2, "ann", closed=True)
        await outbox.upload(f"{name}.txt", batch_id=batch.id)
        outbox.dispatcher.hint(batch.id)
    await outbox.upload("single.txt")
    outbox.runs.errors["bad"] = [] if isinstance(error, NotFound) else [error]
    await outbox.dispatcher.once()
    assert {"good", "single.txt"} <= set(outbox.runs.started)
    while await outbox.catalog.batches.undispatched():
        await asyncio.sleep(0.02)
        await outbox.dispatcher.once()
    assert "bad" in outbox.runs.started


async def test_a_batch_that_was_deleted_is_forgotten(outbox: Outbox) -> None:
    """Its knowledge base went while its last upload was on its way."""
    outbox.dispatcher.hint("0" * 32)
    await outbox.upload("a.txt")
    await outbox.dispatcher.once()
    assert outbox.runs.started == ["a.txt"]
    assert not outbox.dispatcher._hinted_batches


async def test_a_hint_lives_through_an_outage(outbox: Outbox) -> None:
    """A batch that runs already hears of its new documents when Temporal is back."""
    batch = await outbox.catalog.batches.create(outbox.kb.id, "scans", 2, "ann", closed=False)
    await outbox.catalog.batches.dispatched(batch.id)
    outbox.runs.errors["scans"] = [TemporalUnavailable()]
    outbox.dispatcher.hint(batch.id)
    with pytest.raises(TemporalUnavailable):
        await outbox.dispatcher.once()
    await asyncio.sleep(0.02)
    await outbox.dispatcher.once()
    assert outbox.runs.started == ["scans"]


@pytest.mark.parametrize("error", OF_ONE)
async def test_a_change_of_many_documents_is_started_once(outbox: Outbox, error: Exception) -> None:
    """Also when it could not be started at first; then it is left to its run."""
    await outbox.upload("a.txt")
    asked = BulkRequested(knowledge_base_id=outbox.kb.id, action="tag", tag="x", actor="ann", ids=["nothing"])
    await outbox.catalog.bulk_changes.create(asked)
    outbox.runs.errors["tag"] = [error]
    await outbox.dispatcher.once()
    assert outbox.runs.started == ["a.txt"]
    await asyncio.sleep(0.02)  # longer than the delay of a start that failed
    await outbox.dispatcher.once()
    await outbox.dispatcher.once()
    assert outbox.runs.started == ["a.txt", "tag"]
    assert await outbox.catalog.bulk_changes.undispatched() == []
