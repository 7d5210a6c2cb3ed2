"""The asking service: what it refuses, what a failed start leaves, and how a question's events end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import update
from temporalio.client import Client

from activities.contracts.answers import Citation, Source
from activities.contracts.documents import Chunking
from activities.contracts.events import (
    DeltaEvent,
    DoneEvent,
    ErrorEvent,
    QuestionEvent,
    ResetEvent,
    SourcesEvent,
    StateEvent,
)
from activities.contracts.questions import RecordAnswerInput
from activities.errors import Canceled, EmptyDocument, InvalidRequest, NotFound, QuestionTooLong, TemporalUnavailable
from activities.runtime.temporal import connect
from activities.settings import Settings, TemporalSettings, load
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import KnowledgeBase, Question
from activities.stores.catalog.tables import QuestionRow, now
from activities.stores.connections import Stores
from api.questions import asking as asking_module
from api.questions import streams
from api.questions.asking import Asking, recorded
from api.questions.events import messages
from tests.conftest import Platform, assert_eventually, ready, upload
from tests.ports import free_port
from tests.workflows.test_control import fresh_text, state_is
from workflows.client.jobs import Jobs
from workflows.contracts import QuestionJob

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
QUESTION = "How many days of unused leave can be carried over?"

SOURCE = Source(n=1, document_id="0" * 32, document_name="a.pdf", version=1, chunk_id="a", score=0.5)
CITATION = Citation(n=1, document_id="0" * 32, document_name="a.pdf", version=1, chunk_id="a", quote="Five days.")


# --- without a platform ----------------------------------------------------------------------------


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """A catalogue in its own folder; no other service runs."""
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("HOLDFAST_TEMPORAL_ADDRESS", "HOLDFAST_TRITON_ADDRESS")}
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data"), **addresses})
    await upgrade(settings)
    return settings


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    """The stores of these settings."""
    async with Stores.open(settings) as stores:
        yield stores


@pytest.fixture
async def alone(stores: Stores, settings: Settings) -> AsyncIterator[Asking]:
    """The service while Temporal is down."""
    async with aclosing(Asking(stores, Jobs(await connect(settings.temporal, lazy=True)), settings)) as asking:
        yield asking


@pytest.fixture
async def leave(stores: Stores) -> KnowledgeBase:
    """An empty knowledge base."""
    return await stores.catalog.knowledge_bases.create("leave", "", "", Chunking(), "root")


async def test_a_query_is_checked(alone: Asking, leave: KnowledgeBase, settings: Settings) -> None:
    """Its text is trimmed; an empty one, one that is too long and an unknown document are refused."""
    longest = "a" * settings.api.max_question_characters
    assert (await alone.check(leave, f" \n{longest} ")).text == longest
    for text in ("", " \n\t"):
        with pytest.raises(InvalidRequest):
            await alone.check(leave, text)
    with pytest.raises(QuestionTooLong):
        await alone.check(leave, longest + "a")
    with pytest.raises(NotFound):
        await alone.check(leave, "Why?", ["0" * 32])


async def test_a_question_whose_run_cannot_start_is_withdrawn(
    alone: Asking, stores: Stores, leave: KnowledgeBase
) -> None:
    """While Temporal is down nothing of a question remains, and its conversation is unchanged."""
    query = await alone.check(leave, QUESTION)
    first = await stores.catalog.questions.create(leave.id, "What about leave?", "extractive", None, "ann")
    for conversation in (None, first.conversation_id):
        with pytest.raises(TemporalUnavailable):
            await alone.ask(query, "ann", conversation_id=conversation)
    (conversation,) = await stores.catalog.conversations.page("ann", None, None, 10)
    assert (conversation.id, conversation.questions) == (first.conversation_id, 1)


class Refusing(Jobs):
    """Raises an error that no one foresaw when a question is to start."""

    error: BaseException

    async def answer(self, job: QuestionJob) -> str:
        """See `Jobs.answer`."""
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("unforeseen"), asyncio.CancelledError()])
async def test_no_error_leaves_a_question_without_a_run(
    stores: Stores, leave: KnowledgeBase, settings: Settings, error: BaseException
) -> None:
    """Neither one that no table has, nor a caller that leaves while the run is being started."""
    jobs = Refusing(await connect(settings.temporal, lazy=True))
    jobs.error = error
    asking = Asking(stores, jobs, settings)
    with pytest.raises(type(error)):
        await asking.ask(await asking.check(leave, QUESTION), "ann")
    assert await stores.catalog.conversations.page("ann", None, None, 10) == []


# --- events ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["nothing", "a record", "a deletion"])
async def test_a_stream_ends_when_its_run_is_gone(
    stores: Stores,
    leave: KnowledgeBase,
    settings: Settings,
    temporal_server: TemporalSettings,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    """With an error, or with the reason that was recorded without an event; a deleted question is not found."""
    monkeypatch.setattr(streams, "SILENCE", 0.05)
    monkeypatch.setattr(asking_module, "START_TIME", timedelta())
    async with aclosing(Asking(stores, Jobs(await connect(temporal_server)), settings)) as asking:
        question = await stores.catalog.questions.create(leave.id, QUESTION, "extractive", None, "ann")
        await stores.catalog.question_events.append(question.id, [StateEvent(stage="retrieve")])
        if end == "a record":
            engine = Engine(settings.catalog_url)
            async with engine.write() as session:
                reason = msgspec.to_builtins(EmptyDocument().reason)
                lost = update(QuestionRow).values(state="failed", reason=reason, finished_at=now())
                await session.execute(lost)
            await engine.close()
        elif end == "a deletion":
            await stores.catalog.conversations.delete(question.conversation_id, "ann")
        following = asking.follow(question)
        if end == "a deletion":
            with pytest.raises(NotFound):
                await anext(following)
            return
        found = [event async for event in following]
        assert found[0] == (0, StateEvent(stage="retrieve"))
        code = {"nothing": "interrupted", "a record": EmptyDocument.code}[end]
        assert [(at, event.reason.code) for at, event in found if isinstance(event, ErrorEvent)] == [(None, code)]


async def test_a_stream_outlives_temporal(
    alone: Asking, stores: Stores, leave: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Temporal is down, a silent stream says so, once, and waits; what is recorded then ends it."""
    monkeypatch.setattr(streams, "SILENCE", 0.05)
    question = await stores.catalog.questions.create(leave.id, QUESTION, "extractive", None, "ann")
    reading = asyncio.create_task(_all(alone.follow(question)))
    await asyncio.sleep(0.5)
    assert not reading.done()
    await stores.catalog.questions.record(RecordAnswerInput(question_id=question.id, reason=Canceled().reason))
    waits = StateEvent(stage="", state="waiting", waiting_for="temporal")
    assert await asyncio.wait_for(reading, 20) == [(None, waits), (0, ErrorEvent(reason=Canceled().reason))]


