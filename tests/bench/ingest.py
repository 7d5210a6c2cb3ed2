"""Ingestion: the platform against the same functions in a plain loop, an edit, and documents added again.

The loop is one process without Temporal, catalogue, HTTP and files: the document is parsed in the process
itself, chunked, embedded through the same Triton with the same requests, and its rows are written to a
collection of its own in the same Milvus. Both sides get fresh content in every round (a first line that
nobody has seen), so that nothing is taken over from an earlier one, and take turns in going first. The
platform's time is that of its user: from sending the upload until the API counts the documents as ready.
"""

from __future__ import annotations

import io
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from activities.chunk import chunk_document, counter, fitted
from activities.contracts import Chunk, Chunking, ingest_id
from activities.embed import embed_chunks
from activities.index import BATCH, rows_of
from activities.parse import parse_file
from activities.stores.blobs import Blobs, digest
from activities.stores.triton import Vectors
from tests.bench.instance import Bench
from tests.bench.measures import Measure, Spent, say
from tests.bench.texts import Library, edited
from workflows.contracts import IngestResult

FILES_IN_REQUEST = 50
"""As many files as `holdfast add` sends in one request."""

EDITS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Document:
    """A file to add."""

    name: str
    text: str

    def fresh(self) -> Document:
        """The same under another name and with a first line of its own."""
        mark = uuid.uuid4().hex
        return Document(f"{mark[:8]}-{self.name}", f"Copy {mark}\n\n{self.text}")


@dataclass
class Run:
    """What one side needed for some documents."""

    seconds: float
    characters: int
    chunks: int
    spent: Spent = field(default_factory=Spent)

    @property
    def speed(self) -> float:
        """Characters per second."""
        return self.characters / self.seconds


# --- the platform ----------------------------------------------------------------------------------


class Shelf:
    """A knowledge base of the measured platform."""

    def __init__(self, bench: Bench, name: str) -> None:
        self._bench, self.name = bench, name

    @classmethod
    async def create(cls, bench: Bench) -> Shelf:
        """A new, empty one."""
        name = f"bench-{uuid.uuid4().hex[:12]}"
        await bench.api.call("POST", "/knowledge-bases", json={"name": name})
        return cls(bench, name)

    async def upload(self, documents: Sequence[Document]) -> list[dict[str, Any]]:
        """Send the files; what the API answers for each."""
        jobs: list[dict[str, Any]] = []
        for start in range(0, len(documents), FILES_IN_REQUEST):
            some = documents[start : start + FILES_IN_REQUEST]
            files = [(document.name, io.BytesIO(document.text.encode())) for document in some]
            answer = await self._bench.api.upload(self.name, files, uuid.uuid4().hex)
            jobs += answer["documents"]
        return jobs

    async def counts(self) -> dict[str, int]:
        """Documents by state."""
        found = await self._bench.api.call("GET", f"/knowledge-bases/{self.name}")
        counts: dict[str, int] = found["documents"]
        return counts

    async def until_ready(self, jobs: Sequence[dict[str, Any]]) -> None:
        """Wait for the runs' ends in Temporal's long polls: asking the API all the time would slow what is timed.

        The API has the last word. Raises WorkflowFailureError or RuntimeError when a document cannot be used.
        """
        if await self._all_ready():
            return
        for job in jobs:
            await self.result(job)
        if not await self._all_ready():
            raise RuntimeError(f"not all documents are ready: {await self.counts()}")

    async def _all_ready(self) -> bool:
        counts = await self.counts()
        return counts.get("ready", 0) == counts["total"]

    async def add(self, documents: Sequence[Document]) -> tuple[Run, list[dict[str, Any]]]:
        """Upload and wait, timed."""
        began = time.perf_counter()
        jobs = await self.upload(documents)
        await self.until_ready(jobs)
        seconds = time.perf_counter() - began
        results = [await self.result(job) for job in jobs]
        characters = sum(len(document.text) for document in documents)
        return Run(seconds, characters, sum(result.chunks for result in results)), jobs

    async def result(self, job: dict[str, Any]) -> IngestResult:
        """What the document's workflow returned."""
        id = ingest_id(job["id"], job["version"])
        handle = self._bench.temporal.get_workflow_handle(id, result_type=IngestResult)
        result: IngestResult = await handle.result()
        return result

    async def rows(self, job: dict[str, Any]) -> int:
        """How many rows Milvus holds of the document's version."""
        record = await self._bench.stores.catalog.knowledge_bases.get(self.name)
        generation = await self._bench.stores.catalog.knowledge_bases.generation(record.id)
        return await self._bench.stores.milvus.count(generation.collection, job["id"], job["version"])

    async def runs(self) -> int:
        """How many ingestions were ever started for it."""
        query = f"WorkflowType = 'IngestDocument' AND KnowledgeBase = '{self.name}'"
        return (await self._bench.temporal.count_workflows(query)).count

    async def drop(self) -> None:
        """Delete it, so that a platform that goes on running keeps nothing of the bench."""
        await self._bench.api.call("DELETE", f"/knowledge-bases/{self.name}")


