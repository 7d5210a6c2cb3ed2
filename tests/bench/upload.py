"""How long an upload waits for its 202: many clients at once, each with its own file.

In an idle round nothing else is in flight when the clients start; their times include the first steps of their own
uploads. In a busy round the files of the rounds before are being ingested. The load generator is its own process;
the same clients requesting `/health/live` at once show its share. The uploads are canceled and deleted again:
embedding them would take minutes.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from activities.contracts.addresses import PREFIX
from tests.bench.generator import Generator, generator
from tests.bench.instance import Bench
from tests.bench.measures import Measure, quantile, say
from tests.bench.shelf import Document, Shelf

BYTES = 100_000
SETTLE_SECONDS = 2.0
QUANTILES = (0.5, 0.95, 0.99)


async def accepted(bench: Bench, clients: int, rounds: int) -> list[Measure]:
    """DESIGN §9, row 3."""
    live: list[list[float]] = []
    idle: list[list[float]] = []
    async with generator(bench.target) as load:
        await _warm(bench, load, clients)
        for number in range(rounds):
            await asyncio.sleep(SETTLE_SECONDS)
            live.append((await load.do("burst", clients=clients, path="/health/live"))["ms"])
            shelf = await Shelf.create(bench)
            idle.append(await _burst(load, shelf, clients))
            say(f"  idle round {number + 1}: {_line(idle[-1])}; /health/live {_line(live[-1])}")
            await shelf.stop()
        busy, under_way = await _busy(bench, load, clients, rounds)
    files = f"{BYTES:,} bytes each, {rounds} rounds"
    return [
        *_measures(f"{clients} uploads at once, platform idle before", idle, files, "≤ 100 ms"),
        *_measures(f"{clients} uploads at once, while others are ingested", busy, f"{under_way} under way"),
        *_measures(f"{clients} times /health/live at once, same client", live, "the client's and HTTP's share"),
    ]


async def _warm(bench: Bench, load: Generator, clients: int) -> None:
    """Ingest one document completely and run one uncounted round, so that nothing is imported during the others."""
    shelf = await Shelf.create(bench)
    await shelf.add([Document.of("warm-up.txt", f"A document to warm up with, {uuid.uuid4().hex}.")])
    await _burst(load, shelf, clients)
    await shelf.stop()


async def _busy(bench: Bench, load: Generator, clients: int, rounds: int) -> tuple[list[list[float]], str]:
    """Rounds one after the other, the first one uncounted; and how many ingestions ran before each."""
    shelf = await Shelf.create(bench)
    await _burst(load, shelf, clients)
    found: list[list[float]] = []
    under_way: list[str] = []
    for number in range(rounds):
        await asyncio.sleep(SETTLE_SECONDS)
        under_way.append(str(await shelf.busy()))
        found.append(await _burst(load, shelf, clients))
        say(f"  busy round {number + 1}, {under_way[-1]} ingestions under way: {_line(found[-1])}")
    await shelf.stop()
    return found, ", ".join(under_way)


async def _burst(load: Generator, shelf: Shelf, clients: int) -> list[float]:
    path = f"{PREFIX}/knowledge-bases/{shelf.name}/documents"
    answer: dict[str, Any] = await load.do("uploads", clients=clients, path=path, bytes=BYTES, seed=uuid.uuid4().int)
    if set(answer["statuses"]) != {"202"}:
        raise RuntimeError(f"not all uploads were accepted, answers by status: {answer['statuses']}")
    return list(answer["ms"])


def _line(values: list[float]) -> str:
    return " / ".join(f"{quantile(values, share):.0f}" for share in QUANTILES) + " ms"


def _measures(name: str, rounds: list[list[float]], note: str, target: str = "") -> list[Measure]:
    """Quantiles of all rounds together; the last, p99, is compared with the target."""
    values = [each for found in rounds for each in found]
    each_round = f"by round {', '.join(f'{quantile(found, 0.99):.0f}' for found in rounds)}"
    return [
        Measure(
            name=f"{name}, p{share * 100:.0f}",
            values=[quantile(values, share)],
            unit="ms",
            target=target if share == QUANTILES[-1] else "",
            note=f"{each_round}; {note}" if share == QUANTILES[-1] else "",
        )
        for share in QUANTILES
    ]
