"""Ingestion: the platform against the same functions in a plain loop, and documents added again.

The loop runs before and after each turn of the platform (loop, platform, loop, platform, loop), and the platform is
compared with the loops on both sides: a machine that becomes slower or faster meanwhile does so for both. Both
sides get fresh content in every turn (a new first line), so that nothing is reused from an earlier one. The
platform's time is the user's: from sending the upload until the API counts the documents as ready.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.bench import readd
from tests.bench.instance import Bench
from tests.bench.loop import Loop
from tests.bench.measures import Measure, Spent, say
from tests.bench.shelf import Document, Run, Shelf, history
from tests.bench.texts import Library

LOOP_STEP = 9
"""In each turn the loop does every 9th small document: one after the other, their speed is the same. An odd step,
because made-up documents take turns in language."""

LOOP_LEAST = 20

Turn = Callable[[], Awaitable[Run]]


async def alternated(rounds: int, ours: Turn, theirs: Turn) -> list[tuple[Run, Run]]:
    """Platform and loop, ``rounds`` times; each loop counts for the platform's runs before and after it."""
    pairs: list[tuple[Run, Run]] = []
    before = await theirs()
    for number in range(rounds):
        mine = await ours()
        after = await theirs()
        floor = both(before, after)
        before = after
        pairs.append((mine, floor))
        say(f"  round {number + 1}: platform {mine.seconds:.1f} s, {mine.speed:,.0f} characters/s; "
            f"loop {floor.seconds:.1f} s, {floor.speed:,.0f}; ratio {mine.speed / floor.speed:.3f}")  # fmt: skip
        say(f"    seconds, platform: {mine.spent}")
        say(f"    seconds, loop: {floor.spent}")
    return pairs


def both(first: Run, second: Run) -> Run:
    """Two runs added up."""
    spent = Spent(dict(first.spent.seconds))
    for step, seconds in second.spent.seconds.items():
        spent.add(step, seconds)
    seconds, characters = first.seconds + second.seconds, first.characters + second.characters
    return Run(seconds, characters, first.chunks + second.chunks, spent)


async def warm(shelf: Shelf, loop: Loop) -> None:
    """Let both sides import their readers and create their collections before anything is timed."""
    first = Document.of("warm-up.txt", "A document to warm up with.")
    await shelf.add([first.fresh()])
    await loop.add([first.fresh()])


async def long_document(bench: Bench, library: Library, characters: int | None, rounds: int) -> list[Measure]:
    """DESIGN §9, row 1: one long document, and the size of its run's history."""
    shelf, loop = await Shelf.create(bench), Loop(bench)
    document = Document.of("long.txt", library.long(characters))
    say(f"long document: {document.characters:,} characters")
    jobs: list[dict[str, Any]] = []
    await warm(shelf, loop)

    async def platform() -> Run:
        run, [job] = await shelf.add([document.fresh()])
        run.spent = (await history(bench, job))[2]
        jobs.append(job)
        return run

    pairs = await alternated(rounds, platform, lambda: loop.add([document.fresh()]))
    events, size, _ = await history(bench, jobs[-1])
    rows, chunks = await shelf.rows(jobs[-1]), pairs[-1][0].chunks
    await loop.drop()
    await shelf.drop()
    return [
        Measure(
            name="long document: platform ÷ loop",
            values=_ratios(pairs),
            target="≥ 0.9",
            note=f"{document.characters:,} characters, {chunks} chunks",
        ),
        Measure(name="long document: platform", values=[ours.speed for ours, _ in pairs], unit="characters/s"),
        Measure(name="long document: loop", values=[floor.speed for _, floor in pairs], unit="characters/s"),
        Measure(
            name="long document: the ratio, if embedding took both as long",
            values=[1 / (1 + (_outside(ours) - _outside(floor)) * floor.speed) for ours, floor in pairs],
            note="without the noise of a shared machine, most of which hits the longest step",
        ),
        Measure(name="long document: events in history", values=[events], target="≤ 200"),
        Measure(name="long document: bytes of history", values=[size], target="≤ 204,800"),
        Measure(name="long document: rows in Milvus − chunks", values=[rows - chunks], target="0"),
    ]


def _ratios(pairs: list[tuple[Run, Run]]) -> list[float]:
    return [ours.speed / floor.speed for ours, floor in pairs]


def _outside(run: Run) -> float:
    """Seconds outside of embedding, per character."""
    return (run.seconds - run.spent.seconds["embed"]) / run.characters


async def small_documents(bench: Bench, library: Library, count: int, rounds: int) -> list[Measure]:
    """DESIGN §9, row 2: many small documents, and then the same files again."""
    shelf, loop = await Shelf.create(bench), Loop(bench)
    documents = readd.small(library, count)
    some = documents[:: min(LOOP_STEP, count // LOOP_LEAST | 1)]
    say(f"{count} small documents: {sum(document.characters for document in documents):,} characters")
    await warm(shelf, loop)

    added: list[Document] = []

    async def platform() -> Run:
        added[:] = [document.fresh() for document in documents]
        return (await shelf.add(added))[0]

    pairs = await alternated(rounds, platform, lambda: loop.add([document.fresh() for document in some]))
    again = await readd.again(bench, shelf, added, pairs[-1][0].seconds)
    await loop.drop()
    await shelf.drop()
    return [
        Measure(
            name=f"{count} small documents: platform ÷ loop",
            values=_ratios(pairs),
            target="≥ 0.7",
            note=f"of about {len(documents[0].content):,} bytes; each loop does {len(some)}",
        ),
        Measure(
            name="small documents: platform",
            values=[count / ours.seconds for ours, _ in pairs],
            unit="documents/s",
        ),
        *again,
    ]