async def history(bench: Bench, job: dict[str, Any]) -> tuple[int, int, Spent]:
    """Events and bytes of a run's history, and its seconds by step: waiting for a worker counts as ``queue``."""
    handle = bench.temporal.get_workflow_handle(ingest_id(job["id"], job["version"]))
    info = (await handle.describe()).raw_description.workflow_execution_info
    spent, scheduled, started = Spent(), {}, {}
    async for event in handle.fetch_history_events():
        at = event.event_time.ToMicroseconds() / 1e6
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled[event.event_id] = (event.activity_task_scheduled_event_attributes.activity_type.name, at)
        elif event.HasField("activity_task_started_event_attributes"):
            id = event.activity_task_started_event_attributes.scheduled_event_id
            started[id] = at
            spent.add("queue", at - scheduled[id][1])
        elif event.HasField("activity_task_completed_event_attributes"):
            id = event.activity_task_completed_event_attributes.scheduled_event_id
            spent.add(scheduled[id][0], at - started[id])
    return info.history_length, info.history_size_bytes, spent


# --- the loop --------------------------------------------------------------------------------------


class Loop:
    """The same functions, one after the other."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._memory = Blobs("memory:///")
        self._collection = f"bench_{uuid.uuid4().hex}"

    async def add(self, documents: Sequence[Document]) -> Run:
        """All documents, timed."""
        spent, chunks = Spent(), 0
        began = time.perf_counter()
        for document in documents:
            chunks += await self._one(document, spent)
        return Run(time.perf_counter() - began, sum(len(document.text) for document in documents), chunks, spent)

    async def drop(self) -> None:
        """Remove the rows."""
        await self._bench.stores.milvus.drop(self._collection)

    async def _one(self, document: Document, spent: Spent) -> int:
        triton, milvus = self._bench.stores.triton, self._bench.stores.milvus
        card, tokenizer = await triton.card(), await triton.tokenizer()
        with timed(spent, "parse"), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "original"
            path.write_bytes(document.text.encode())
            parsed = parse_file(path, document.name, self._bench.settings.parse, lambda done, total: None)
        with timed(spent, "chunk"):
            chunks = chunk_document(parsed, fitted(Chunking(), card, tokenizer), counter(tokenizer))
        with timed(spent, "embed"):
            vectors = await self._embed(chunks)
        with timed(spent, "index"):
            await milvus.create(self._collection, card.dimension)
            rows = rows_of(uuid.uuid4().hex, 1, chunks)
            for start in range(0, len(rows), BATCH):
                await milvus.upsert(self._collection, rows[start : start + BATCH], vectors[start : start + BATCH])
        return len(chunks)

    async def _embed(self, chunks: Sequence[Chunk]) -> Vectors:
        """The platform's own requests: equal texts once, sorted by length, as many under way; nothing is kept."""
        texts = {digest(chunk.text): chunk for chunk in chunks}
        ordered = sorted(texts, key=lambda key: texts[key].tokens)
        made = await embed_chunks(
            self._bench.stores.triton,
            self._memory,
            uuid.uuid4().hex,
            {key: texts[key].text for key in ordered},
            self._bench.settings.embed,
            len(chunks),
        )
        return np.stack([made[digest(chunk.text)] for chunk in chunks])


@contextmanager
def timed(spent: Spent, step: str) -> Iterator[None]:
    """Count the block's time for ``step``."""
    began = time.perf_counter()
    try:
        yield
    finally:
        spent.add(step, time.perf_counter() - began)


# --- the benches -----------------------------------------------------------------------------------


Round = Callable[[], Awaitable[Run]]


async def in_turns(rounds: int, ours: Round, theirs: Round) -> tuple[list[Run], list[Run]]:
    """Both sides ``rounds`` times; who goes first alternates."""
    mine: list[Run] = []
    yours: list[Run] = []
    for number in range(rounds):
        for side, runs in ((ours, mine), (theirs, yours)) if number % 2 == 0 else ((theirs, yours), (ours, mine)):
            runs.append(await side())
        a, b = mine[-1], yours[-1]
        say(f"  round {number + 1}: platform {a.seconds:.1f} s, {a.speed:,.0f} characters/s; "
            f"loop {b.seconds:.1f} s, {b.speed:,.0f}; ratio {a.speed / b.speed:.3f}")  # fmt: skip
        say(f"    seconds, platform: {a.spent}")
        say(f"    seconds, loop: {b.spent}")
    return mine, yours


