"""Unchanged files added again: nothing is parsed, nothing is embedded, and it is fast."""

from __future__ import annotations

import re

import httpx

from tests.bench.instance import Bench
from tests.bench.measures import Measure
from tests.bench.shelf import Document, Shelf
from tests.bench.texts import Library

_EMBEDDED = re.compile(r'^nv_inference_count\{[^}]*model="embed"[^}]*\}\s+(\S+)', re.MULTILINE)


def small(library: Library, count: int) -> list[Document]:
    """This many small text files."""
    return [Document.of(f"small-{number:04}.txt", text) for number, text in enumerate(library.small(count))]


async def unchanged(bench: Bench, library: Library, count: int) -> list[Measure]:
    """The same requests as `holdfast add` makes: files by 50, then waiting until all can be queried."""
    shelf, documents = await Shelf.create(bench), small(library, count)
    first, _ = await shelf.add(documents)
    measures = await again(bench, shelf, documents, first.seconds)
    await shelf.drop()
    return measures


async def again(bench: Bench, shelf: Shelf, documents: list[Document], first_seconds: float) -> list[Measure]:
    """Add unchanged files, which took ``first_seconds`` the first time."""
    count = len(documents)
    runs, texts = await shelf.runs(), await embedded(bench)
    second, jobs = await shelf.add(documents)
    new_runs, new_texts = await shelf.runs() - runs, await embedded(bench) - texts
    same = all(job["version"] == 1 and job["state"] == "ready" for job in jobs)
    return [
        Measure(
            name=f"{count} files again: ingestions started (each would parse)",
            values=[new_runs],
            target="0",
            note="answered as ready, with the same versions" if same else "NOT all answered as ready with version 1",
        ),
        Measure(name="again: texts that Triton embedded", values=[new_texts], target="0", note="by its own counter"),
        Measure(
            name="time, first ÷ again",
            values=[first_seconds / second.seconds],
            target="≥ 20",
            note=f"{first_seconds:.1f} s and {second.seconds:.2f} s",
        ),
        Measure(name="files added again", values=[count / second.seconds], unit="files/s"),
    ]


async def embedded(bench: Bench) -> float:
    """Texts that Triton has embedded since it started."""
    host = bench.settings.triton.address.rpartition(":")[0]
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{host}:{bench.settings.triton.metrics_port}/metrics")
    return sum(map(float, _EMBEDDED.findall(answer.raise_for_status().text)))
