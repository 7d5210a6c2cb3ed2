"""Measures the targets of DESIGN §9: ``python -m tests.bench``.

Starts a platform of its own on free ports, with temporary data; ``--url`` and ``--key`` measure a running one (its
settings, `HOLDFAST_*`, then have to be in the environment, because the other side of each ratio uses the same
servers). Figures are ratios within one run: on a busy machine read the spread.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from activities.settings import LogSettings
from activities.telemetry import logs
from tests.bench import (
    answers,
    ask,
    audit,
    beside,
    catalog,
    codec,
    edit,
    embed,
    field,
    gpu,
    ingest,
    memory,
    readd,
    reindex,
    scheduler,
    search,
    tracing,
    upload,
    watchers,
)
from tests.bench.instance import ROOT, Bench, Instance, opened, own, running
from tests.bench.measures import Measure, machine, say, table
from tests.bench.peers import compare
from tests.bench.texts import LONG, Library

Options = argparse.Namespace
Function = Callable[[Bench, Library, Options], Awaitable[list[Measure]]]

TRITON_PYTHON = ROOT / os.environ.get("HOLDFAST_TRITON_VENV", ".venv-triton") / "bin" / "python"

QUICK = {
    "characters": 40_000, "rounds": 1, "bursts": 1, "documents": 60, "pages": 60, "clients": 10,
    "megabytes": 50, "watchers": 100, "seconds": 4.0, "questions": 4, "beside": 6, "asked": 12, "written": 4,
}  # fmt: skip
"""Sizes that test the benches rather than the platform's speed."""