async def warm(shelf: Shelf, loop: Loop) -> None:
    """Both sides have imported their readers and made their collections before anything is timed."""
    first = Document("warm-up.txt", "A document to warm up with.")
    await shelf.add([first.fresh()])
    await loop.add([first.fresh()])


async def long_document(bench: Bench, library: Library, characters: int | None, rounds: int) -> list[Measure]:
    """DESIGN §9, rows 1 and 6: one long document, and one paragraph of it edited."""
    shelf, loop = await Shelf.create(bench), Loop(bench)
    text = library.long(characters)
    document = Document("long.txt", text)
    say(f"long document: {len(text):,} characters")
    jobs: list[tuple[dict[str, Any], Document]] = []
    await warm(shelf, loop)

    async def platform() -> Run:
        mine = document.fresh()
        run, [job] = await shelf.add([mine])
        run.spent = (await history(bench, job))[2]
        jobs.append((job, mine))
        return run

    ours, theirs = await in_turns(rounds, platform, lambda: loop.add([document.fresh()]))
    job, last = jobs[-1]
    events, size, _ = await history(bench, job)
    rows, chunks = await shelf.rows(job), ours[-1].chunks
    say(f"  {chunks} chunks in the catalogue, {rows} rows in Milvus{'' if rows == chunks else ' (NOT EQUAL)'}")
    again: list[tuple[IngestResult, float]] = []
    for place in EDITS:
        last = Document(last.name, edited(last.text, place))
        again.append(await _edit(shelf, last, place))
    await loop.drop()
    await shelf.drop()
    return [
        Measure(
            name="long document: platform ÷ loop",
            values=[a.speed / b.speed for a, b in zip(ours, theirs, strict=True)],
            target="≥ 0.9",
            note=f"{len(text):,} characters, {chunks} chunks",
        ),
        Measure(name="long document: platform", values=[run.speed for run in ours], unit="characters/s"),
        Measure(name="long document: loop", values=[run.speed for run in theirs], unit="characters/s"),
        Measure(
            name="long document: the same, if embedding took both as long",
            values=[b.seconds / (b.seconds + _outside(a) - _outside(b)) for a, b in zip(ours, theirs, strict=True)],
            note="without the noise of a shared machine, most of which hits the longest step",
        ),
        Measure(name="long document: events in history", values=[events], target="≤ 200"),
        Measure(name="long document: bytes of history", values=[size], target="≤ 204,800"),
        Measure(name="long document: rows in Milvus − chunks", values=[rows - chunks], target="0"),
        Measure(
            name="one paragraph edited: chunks embedded again",
            values=[result.embedded for result, _ in again],
            target="≤ 3",
            note=f"of {again[-1][0].chunks}",
        ),
        Measure(name="one paragraph edited: upload to ready", values=[seconds for _, seconds in again], unit="s"),
    ]


def _outside(run: Run) -> float:
    return run.seconds - run.spent.seconds["embed"]


async def _edit(shelf: Shelf, document: Document, place: float) -> tuple[IngestResult, float]:
    """A new version of the document: the run's result, and its seconds."""
    run, [job] = await shelf.add([document])
    result = await shelf.result(job)
    say(f"  a paragraph edited at {place:.0%}: {result.embedded} embedded, {result.reused} reused, {run.seconds:.1f} s")
    return result, run.seconds


async def small_documents(bench: Bench, library: Library, count: int, rounds: int) -> list[Measure]:
    """DESIGN §9, row 2: many small documents, and all of them added again."""
    shelf, loop = await Shelf.create(bench), Loop(bench)
    documents = [Document(f"small-{number:04}.txt", text) for number, text in enumerate(library.small(count))]
    say(f"{count} small documents: {sum(len(document.text) for document in documents):,} characters")
    added: list[Document] = []
    await warm(shelf, loop)

    async def platform() -> Run:
        added[:] = [document.fresh() for document in documents]
        return (await shelf.add(added))[0]

    ours, theirs = await in_turns(rounds, platform, lambda: loop.add([document.fresh() for document in documents]))
    started = await shelf.runs()
    seconds = (await shelf.add(added))[0].seconds
    new = await shelf.runs() - started
    await loop.drop()
    await shelf.drop()
    return [
        Measure(
            name=f"{count} small documents: platform ÷ loop",
            values=[a.speed / b.speed for a, b in zip(ours, theirs, strict=True)],
            target="≥ 0.7",
            note=f"of about {len(documents[0].text):,} characters",
        ),
        Measure(name="small documents: platform", values=[count / run.seconds for run in ours], unit="documents/s"),
        Measure(name="small documents: loop", values=[count / run.seconds for run in theirs], unit="documents/s"),
        Measure(name="the same documents again: new workflows", values=[new], target="0"),
        Measure(name="the same documents again", values=[count / seconds], unit="documents/s"),
    ]
