"""The history of a long written answer is short, however long it takes and however many read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.answering.answer import AnswerActivities
from activities.answering.generation import GenerationPrefetch
from activities.contracts.answers import Source
from activities.contracts.documents import Chunking
from activities.contracts.events import DeltaEvent, DoneEvent, ResetEvent
from activities.contracts.ids import question_id
from activities.contracts.questions import AnswerSettings, Retrieved, RetrieveInput
from activities.contracts.queues import Queue
from activities.retrieval.passages import SourceTexts
from activities.runtime.interceptor import ActivityEdge
from activities.runtime.temporal import connect
from activities.settings import GenerateSettings, TemporalSettings, load
from activities.stores.blob_keys import sources_key
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Question
from activities.stores.connections import Stores
from activities.stores.triton import ChatMessage, Generated, Triton
from api.questions.asking import Asking
from tests.conftest import Platform
from tests.workflows.test_replay import replayer
from workflows.answer import AnswerQuestion
from workflows.client.jobs import Jobs

MOST_EVENTS = 120
TOKENS = 4096
SECONDS_PER_TOKEN = 0.002

QUESTION = "How many days of leave may employees carry over?"
PLACES = ("Vienna", "Lisbon", "Oslo", "Athens", "Dublin", "Prague", "Porto", "Bergen")
TEXTS = [f"Employees in {place} may carry over {n} days of annual leave." for n, place in enumerate(PLACES, 3)]


class Slow(Triton):
    """Its language model writes the passages again and again, a word at a time, with a little time for each."""

    async def generate(
        self,
        messages: Sequence[ChatMessage],
        sampling: dict[str, object],
        ended: Callable[[Generated], None] | None = None,
    ) -> AsyncIterator[str]:
        """See `Triton.generate`."""
        words = " ".join(TEXTS).split()
        for number in range(TOKENS):
            await asyncio.sleep(SECONDS_PER_TOKEN)
            yield f"{words[number % len(words)]} "


class Found:
    """The retrieve step, with passages that were found."""

    def __init__(self, stores: Stores) -> None:
        self._blobs, self._triton = stores.blobs, stores.triton

    @activity.defn(name="retrieve")
    async def retrieve(self, input: RetrieveInput) -> Retrieved:
        """The passages above."""
        key = sources_key(input.question_id)
        vector = (await self._triton.embed_query(input.question)).tobytes()
        await self._blobs.save(key, SourceTexts(TEXTS, vector, input.question, AnswerSettings(max_tokens=TOKENS)))
        sources = [
            Source(n=n, document_id="d", document_name="a.txt", version=1, chunk_id=str(n), score=0.9)
            for n, _ in enumerate(TEXTS, 1)
        ]
        return Retrieved(sources_key=key, sources=sources, similarity=0.95)


async def read(asking: Asking, question: Question) -> tuple[str, DoneEvent, int]:
    """The text that a reader has at the end, the end, and the number of pieces; it leaves and resumes on the way."""
    text, pieces, offset = "", 0, 0
    while True:
        async for at, event in asking.follow(question, offset):
            assert at == offset
            offset += 1
            match event:
                case DeltaEvent():
                    text, pieces = text + event.text, pieces + 1
                case ResetEvent():
                    text = ""
                case DoneEvent():
                    return text, event, pieces
            if offset % 25 == 0:
                break


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("readers", [0, 1, 5])
async def test_a_long_answer_has_a_short_history(
    platform: Platform, temporal_server: TemporalSettings, tmp_path: Path, readers: int
) -> None:
    """Every reader has the recorded answer, in many pieces; Temporal keeps none of them."""
    settings = load({"HOLDFAST_DATA": str(tmp_path), "HOLDFAST_TRITON_ADDRESS": platform.settings.triton.address})
    await upgrade(settings)
    client, generate, triton = await connect(temporal_server), GenerateSettings(), Slow(settings.triton.address)
    async with Stores.open(settings) as stores:
        kb = await stores.catalog.knowledge_bases.create("kb", "", "", Chunking(), "ann")
        answering = AnswerActivities(
            stores.blobs, triton, stores.catalog, generate, GenerationPrefetch(triton, generate)
        )
        jobs = Jobs(client)
        worker = Worker(
            client,
            task_queue=Queue.ANSWER,
            workflows=[AnswerQuestion],
            activities=[Found(stores).retrieve, answering.answer, answering.record_answer],
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[ActivityEdge()],
        )
        async with aclosing(Asking(stores, jobs, settings)) as asking, worker:
            question = await asking.ask(await asking.check(kb, QUESTION), "ann", mode="generative")
            found = await asyncio.gather(*(read(asking, question) for _ in range(readers)))
            run = jobs.handle(question_id(question.id))
            await run.result()
            record = await stores.catalog.questions.get(question.id)
        assert record.answer is not None
        assert record.made is not None
        assert record.made.tokens == TOKENS
        for text, done, pieces in found:
            assert text == done.answer == record.answer
            assert pieces > MOST_EVENTS / 4
        history = await run.fetch_history()
        assert len(history.events) <= MOST_EVENTS
        assert TEXTS[0] not in history.to_json().replace(record.answer, "")
        await replayer().replay_workflow(history)
    await triton.close()
