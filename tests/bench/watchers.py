"""The cost of 1,000 watchers of one running batch to others: the same calls idle, beside the batch, beside both.

Watchers and calls have their own processes, so that neither waits for the other's client. The batch should outlast
all rounds (the notes report when it does not); its unfinished part is canceled afterwards.
"""

from __future__ import annotations

import io
import uuid
from typing import Any

from activities.contracts.addresses import PREFIX
from tests.bench.generator import Generator, generator
from tests.bench.instance import Bench
from tests.bench.measures import Measure, quantile, say
from tests.bench.readd import small
from tests.bench.shelf import Document, Shelf
from tests.bench.texts import Library

FILES = 300
"""Files of the batch: one request."""

PAUSE_SECONDS = 0.02
SEARCHED = 20
PHASES = ("idle", "batch", "batch and watchers")


async def beside(bench: Bench, library: Library, count: int, seconds: float) -> list[Measure]:
    """The three phases, and the events that the watchers received."""
    documents = [document.fresh() for document in small(library, FILES)]
    searched, shelf = await Shelf.create(bench), await Shelf.create(bench)
    await searched.add(documents[:SEARCHED])
    [job] = (await shelf.add([Document.of("one.txt", f"The first of the batch, {uuid.uuid4().hex}.")]))[1]
    calls = _calls(job["id"], searched, documents[0])
    async with generator(bench.target) as prober, generator(bench.target) as crowd:
        found = {PHASES[0]: await _probe(prober, PHASES[0], calls, seconds)}
        answer = await _batch(bench, shelf, documents)
        found[PHASES[1]] = await _probe(prober, PHASES[1], calls, seconds)
        url = f"{PREFIX}/batches/{answer['batch_id']}/events" if answer["batch_id"] else _last_events(answer)
        watch = await crowd.do("watch", path=url, count=count, timeout=60)
        found[PHASES[2]] = await _probe(prober, PHASES[2], calls, seconds)
        left = await shelf.busy()
        seen = await crowd.do("unwatch")
    await shelf.stop()
    await searched.drop()
    say(f"  watching {url}: answered {watch['statuses']} within {watch['seconds']:.1f} s; {seen}; {left} files left")
    kind = "a batch" if answer["batch_id"] else "one document (the API gave no batch_id)"
    still = f"{left} ingestions still under way at the end" if left else "THE BATCH ENDED BEFORE THE ROUNDS DID"
    return [
        *(_measure(call["name"], share, found, count) for call in calls for share in (0.5, 0.95)),
        Measure(
            name=f"{count} watchers of {kind}: answered with 200",
            values=[watch["statuses"].get("200", 0)],
            target=f"≥ {count}",
            note=f"all within {watch['seconds']:.1f} s; {still}",
        ),
        Measure(
            name="events that the watcher with the fewest saw",
            values=[seen["fewest"]],
            note=f"{seen['events']:,} in all, {seen['open']} still connected at the end",
        ),
    ]


def _calls(document_id: str, searched: Shelf, document: Document) -> list[dict[str, Any]]:
    words = document.content.decode().split()[-20:-10]
    return [
        {"name": "GET /knowledge-bases", "method": "GET", "path": f"{PREFIX}/knowledge-bases"},
        {"name": "GET /documents/{id}", "method": "GET", "path": f"{PREFIX}/documents/{document_id}"},
        {
            "name": "POST …/search",
            "method": "POST",
            "path": f"{PREFIX}/knowledge-bases/{searched.name}/search",
            "body": {"query": " ".join(words)[:200]},
        },
    ]


async def _batch(bench: Bench, shelf: Shelf, documents: list[Document]) -> dict[str, Any]:
    """All files in one request, which is one batch."""
    files = [(document.name, io.BytesIO(document.content)) for document in documents]
    answer: dict[str, Any] = await bench.api.upload(shelf.name, files, uuid.uuid4().hex)
    return answer


def _last_events(answer: dict[str, Any]) -> str:
    return str(answer["documents"][-1]["events_url"])


async def _probe(prober: Generator, phase: str, calls: list[dict[str, Any]], seconds: float) -> dict[str, list[float]]:
    answer = await prober.do("probe", seconds=seconds, pause=PAUSE_SECONDS, calls=calls)
    if set(answer["statuses"]) != {"200"}:
        raise RuntimeError(f"{phase}: answers by status {answer['statuses']}")
    found: dict[str, list[float]] = answer["ms"]
    for name, values in found.items():
        say(f"  {phase}: {name} p50 {quantile(values, 0.5):.1f} ms, p95 {quantile(values, 0.95):.1f} ms")
    return found


def _measure(call: str, share: float, found: dict[str, dict[str, list[float]]], count: int) -> Measure:
    """The last phase, with the others beside it."""
    idle, batch, both = (quantile(found[phase][call], share) for phase in PHASES)
    calls = "/".join(str(len(found[phase][call])) for phase in PHASES)
    return Measure(
        name=f"{call} beside a batch and {count} watchers, p{share * 100:.0f}",
        values=[both],
        unit="ms",
        note=f"idle {idle:.1f}, beside the batch alone {batch:.1f}; ÷ alone {both / batch:.2f}; {calls} calls",
    )
