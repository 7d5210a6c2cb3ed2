"""The retrieve step: its readers see that it began, and a search that takes too long again and again is given up."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from temporalio.testing import ActivityEnvironment

from activities.answering import retrieve
from activities.answering.generation import GenerationPrefetch
from activities.answering.retrieve import ATTEMPTS, RetrieveActivities
from activities.answering.rewrite import Rewriter
from activities.contracts.documents import Chunking
from activities.contracts.events import StateEvent
from activities.contracts.questions import RetrieveInput
from activities.contracts.search import SearchFilter, SearchMode
from activities.errors import Canceled, DependencyError, MilvusUnavailable, QuestionTimedOut, TritonUnavailable
from activities.retrieval.retriever import Found, Retriever
from activities.settings import GenerateSettings, Settings, load
from activities.stores.catalog.migrate import upgrade
from activities.stores.connections import Stores
from workflows.policies import INTERACTIVE_STEP


class Endless(Retriever):
    """A retriever whose searches never end."""

    async def search(
        self,
        knowledge_base_id: str,
        query: str,
        limit: int = 10,
        mode: SearchMode = "hybrid",
        document_ids: Sequence[str] = (),
        filter: SearchFilter | None = None,
        generation: int | None = None,
    ) -> Found:
        """See `Retriever.search`."""
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
def frozen() -> Iterator[int]:
    """The port of a server that takes connections, as the system does for it, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
async def settings(tmp_path: Path, frozen: int) -> Settings:
    """A catalogue in its own folder; no other service answers."""
    settings = load(
        {
            "HOLDFAST_DATA": str(tmp_path),
            "HOLDFAST_TRITON_ADDRESS": f"127.0.0.1:{frozen}",
            "HOLDFAST_MILVUS_URI": f"http://127.0.0.1:{frozen}",
        }
    )
    await upgrade(settings)
    return settings


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    """The stores of these settings."""
    async with Stores.open(settings) as stores:
        yield stores


@pytest.fixture
def step(stores: Stores) -> RetrieveActivities:
    """The step with an endless search."""
    generate = GenerateSettings()
    endless = Endless(stores.milvus, stores.triton, stores.catalog)
    rewriter, prefetch = Rewriter(stores.triton, generate), GenerationPrefetch(stores.triton, generate)
    return RetrieveActivities(endless, stores.blobs, stores.catalog, rewriter, prefetch)


@pytest.fixture
async def job(stores: Stores) -> RetrieveInput:
    """The input for a new question."""
    kb = await stores.catalog.knowledge_bases.create("kb", "", "", Chunking(), "ann")
    question = await stores.catalog.questions.create(kb.id, "Why?", "extractive", None, "ann")
    return RetrieveInput(question_id=question.id, knowledge_base_id=kb.id, question="Why?")


async def test_a_search_that_is_always_too_slow_is_given_up(
    step: RetrieveActivities, job: RetrieveInput, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempts are repeated; then the question fails with a reason, before the step's own timeout."""
    assert INTERACTIVE_STEP["start_to_close_timeout"].total_seconds() > retrieve.SECONDS
    monkeypatch.setattr(retrieve, "SECONDS", 0.2)
    for number in range(1, ATTEMPTS + 2):
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, attempt=number)
        with pytest.raises(TimeoutError if number < ATTEMPTS else QuestionTimedOut):
            await environment.run(step.retrieve, job)
    events = (await stores.catalog.question_events.after({job.question_id: 0}))[job.question_id]
    assert events == [StateEvent(stage="retrieve")]


class Asking(Endless):
    """A retriever whose searches ask one service, and then never end."""

    service = "triton"

    async def search(self, *arguments: object, **options: object) -> Found:  # type: ignore[override]
        """See `Retriever.search`."""
        await (self._triton.ping() if self.service == "triton" else self._milvus.ping())
        return await super().search("", "")


@pytest.mark.parametrize(("service", "error"), [("triton", TritonUnavailable), ("milvus", MilvusUnavailable)])
async def test_a_service_that_is_frozen_is_the_reason(
    step: RetrieveActivities,
    job: RetrieveInput,
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    error: type[DependencyError],
) -> None:
    """One that takes connections and never answers counts as down, however often it was tried."""
    monkeypatch.setattr(retrieve, "SECONDS", 0.5)
    asking = Asking(stores.milvus, stores.triton, stores.catalog)
    asking.service = service
    monkeypatch.setattr(step, "_retriever", asking)
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=ATTEMPTS)
    with pytest.raises(error, match="no answer within"):
        await environment.run(step.retrieve, job)


async def test_nothing_is_searched_for_a_question_that_is_gone(step: RetrieveActivities, job: RetrieveInput) -> None:
    """One that was withdrawn, because its start seemed to have failed, ends at once."""
    with pytest.raises(Canceled):
        await ActivityEnvironment().run(step.retrieve, msgspec.structs.replace(job, question_id="0" * 32))
