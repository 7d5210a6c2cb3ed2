"""A rolling restart of a whole installation in the middle of its work, with its catalogue and files on servers.

``python -m tests.chaos.rolling`` runs two APIs and two workers of each kind on PostgreSQL and S3. While documents are
uploaded, questions asked and the knowledge base re-indexed, each process gets SIGTERM in turn, and the next one once it
is ready again. Nothing may fail, and nothing may be embedded twice but the batches that were in flight.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx

from activities.stores.blobs import Blobs
from tests.chaos.clients import Apis, Say
from tests.chaos.invariants import chunks_made, embedded, runs_left
from tests.chaos.numbered import PARAGRAPHS, Numbered, word
from tests.chaos.sites import DEPENDENCIES, Part, Site, spread
from tests.chaos.stores_agree import disagreements

KNOWLEDGE_BASE = "rolling"

CHUNKING, OTHER = {"max_tokens": 32, "overlap_tokens": 0}, {"max_tokens": 64, "overlap_tokens": 0}

#: Documents that the re-index finds, of all.
FIRST = 0.3

#: Longest time until a restarted part works, and until everything is done, in seconds.
RETURN_SECONDS, SETTLE_SECONDS = 240, 900

#: Restarts that may interrupt embedding: of both workers, of Triton, and of Temporal.
EMBEDDING = 4

#: Ends of jobs.
ENDS = ("ready", "failed", "canceled")


class Rolling:
    """The work and the restarts of one run; ``broken`` names what should not have happened."""

    def __init__(self, site: Site, apis: Apis, say: Say, seed: int) -> None:
        self._site, self._apis, self._say = site, apis, say
        self._people = Numbered(apis, KNOWLEDGE_BASE, Random(seed))
        self._rolled = asyncio.Event()
        self.figures: dict[str, Any] = {}
        self.broken: list[str] = []

    async def go(self, documents: int, questions: int) -> None:
        """Everything at once; returns when all work is done."""
        body = {"name": KNOWLEDGE_BASE, "chunking": CHUNKING}
        await self._apis.patiently(lambda api: api.post("/knowledge-bases", json=body), (201,))
        first = int(documents * FIRST)
        await self._people.add(first)
        await self._people.settled()
        begun = time.monotonic()
        async with asyncio.timeout(SETTLE_SECONDS + len(self._order) * RETURN_SECONDS), asyncio.TaskGroup() as going:
            going.create_task(self._roll())
            going.create_task(self._reindex())
            going.create_task(self._upload(documents - first))
            going.create_task(self._ask(questions, first))
        await self._people.settled()
        self.figures["seconds"] = round(time.monotonic() - begun)
        await self._audit(documents)

    @property
    def _order(self) -> list[Part]:
        """Each API, each worker, each server, one after the other."""
        parts = self._site.parts
        return [part for part in parts if part.name not in DEPENDENCIES] + [
            Part(0, name) for name in ("triton", "temporal", "milvus")
        ]

    async def _roll(self) -> None:
        seconds: dict[str, float] = {}
        for part in self._order:
            begun = time.monotonic()
            pid = self._site.platforms[part.platform].pid_of(part.name)
            self._site.kill(part, signal.SIGTERM)
            while not await self._works(part, pid):
                if time.monotonic() - begun > RETURN_SECONDS:
                    raise RuntimeError(f"{part} does not work again")
                await asyncio.sleep(0.2)
            seconds[str(part)] = round(time.monotonic() - begun, 1)
            self._say(f"{part} restarted within {seconds[str(part)]} s")
        self.figures["restarted within"] = seconds
        self._rolled.set()

    async def _works(self, part: Part, stopped: int) -> bool:
        """Whether another process has taken the place of the one that was stopped, and all APIs say that it works."""
        platform = self._site.platforms[part.platform]
        try:
            if platform.pid_of(part.name) == stopped:
                return False
        except (ProcessLookupError, KeyError, ValueError):
            return False
        if part.name.startswith("worker"):
            return (platform.settings.data_dir / "run" / f"{part.name}.ready").exists()
        for each in self._site.platforms:
            try:
                async with httpx.AsyncClient(base_url=each.url, timeout=10, trust_env=False) as client:
                    if (await client.get("/health/ready")).status_code != 200:
                        return False
            except httpx.TransportError:
                return False
        return True

    async def _upload(self, count: int) -> None:
        """One by one while the restarts go on; the rest at once."""
        for number in range(count):
            if self._rolled.is_set():
                await self._people.add(count - number)
                return
            await self._people.add(1)
            await asyncio.sleep(1.5)

    async def _ask(self, count: int, documents: int) -> None:
        """Ask for what the first documents say; every question is answered."""
        found = 0
        for number in range(count):
            body = {"question": f"What does {word(number % documents, 1)} say?"}
            path = f"/knowledge-bases/{KNOWLEDGE_BASE}/questions"
            asked = await self._apis.patiently(partial(httpx.AsyncClient.post, url=path, json=body), (202,))
            question = await self._ended(f"/questions/{asked.json()['id']}")
            if question["state"] != "ready":
                self.broken.append(f"question {number}: {question['state']}, {question.get('reason')}")
            found += bool(question.get("citations"))
            if not self._rolled.is_set():
                await asyncio.sleep(4)
        self.figures["questions"] = {"answered": count, "with citations": found}

    async def _reindex(self) -> None:
        """To other chunks, slowly while the restarts go on, up to the switch: both indexes are there at the end."""
        body = {"chunking": OTHER, "soak_seconds": 7200, "throttle": 0.2}
        path = f"/knowledge-bases/{KNOWLEDGE_BASE}/reindex"
        job = (await self._apis.patiently(lambda api: api.post(path, json=body), (202,))).json()
        await self._rolled.wait()
        one = f"/reindexes/{job['id']}"
        faster = {"throttle": 1, "parallelism": 4}
        await self._apis.patiently(lambda api: api.post(f"{one}/control", json=faster), (202, 409))
        ended = await self._ended(one, stage="soak")
        self.figures["re-index"] = {"stage": ended["stage"], "verified": ended["verified"]}
        if ended["stage"] != "soak":
            self.broken.append(f"re-index: {ended['state']}, {ended['reason']}")

    async def _ended(self, path: str, stage: str = "") -> dict[str, Any]:
        """A job at its end, or at a stage."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            job: dict[str, Any] = (await self._apis.patiently(lambda api: api.get(path), (200,))).json()
            if job["state"] in ENDS or (stage and job["stage"] == stage):
                return job
            if time.monotonic() > deadline:
                raise RuntimeError(f"{path} is {job['state']} after {SETTLE_SECONDS} s")
            await asyncio.sleep(0.5)

    async def _audit(self, documents: int) -> None:
        settings = self._site.platforms[0].settings
        self.broken += await runs_left(self._site, "reindex/")
        rows, broken = await disagreements(settings, KNOWLEDGE_BASE, self._people.versions)
        self.broken += broken
        needed, made = await chunks_made(Blobs(settings.blobs_url)), await asyncio.to_thread(embedded, self._site)
        # A document is embedded as a whole: it has fewer chunks than are saved together.
        in_flight = EMBEDDING * settings.worker.gpu_slots * PARAGRAPHS
        if made - needed > in_flight:
            self.broken.append(f"{made - needed} chunks were embedded again, at most {in_flight} were in flight")
        if len(self._people.versions) != documents:
            self.broken.append(f"{len(self._people.versions)} documents of {documents}")
        self.figures |= {
            "documents": len(self._people.versions), "rows": rows, "chunks needed": needed, "embedded": made,
            "requests repeated": dict(self._apis.repeated),
        }  # fmt: skip


async def roll(site: Site, documents: int, questions: int, seed: int, say: Say) -> Rolling:
    """One run against a site."""
    async with Apis(site.platforms, Random(seed)) as apis:
        rolling = Rolling(site, apis, say, seed)
        await rolling.go(documents, questions)
        return rolling


def main() -> None:
    """Exit status 1 when something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.rolling", description=__doc__)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the server of S3 prints each request

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="holdfast-rolling-") as folder, spread(Path(folder)) as site:
        say("two APIs and two workers of each kind on PostgreSQL and S3 are ready")
        found = asyncio.run(roll(site, options.documents, options.questions, options.seed, say))
    print(json.dumps(found.figures, indent=2))
    for each in found.broken:
        say(each)
    say("nothing failed" if not found.broken else f"{len(found.broken)} things failed")
    sys.exit(bool(found.broken))


if __name__ == "__main__":
    main()
