"""What DESIGN §9 promises, measured: ``python -m tests.bench``.

Starts a platform of its own on free ports, with data that is thrown away; ``--url`` and ``--key`` measure one
that runs already (its settings, `HOLDFAST_*`, then have to stand in the environment, because the other side of
each ratio talks to the same servers). Figures are ratios within one run: on a busy machine read the spread.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import ask, embed, ingest
from tests.bench.instance import ROOT, Bench, Instance, opened, own, running
from tests.bench.measures import Measure, machine, say, table
from tests.bench.texts import Library

Options = argparse.Namespace
Function = Callable[[Bench, Library, Options], Awaitable[list[Measure]]]
CHARACTERS = 400_000


async def _long(bench: Bench, library: Library, options: Options) -> list[Measure]:
    characters = options.characters or (None if options.file else CHARACTERS)
    return await ingest.long_document(bench, library, characters, options.rounds)


async def _small(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await ingest.small_documents(bench, library, options.documents, options.rounds)


async def _ask(bench: Bench, library: Library, options: Options) -> list[Measure]:
    return await ask.questions(bench, library, options.questions)


async def _embed(bench: Bench, library: Library, options: Options) -> list[Measure]:
    triton = bench.settings.triton
    venv = ROOT / Path(triton.venv).expanduser()
    with contextlib.redirect_stdout(sys.stderr):
        ratio = await embed.compare(Options(triton=triton.address, data=[], rounds=3, venv=venv))
    return [Measure(name="embedding: Triton ÷ torch", values=[ratio], target=f"≥ {embed.TARGET}", note="median of 3")]


BENCHES: dict[str, Function] = {"ingest-long": _long, "ingest-small": _small, "ask": _ask, "embed": _embed}


async def measure(instance: Instance, options: Options) -> list[Measure]:
    """The chosen benches in turn."""
    library = Library(options.data, options.file)
    measures: list[Measure] = []
    async with opened(instance) as bench:
        for name, function in BENCHES.items():
            if not options.only or any(name.startswith(only) for only in options.only):
                say(f"— {name} ({machine()})")
                measures += await function(bench, library, options)
    return measures


def arguments() -> Options:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").splitlines()[0])
    names = ", ".join(BENCHES)
    parser.add_argument("--only", action="append", metavar="NAME", help=f"{names}; a beginning will do; repeatable")
    parser.add_argument("--json", action="store_true", help="print a list of measures")
    parser.add_argument("--data", type=Path, metavar="DIR", help="take texts from the .txt and .md files in there")
    parser.add_argument("--file", type=Path, help="take texts from this file; the whole of it is the long document")
    parser.add_argument("--characters", type=int, help=f"length of the long document ({CHARACTERS:,} without --file)")
    parser.add_argument("--documents", type=int, default=100, help="small documents (%(default)s)")
    parser.add_argument("--questions", type=int, default=20, help="rounds of questions (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of ingestion (%(default)s)")
    parser.add_argument("--url", help="measure the platform that runs there")
    parser.add_argument("--key", default="", help="its API key")
    options = parser.parse_args()
    if not all(any(name.startswith(only) for name in BENCHES) for only in options.only or []):
        parser.error(f"--only: choose from {names}")
    return options


def main() -> int:
    """Measure, and print one table. Says nothing by its exit code: figures are to be read."""
    options = arguments()
    with contextlib.nullcontext(running(options.url, options.key)) if options.url else own() as instance:
        measures = asyncio.run(measure(instance, options))
    if options.json:
        print(json.dumps([each.document() for each in measures], ensure_ascii=False, indent=2))
    else:
        print(table(measures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
