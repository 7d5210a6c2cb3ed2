"""``make chaos``: a long run with any number of kills, documents and repetitions."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from tests.chaos.invariants import audit
from tests.chaos.run import Run
from tests.chaos.sites import pair, single


def main() -> None:
    """Exit status 1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--freezes", type=int, default=0, help="servers that stand still for 5–60 s, one at a time")
    parser.add_argument("--pair", action="store_true", help="two APIs and two sets of workers on PostgreSQL")
    parser.add_argument("--times", type=int, default=1, help="runs, each with a fresh platform and the next seed")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--settle", type=float, default=900, help="seconds until everything must be at its end")
    arguments = parser.parse_args()
    broken = False
    for seed in range(arguments.seed, arguments.seed + arguments.times):
        with tempfile.TemporaryDirectory(prefix="holdfast-chaos-") as folder:
            broken = not one(Path(folder), arguments, seed) or broken
    sys.exit(broken)


def one(folder: Path, arguments: argparse.Namespace, seed: int) -> bool:
    """Do one run; returns whether all invariants hold."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    say(f"seed {seed}: {arguments.documents} documents, {arguments.kills} kills, {arguments.freezes} freezes")
    with pair(folder) if arguments.pair else single(folder) as site:
        run = Run(site, arguments.documents, arguments.kills, arguments.freezes, seed, say)
        asyncio.run(run.go(arguments.settle))
        say(f"at rest; killed: {', '.join(run.killed)}; frozen: {', '.join(run.frozen) or 'nothing'}")
        findings = asyncio.run(audit(run))
    print(msgspec.json.format(msgspec.json.encode(findings)).decode())
    say("all invariants hold" if not findings.broken else f"{len(findings.broken)} invariants are broken")
    return not findings.broken


if __name__ == "__main__":
    main()