async def _all(
    events: AsyncIterator[tuple[int | None, QuestionEvent]],
) -> list[tuple[int | None, QuestionEvent]]:
    return [event async for event in events]


def asked(**fields: Any) -> Question:
    """A question's record, without an answer unless ``fields`` say otherwise."""
    record: dict[str, Any] = {
        "id": "1" * 32, "knowledge_base_id": "2" * 32, "conversation_id": "3" * 32, "question": QUESTION,
        "mode": "extractive", "state": "running", "answer": None, "found": None, "citations": [], "sources": [SOURCE],
        "reason": None, "actor": "ann", "created_at": datetime.now(UTC), "finished_at": None,
    }  # fmt: skip
    return Question(**record | fields)


def test_a_record_yields_the_end_of_an_answer() -> None:
    """Sources, then the whole answer in place of the part that a reader may have, then the end."""
    done = DoneEvent(answer="Five.", citations=[CITATION], mode="generative", found=True, fallback=None, withheld=2)
    record = asked(answer="Five.", found=True, citations=[CITATION], mode="generative", withheld=2)
    assert list(recorded(record)) == [SourcesEvent(sources=[SOURCE]), ResetEvent(), DeltaEvent(text="Five."), done]


def test_a_record_yields_the_reason_of_a_failure() -> None:
    """Its reason, or an internal error if none was recorded."""
    reason = Canceled().reason
    assert list(recorded(asked(reason=reason)))[-1] == ErrorEvent(reason=reason)
    (_, last) = recorded(asked())
    assert isinstance(last, ErrorEvent)
    assert last.reason.code == "internal"


