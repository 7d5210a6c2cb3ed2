"""The publisher: pieces of text are joined while they wait, and one attempt at a time is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from activities.answering import publisher
from activities.answering.publisher import Publisher
from activities.contracts.documents import Chunking
from activities.contracts.events import DeltaEvent, QuestionEvent, ResetEvent, StateEvent
from activities.contracts.questions import RecordAnswerInput
from activities.errors import Canceled
from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade

TEXT = [f"word{number} " for number in range(4096)]


@dataclass(frozen=True)
class Asked:
    """A question in a catalogue of its own."""

    catalog: Catalog
    id: str

    @property
    def publisher(self) -> Publisher:
        """A publisher of its events."""
        return Publisher(self.catalog.question_events, self.id)

    async def events(self) -> list[QuestionEvent]:
        """What a reader has."""
        return (await self.catalog.question_events.after({self.id: 0})).get(self.id, [])

    async def some(self, count: int) -> list[QuestionEvent]:
        """The events, once there are this many."""
        async with asyncio.timeout(20):
            while len(found := await self.events()) < count:
                await asyncio.sleep(0)
        return found


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    """A question that was just asked."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    kb = await catalog.knowledge_bases.create("kb", "", "", Chunking(), "ann")
    yield Asked(catalog, (await catalog.questions.create(kb.id, "Why?", "generative", None, "ann")).id)
    await catalog.close()


def text_of(events: Sequence[QuestionEvent]) -> str:
    """The text that a reader has in the end."""
    text = ""
    for event in events:
        text = "" if isinstance(event, ResetEvent) else text + (event.text if isinstance(event, DeltaEvent) else "")
    return text


async def test_text_that_waits_is_joined(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """States and the first words do not wait; what comes meanwhile is one event, and ends with the publisher."""
    monkeypatch.setattr(publisher, "BATCH_SECONDS", 1000)
    async with asked.publisher as stream:
        stream.publish(StateEvent(stage="generate"))
        assert len(await asked.some(1)) == 1
        stream.publish(DeltaEvent(text=TEXT[0]))
        assert text_of(await asked.some(2)) == TEXT[0]
        for word in TEXT[1:]:
            stream.publish(DeltaEvent(text=word))
        stream.publish(ResetEvent())
        stream.publish(DeltaEvent(text="Five."))
        stream.publish(StateEvent(stage="record"))
    assert await asked.events() == [
        StateEvent(stage="generate"), DeltaEvent(text=TEXT[0]), DeltaEvent(text="".join(TEXT[1:])), ResetEvent(),
        DeltaEvent(text="Five."), StateEvent(stage="record"),
    ]  # fmt: skip


async def test_a_later_attempt_silences_an_earlier_one(asked: Asked) -> None:
    """Of an attempt on a worker that was thought dead, nothing comes after the reset; it learns of its end."""
    async with asked.publisher as later:

        async def earlier() -> None:
            async with asked.publisher as stream:
                stream.publish(DeltaEvent(text="It is"))
                await asked.some(1)
                later.publish(ResetEvent())
                later.publish(DeltaEvent(text="Six"))
                await asked.some(3)
                while True:
                    stream.publish(DeltaEvent(text=" five"))
                    await asyncio.sleep(0.01)

        with pytest.raises(Canceled):
            await earlier()
        later.publish(DeltaEvent(text="."))
    assert text_of(await asked.events()) == "Six."


async def test_nothing_is_published_after_the_end(asked: Asked) -> None:
    """The publisher of a question that was canceled meanwhile raises, at the latest when it is closed."""
    await asked.catalog.questions.record(RecordAnswerInput(question_id=asked.id, canceled=True))
    with pytest.raises(Canceled):
        async with asked.publisher as stream:
            stream.publish(DeltaEvent(text="Five."))
    assert text_of(await asked.events()) == ""


async def test_an_error_of_the_answer_is_not_hidden(asked: Asked) -> None:
    """What failed is raised, and what it left unsent is dropped: another attempt begins anew."""

    async def failing() -> None:
        async with asked.publisher as stream:
            stream.publish(DeltaEvent(text="Five."))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert await asked.events() == []
