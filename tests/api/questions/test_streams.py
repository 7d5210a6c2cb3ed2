"""Following questions' events: every reader gets all of them in order, and one outage ends no stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path

import pytest

from activities.contracts.documents import Chunking
from activities.contracts.events import DeltaEvent, QuestionEvent
from activities.errors import CatalogUnavailable
from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.question_events import QuestionEvents
from api.questions import streams
from api.questions.streams import QuestionStreams

WORDS: list[QuestionEvent] = [DeltaEvent(text=f"word{number} ") for number in range(60)]


class Counted(QuestionEvents):
    """Counts the reads, of which the next ``broken`` ones fail."""

    reads = 0
    broken: list[Exception]

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.broken = []

    async def after(self, offsets: Mapping[str, int]) -> dict[str, list[QuestionEvent]]:
        """See ``QuestionEvents.after``."""
        self.reads += 1
        if self.broken:
            raise self.broken.pop()
        return await super().after(offsets)


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """A catalogue of its own."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


@pytest.fixture
async def events(tmp_path: Path, catalog: Catalog) -> AsyncIterator[Counted]:
    """The events in this catalogue."""
    engine = Engine(load({"HOLDFAST_DATA": str(tmp_path)}).catalog_url)
    yield Counted(engine)
    await engine.close()


@pytest.fixture
async def one(events: Counted) -> AsyncIterator[QuestionStreams]:
    """The streams of one process."""
    async with aclosing(QuestionStreams(events)) as found:
        yield found


@pytest.fixture
async def two(events: Counted) -> AsyncIterator[QuestionStreams]:
    """The streams of another process."""
    async with aclosing(QuestionStreams(events)) as found:
        yield found


@pytest.fixture
async def question(catalog: Catalog) -> str:
    """The id of a question."""
    kb = await catalog.knowledge_bases.create("kb", "", "", Chunking(), "ann")
    return (await catalog.questions.create(kb.id, "Why?", "generative", None, "ann")).id


async def read(following: QuestionStreams, question: str, offset: int, count: int) -> list[QuestionEvent]:
    """The next ``count`` events from ``offset`` on."""
    found: list[QuestionEvent] = []
    async with aclosing(following.follow(question, offset)) as stream:  # type: ignore[type-var]
        async for event in stream:
            if event is not None:
                found.append(event)
            if len(found) == count:
                break
    return found


async def test_every_reader_gets_every_event_once(
    events: Counted, one: QuestionStreams, two: QuestionStreams, question: str
) -> None:
    """From any offset, while they are written, in two processes; without readers nothing is read."""
    readers = [
        asyncio.create_task(read(following, question, offset, len(WORDS) - offset))
        for following in (one, two)
        for offset in (0, 0, 7, 59)
    ]
    for number in range(0, len(WORDS), 3):
        await events.append(question, WORDS[number : number + 3])
        await asyncio.sleep(0.005)
    for reader, offset in zip(readers, [0, 0, 7, 59] * 2, strict=True):
        assert await asyncio.wait_for(reader, 20) == WORDS[offset:]
    assert await read(one, question, 3, 2) == WORDS[3:5]
    await asyncio.sleep(2 * streams.LONGEST)
    reads = events.reads
    await asyncio.sleep(4 * streams.SHORTEST)
    assert events.reads == reads


async def test_readers_of_one_process_share_its_reads(events: Counted, one: QuestionStreams, question: str) -> None:
    """Fifty readers cost as many reads as one."""
    await events.append(question, WORDS)
    found = await asyncio.gather(*(read(one, question, 0, len(WORDS)) for _ in range(50)))
    assert found == [WORDS] * 50
    assert events.reads <= 2


@pytest.mark.parametrize("error", [CatalogUnavailable(detail="gone"), RuntimeError("unforeseen")])
async def test_a_stream_outlives_an_outage(
    events: Counted, one: QuestionStreams, question: str, error: Exception
) -> None:
    """It goes on with the events that were written meanwhile."""
    events.broken = [error, error]
    reader = asyncio.create_task(read(one, question, 0, len(WORDS)))
    await events.append(question, WORDS)
    assert await asyncio.wait_for(reader, 20) == WORDS
    assert events.reads > 2


async def test_a_reader_is_told_of_silence(
    events: Counted, one: QuestionStreams, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, so that it can look for a run that is gone; events go on afterwards."""
    monkeypatch.setattr(streams, "SILENCE", 0.05)
    async with aclosing(one.follow(question, 0)) as stream:  # type: ignore[type-var]
        assert [await anext(stream), await anext(stream)] == [None, None]
        await events.append(question, WORDS[:1])
        while (event := await anext(stream)) is None:
            pass
        assert event == WORDS[0]