async def test_events_become_server_sent_events() -> None:
    """Named by their tags, with every field; the id is the next offset; events from a record have no id."""

    async def events() -> AsyncIterator[tuple[int | None, QuestionEvent]]:
        yield 0, StateEvent(stage="retrieve")
        yield 1, SourcesEvent(sources=[SOURCE])
        yield None, DoneEvent(answer="Five.", citations=[CITATION], mode="extractive", found=True)
        yield None, ErrorEvent(reason=EmptyDocument().reason)

    state, sources, done, error = [
        (each.name, each.id, msgspec.to_builtins(each.body)) async for each in messages(events(), "zh")
    ]
    empty = {"pending": None, "eta_seconds": None, "waiting_for": None}
    assert state == ("state", 1, {"stage": "retrieve", "state": "running"} | empty)
    assert sources[:2] == ("sources", 2)
    assert set(sources[2]["sources"][0]) == set(Source.__struct_fields__)
    assert done[:2] == ("done", None)
    assert set(done[2]) == set(DoneEvent.__struct_fields__)
    assert set(done[2]["citations"][0]) == set(Citation.__struct_fields__)
    assert error == ("error", None, {"code": EmptyDocument.code, "message": EmptyDocument.zh})


# --- with a platform -------------------------------------------------------------------------------


@pytest.fixture
async def asking(platform: Platform, temporal: Client) -> AsyncIterator[Asking]:
    """The service of the platform under test."""
    async with (
        Stores.open(platform.settings) as stores,
        aclosing(Asking(stores, Jobs(temporal), platform.settings)) as asking,
    ):
        yield asking


async def test_a_whole_answer_is_the_recorded_one(
    asking: Asking, api: httpx.AsyncClient, kb: str, platform: Platform
) -> None:
    """With its sources; its events can be followed again, from any offset."""
    await ready(api, kb, ("leave.txt", LEAVE.encode()))
    async with Stores.open(platform.settings) as stores:
        record = await stores.catalog.knowledge_bases.get(kb)
    question = await asking.ask(await asking.check(record, QUESTION), "ann", listed=False)
    answer = await asking.answer(question)
    assert "five days" in answer.done.answer
    assert {citation.chunk_id for citation in answer.done.citations} <= {each.chunk_id for each in answer.sources}

    async def noted() -> Question | None:
        async with Stores.open(platform.settings) as stores:
            found = await stores.catalog.questions.get(question.id)
        return found if found.finished_at else None

    found = await assert_eventually(noted)
    assert (found.answer, found.citations, found.sources) == (
        answer.done.answer, answer.done.citations, answer.sources,
    )  # fmt: skip
    whole = [event async for event in asking.follow(question)]
    assert [at for at, _ in whole] == list(range(len(whole)))
    assert whole[-1][1] == answer.done
    assert [event async for event in asking.follow(question, 2)] == whole[2:]


async def test_an_answer_ends_with_its_conversation(
    asking: Asking, api: httpx.AsyncClient, kb: str, platform: Platform
) -> None:
    """A caller that waits for the answer of a question that is deleted meanwhile gets a cancellation."""
    (document,) = await upload(api, kb, ("long.txt", fresh_text()))
    await api.post(f"/documents/{document['id']}/pause")
    await state_is(api, document["id"], "paused")
    async with Stores.open(platform.settings) as stores:
        record = await stores.catalog.knowledge_bases.get(kb)
    query = await asking.check(record, QUESTION)
    question = await asking.ask(query, "admin", wait_for_index=True)
    waiting = asyncio.create_task(asking.answer(question))
    async for _, event in asking.follow(question):
        if isinstance(event, StateEvent) and event.state == "waiting":
            break
    assert (await api.delete(f"/conversations/{question.conversation_id}")).status_code == 204
    with pytest.raises(Canceled):
        await waiting
