"""A re-index beside searches and questions: its speed, what a search sees of it, and how near its plan was.

`costs` measures re-indexes of other sizes by themselves.

The floor is what the re-index cannot do without: the same documents through the same activities as an ingestion, in
the same run. The searches look by keyword for words that stand in exactly one document each: none may be missing.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from api.client.client import ApiError
from api.client.problems import Problem
from tests.bench.ask import CHINESE, PLAIN, ask, asked_of, mixed
from tests.bench.instance import Bench
from tests.bench.measures import Measure, milliseconds, quantile, say
from tests.bench.shelf import Document, Shelf
from tests.bench.texts import Library

#: Chunks are cut anew at this length, which no bench uses otherwise.
OTHER = {"max_tokens": 120, "overlap_tokens": 0}

#: Texts that are searched for, and how often.
SEARCHED, SECONDS_BETWEEN, SECONDS_BETWEEN_QUESTIONS = 50, 0.5, 1.0

SLOWEST = 0.95

#: Chunks of OTHER length that a small text has.
CHUNKS_OF_A_TEXT = 10


async def other_chunks(bench: Bench, library: Library, documents: int) -> list[Measure]:
    """Throughput ÷ floor ≥ 0.9, question p95 ≤ 1.5 × idle, plan within ± 25 %, no search fails."""
    shelf = await Shelf.create(bench)
    marked = [
        Document.of(f"{number:05}.txt", f"zq{number:05} is the mark of this text.\n\n{text}").fresh()
        for number, text in enumerate(library.small(documents))
    ]
    begun = time.monotonic()
    jobs = await shelf.upload_batch(marked)
    await shelf.until_ready(jobs)
    ingest = time.monotonic() - begun
    questions = mixed(asked_of(library.small(100), PLAIN), asked_of(library.small(100), CHINESE), 30)
    idle = await _questions(bench, shelf, questions)
    plan = (await _until(bench, (await bench.api.reindexes.plan(shelf.name, chunking=OTHER)).value.id))["plan"]
    say(f"    plan: {plan}")
    # Alone first, which is compared with the ingestion; then back, and again beside questions and searches.
    alone = await _reindex(bench, shelf)
    await _rollback(bench, alone)
    problems: list[str] = []
    busy: list[float] = []
    searching = asyncio.create_task(_search_on(bench, shelf, min(documents, SEARCHED), problems))
    asking = asyncio.create_task(_ask_on(bench, shelf, questions, busy))
    beside = await _reindex(bench, shelf)
    for task in (searching, asking):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await bench.api.reindexes.control(beside["id"], "finish")
    await _until(bench, beside["id"])
    await shelf.drop()
    ratio = alone["seconds"] / max(0.1, plan["seconds"])
    chunks = alone["verified"]["rows"]
    note = f"{documents} documents, {chunks} chunks"
    return [
        Measure(name="re-index ÷ ingestion of the same, speed", values=[ingest / alone["seconds"]], target="≥ 0.9",
                note=note),
        Measure(name="re-index: chunks", values=[chunks / alone["seconds"]], unit="chunks/s"),
        Measure(name="re-index: time ÷ plan", values=[ratio], note=f"wanted 0.75–1.25; {alone['seconds']:.0f} s"),
        Measure(name="re-index: chunks ÷ plan", values=[chunks / max(1, plan["new_chunks"])], note="wanted 0.75–1.25"),
        Measure(name="searches that failed or missed", values=[len(problems)], target="0",
                note="; ".join(problems[:3])),
        Measure(name="question p95 beside a re-index ÷ idle",
                values=[quantile(busy, SLOWEST) / quantile(idle, SLOWEST)] if busy else [0.0], target="≤ 1.5",
                note=f"{len(idle)} and {len(busy)} questions"),
    ]  # fmt: skip


async def costs(bench: Bench, library: Library, sizes: list[int]) -> list[Measure]:
    """What a re-index to about so many chunks costs, alone on the platform, and what its plan said of it."""
    return [measure for size in sizes for measure in await _cost(bench, library, size)]


async def _cost(bench: Bench, library: Library, size: int) -> list[Measure]:
    shelf = await Shelf.create(bench)
    texts = library.small(max(1, size // CHUNKS_OF_A_TEXT))
    begun = time.monotonic()
    await shelf.until_ready(
        await shelf.upload_batch([Document.of(f"{n:05}.txt", text).fresh() for n, text in enumerate(texts)])
    )
    ingest = time.monotonic() - begun
    plan = (await _until(bench, (await bench.api.reindexes.plan(shelf.name, chunking=OTHER)).value.id))["plan"]
    say(f"    {len(texts)} documents, ingested in {ingest:.0f} s; plan: {plan}")
    before = _bytes(bench)
    done = await _reindex(bench, shelf)
    grown = _bytes(bench) - before
    await _rollback(bench, done)
    await shelf.drop()
    chunks, name = done["verified"]["rows"], f"re-index of {size:,} chunks"
    within = "wanted 0.75–1.25"
    return [
        Measure(name=f"{name}: time", values=[done["seconds"]], unit="s",
                note=f"{chunks:,} chunks in {len(texts):,} documents"),
        Measure(name=f"{name}: speed", values=[chunks / done["seconds"]], unit="chunks/s"),
        Measure(name=f"{name} ÷ ingestion, speed", values=[ingest / done["seconds"]], target="≥ 0.9"),
        Measure(name=f"{name}: time ÷ plan", values=[done["seconds"] / max(0.1, plan["seconds"])], note=within),
        Measure(name=f"{name}: chunks ÷ plan", values=[chunks / max(1, plan["new_chunks"])], note=within),
        Measure(name=f"{name}: disk, both indexes kept", values=[grown / 1e6], unit="MB",
                note=f"plan: {plan['bytes'] / 1e6:.1f} MB of vectors and texts"),
    ]  # fmt: skip


def _bytes(bench: Bench) -> int:
    """The bytes of the platform's data folder; 0 if it is not on this machine."""
    total = 0
    for path in bench.settings.data_dir.rglob("*"):
        with suppress(OSError):  # gone meanwhile
            total += path.stat().st_blocks * 512 if path.is_file() else 0
    return total