async def _long(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await ingest.long_document(bench, library, options.characters, options.rounds)


async def _small(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await ingest.small_documents(bench, library, options.documents, 1)


async def _upload(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await upload.accepted(bench, options.clients, options.bursts)


async def _edit(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await edit.paragraphs(bench, library, options.pages)


async def _readd(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await readd.unchanged(bench, library, options.documents)


async def _idle(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await memory.idle(bench)


async def _memory(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await memory.large_upload(bench, options.megabytes)


async def _watchers(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await watchers.beside(bench, library, options.watchers, options.seconds)


async def _ask(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await ask.questions(bench, library, options.questions)


async def _search(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await search.searches(bench, library, [1_000] if options.quick else [1_000, 10_000, 100_000])


async def _beside(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await beside.bulk(bench, library, options.beside)


async def _reindex(bench: Bench, library: Library, options: Options) -> list[Measure]:
    if options.chunks:
        return await reindex.costs(bench, library, options.chunks)
    return await reindex.other_chunks(bench, library, options.documents)


async def _answers(bench: Bench, library: Library, options: Options) -> list[Measure]:
    if options.answers is None:
        raise SystemExit("answers: --answers DIR says where the questions are")
    return await answers.believed(bench, options.answers, options.asked, options.written)


async def _field(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await field.check(bench, options.field)


async def _audit(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await audit.overhead(bench, library, options.questions, min(options.documents, 60))


async def _tracing(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await tracing.overhead(bench, library, min(options.documents, 100), options.questions)


async def _catalog(options: Options) -> list[Measure]:
    return await catalog.queries(*((3_000, 1_000) if options.quick else (300_000, 100_000)))


async def _codec(options: Options) -> list[Measure]:
    return await codec.payloads(200 if options.quick else 2_000)


async def _gpu(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await gpu.busy(bench, 2_000 if options.quick else 40_000, 3, TRITON_PYTHON)


async def _scheduler(options: Options) -> list[Measure]:
    return await scheduler.shares(*((60, 2) if options.quick else (240, 6)), TRITON_PYTHON)


async def _embed(bench: Bench, library: Library, options: Options) -> list[Measure]:
    triton = bench.settings.triton
    with contextlib.redirect_stdout(sys.stderr):
        ratio = await embed.compare(Options(triton=triton.address, data=[], rounds=3, venv=embed.TORCH_VENV))
    return [Measure(name="embedding: Triton ÷ torch", values=[ratio], target=f"≥ {embed.TARGET}", note="median of 3")]


async def _peers(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await compare.peers(bench, library, options.characters, options.rounds)


BENCHES: dict[str, Function] = {
    "idle": _idle,  # first: of a fresh start
    "ingest-long": _long,
    "ingest-small": _small,
    "upload": _upload,
    "edit": _edit,
    "memory": _memory,
    "watchers": _watchers,
    "ask": _ask,
    "search": _search,
    "beside": _beside,
    "embed": _embed,
}
ON_DEMAND: dict[str, Function] = {
    "readd": _readd,
    "reindex": _reindex,
    "audit": _audit,
    "tracing": _tracing,
    "peers": _peers,
    "answers": _answers,
    "field": _field,
    "gpu": _gpu,
}
"""Run only when named: `ingest-small` ends with the first, the others make an environment, or need data or a GPU."""

APART: dict[str, Callable[[Options], Awaitable[list[Measure]]]] = {
    "catalog": _catalog,
    "codec": _codec,
    "scheduler": _scheduler,
}
"""Run only when named, and before any platform starts."""

ALL = BENCHES | ON_DEMAND


async def measure(instance: Instance, options: Options) -> list[Measure]:
    """Run the chosen benches in turn."""
    library = Library(options.data, options.file)
    measures: list[Measure] = []
    async with opened(instance) as bench:
        for name, function in _chosen(options.only).items():
            say(f"— {name} ({machine()})")
            measures += [replace(each, bench=name) for each in await function(bench, library, options)]
    return measures


async def measure_apart(options: Options) -> list[Measure]:
    """Run the chosen benches that need no platform."""
    measures: list[Measure] = []
    for name, function in APART.items():
        if any(map(name.startswith, options.only or ())):
            say(f"— {name} ({machine()})")
            measures += [replace(each, bench=name) for each in await function(options)]
    return measures


def _chosen(only: list[str] | None) -> dict[str, Function]:
    return {name: each for name, each in ALL.items() if any(map(name.startswith, only))} if only else BENCHES


def arguments() -> Options:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").splitlines()[0])
    names = ", ".join([*ALL, *APART])
    add = parser.add_argument
    add(
        "--only",
        action="append",
        metavar="NAME",
        help=f"{names}; a beginning will do; repeatable (without: all up to {list(BENCHES)[-1]})",
    )
    add("--quick", action="store_true", help="small sizes, to see whether everything works")
    add("--json", action="store_true", help="print a list of measures")
    add("--data", type=Path, metavar="DIR", help="take texts from the .txt and .md files in there")
    add("--file", type=Path, help="take texts from this .txt, .md or .docx file; it is the long document, and edited")
    add("--characters", type=int, help=f"length of the long document (the file's; {LONG:,} without one)")
    add("--rounds", type=int, default=2, help="rounds of ingest-long and peers (%(default)s)")
    add("--bursts", type=int, default=5, help="rounds of uploads, idle and busy (%(default)s)")
    add("--documents", type=int, default=1000, help="small documents, added, and added again (%(default)s)")
    add(
        "--chunks",
        type=int,
        action="append",
        help="reindex: only what so many chunks cost, alone; repeatable (1000, 10000, 50000)",
    )
    add("--pages", type=int, default=870, help="length of the edited document, without --file (%(default)s)")
    add("--clients", type=int, default=50, help="clients that upload at once (%(default)s)")
    add("--megabytes", type=int, default=500, help="size of the large upload (%(default)s)")
    add("--watchers", type=int, default=1000, help="watchers of one batch (%(default)s)")
    add("--seconds", type=float, default=10, help="time of each round beside watchers (%(default)s)")
    add("--questions", type=int, default=20, help="rounds of questions (%(default)s)")
    add("--beside", type=int, default=100, help="questions beside a bulk ingest (%(default)s)")
    add("--answers", type=Path, metavar="DIR", help="SQuAD-style questions, a file for each language (en.json)")
    add("--field", type=Path, metavar="DIR", help="everyday documents and questions (without: those of the tests)")
    add("--asked", type=int, default=200, help="questions of each kind and language (%(default)s)")
    add("--written", type=int, default=100, help="of which the language model is asked so many (%(default)s)")
    add("--url", help="measure the platform that runs there")
    add("--key", default="", help="its API key")
    options = parser.parse_args()
    if options.only and not all(any(name.startswith(only) for name in [*ALL, *APART]) for only in options.only):
        parser.error(f"--only: choose from {names}")
    if options.quick:
        given = {name for name in QUICK if getattr(options, name) != parser.get_default(name)}
        vars(options).update({name: value for name, value in QUICK.items() if name not in given})
    return options


def main() -> int:
    """Measure, and print one table. The exit code has no meaning: figures are to be read."""
    options = arguments()
    logs.configure(LogSettings(level="warning"), "bench")  # the loop runs the workers' functions in this process
    measures = asyncio.run(measure_apart(options))
    if _chosen(options.only):
        with contextlib.nullcontext(running(options.url, options.key)) if options.url else own() as instance:
            measures += asyncio.run(measure(instance, options))
    if options.json:
        print(json.dumps([each.document() for each in measures], ensure_ascii=False, indent=2))
    else:
        print(table(measures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
