"""The cost of traces: the same documents and questions on two platforms, of which one traces everything, in turns."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler

from tests.bench.ask import PLAIN, ask, asked_of
from tests.bench.instance import Bench, opened, own
from tests.bench.measures import Measure, say
from tests.bench.shelf import Document, Shelf
from tests.bench.texts import Library
from tests.http_server import Quiet, serving

ROUNDS = 5

#: Traced throughput ÷ throughput without traces.
TARGET = "≥ 0.97"


class Sink(Quiet, BaseHTTPRequestHandler):
    """A collector that reads what it gets, and forgets it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


async def overhead(bench: Bench, library: Library, documents: int, questions: int) -> list[Measure]:
    """Ingestion and questions; those of each round begin on another one of the two."""
    texts = library.small(100)
    with serving(Sink) as port, own(HOLDFAST_TRACING_ENDPOINT=f"http://127.0.0.1:{port}") as instance:
        async with opened(instance) as traced:
            sides = {False: bench, True: traced}
            files = [Document.of(f"{n}.txt", texts[n % len(texts)]) for n in range(documents)]
            ingestion = await _ratios(sides, lambda side: _ingest(side, files), f"{documents} documents")
            shelves = {is_traced: await Shelf.create(side) for is_traced, side in sides.items()}
            for shelf in shelves.values():
                await shelf.add([Document.of(f"{number:03}.txt", text) for number, text in enumerate(texts)])
            asked = asked_of(texts, PLAIN)[:questions]
            answers = await _ratios(
                sides, lambda side: _ask(side, shelves[side is traced], asked), f"{len(asked)} questions"
            )
    return [
        Measure(name="ingestion: throughput traced ÷ not", values=ingestion, target=TARGET),
        Measure(name="questions: throughput traced ÷ not", values=answers, target=TARGET),
    ]


async def _ratios(sides: dict[bool, Bench], work: Callable[[Bench], Awaitable[None]], what: str) -> list[float]:
    say(f"tracing: {ROUNDS} × {what} with and without")
    ratios = []
    for number in range(-1, ROUNDS):  # the first round only warms up
        seconds: dict[bool, float] = {}
        for is_traced in (number % 2 == 0, number % 2 != 0):
            began = time.perf_counter()
            await work(sides[is_traced])
            seconds[is_traced] = time.perf_counter() - began
        if number >= 0:
            ratios.append(seconds[False] / seconds[True])
    return ratios


async def _ingest(bench: Bench, documents: list[Document]) -> None:
    shelf = await Shelf.create(bench)
    await shelf.add([document.fresh() for document in documents])


async def _ask(bench: Bench, shelf: Shelf, questions: list[str]) -> None:
    for question in questions:
        await ask(bench, shelf, question, "extractive")