async def _reindex(bench: Bench, shelf: Shelf) -> dict[str, Any]:
    """From the start to the switch."""
    begun = time.monotonic()
    job = await bench.api.reindexes.start(shelf.name, chunking=OTHER, soak_seconds=600)
    info = await _until(bench, job.value.id, "soak")
    return info | {"seconds": time.monotonic() - begun}


async def _rollback(bench: Bench, job: dict[str, Any]) -> None:
    begun = time.monotonic()
    await bench.api.reindexes.control(job["id"], "rollback")
    say(f"    rolled back in {time.monotonic() - begun:.1f} s")
    await _until(bench, job["id"])


async def _until(bench: Bench, id: str, stage: str | None = None) -> dict[str, Any]:
    """The re-index at a stage, by default at its end."""
    while True:
        info: dict[str, Any] = (await bench.api.reindexes.get(id)).json
        if info["state"] in ("ready", "failed", "canceled") or (stage is not None and info["stage"] == stage):
            return info
        await asyncio.sleep(0.25)


async def _search_on(bench: Bench, shelf: Shelf, documents: int, problems: list[str]) -> None:
    number = 0
    while True:
        number = (number + 1) % documents
        mark = f"zq{number:05}"
        try:
            hits = (await bench.api.questions.search(shelf.name, mark, mode="keyword")).json["hits"]
        except (ApiError, Problem) as exc:
            problems.append(f"{mark}: {exc}")
            continue
        if len({hit["document_id"] for hit in hits if mark in hit["text"]}) != 1:
            problems.append(f"{mark}: {len(hits)} hits")
        await asyncio.sleep(SECONDS_BETWEEN)


async def _ask_on(bench: Bench, shelf: Shelf, questions: list[str], times: list[float]) -> None:
    while True:
        for question in questions:
            times += milliseconds([(await ask(bench, shelf, question, "extractive")).at["done"]])
            await asyncio.sleep(SECONDS_BETWEEN_QUESTIONS)


async def _questions(bench: Bench, shelf: Shelf, questions: list[str]) -> list[float]:
    times: list[float] = []
    for question in [*questions[:3], *questions]:  # the first ones warm the caches
        times += milliseconds([(await ask(bench, shelf, question, "extractive")).at["done"]])
    return times[3:]
