"""Questions during a bulk ingest: how much longer a quoted answer takes than on an idle platform."""

from __future__ import annotations

import asyncio

from tests.bench.ask import CHINESE, PLAIN, ask, asked_of, mixed
from tests.bench.instance import Bench
from tests.bench.measures import Measure, milliseconds, quantile, say
from tests.bench.shelf import Document, Shelf
from tests.bench.texts import Library

SLOWEST = 0.95
BULK = 4
"""Documents that are added for each question, so that the ingest outlasts the questions."""


async def bulk(bench: Bench, library: Library, count: int) -> list[Measure]:
    """DESIGN §9, row 5: the same questions, idle and while documents are indexed."""
    texts = library.small(100)
    shelf, other = await Shelf.create(bench), await Shelf.create(bench)
    await shelf.add([Document.of(f"{number:03}.txt", text) for number, text in enumerate(texts)])
    questions = mixed(asked_of(texts, PLAIN), asked_of(texts, CHINESE), count)
    await _times(bench, shelf, questions)  # warms the caches for both sides
    idle = await _times(bench, shelf, questions)
    more = [Document.of(f"{number:05}.txt", text).fresh() for number, text in enumerate(library.small(BULK * count))]
    jobs = await other.upload_batch(more)
    say(f"    {len(more)} documents are on their way")
    busy = await _times(bench, shelf, questions)
    left = (await other.counts())["total"] - (await other.counts()).get("ready", 0)
    await other.until_ready(jobs)
    await asyncio.gather(shelf.drop(), other.drop())
    return [
        Measure(
            name="question p95 during bulk ingest ÷ idle",
            values=[quantile(busy, SLOWEST) / quantile(idle, SLOWEST)],
            target="≤ 2.0",
            note=f"{len(idle)} questions each; {left} of {len(more)} documents were still left after the last one",
        ),
        Measure(name="question p95, idle", values=[quantile(idle, SLOWEST)], unit="ms"),
        Measure(name="question p95, during bulk ingest", values=[quantile(busy, SLOWEST)], unit="ms"),
        Measure(name="question p50, idle", values=idle, unit="ms"),
        Measure(name="question p50, during bulk ingest", values=busy, unit="ms"),
    ]


async def _times(bench: Bench, shelf: Shelf, questions: list[str]) -> list[float]:
    runs = [await ask(bench, shelf, question, "extractive") for question in questions]
    return milliseconds([run.at["done"] for run in runs])
