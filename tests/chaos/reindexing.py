"""A large re-index while people search, upload, replace and delete, and every kind of process is killed once.

``python -m tests.chaos.reindexing`` makes a knowledge base of so many chunks, re-indexes it to other chunking, and goes
back after more uploads and deletions; with ``--model`` it is then re-indexed to another embedding model. Sentences have
numbers: an answer that shows one of them twice mixes two indexes. What no server answered, or was refused with 503,
counts unless a process was down at that time.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.clients import Apis, Say
from tests.chaos.numbered import PARAGRAPHS, STABLE, Numbered
from tests.chaos.searchers import Outages, Searchers
from tests.chaos.sites import LOGS, Part, Site
from tests.chaos.stores_agree import disagreements
from tests.conftest import ROOT, running_platform

KNOWLEDGE_BASE = "reindexed"

CHUNKING, OTHER = {"max_tokens": 32, "overlap_tokens": 0}, {"max_tokens": 64, "overlap_tokens": 0}
MODEL = "tiny-96"

FILES_AT_ONCE = 50

#: Seconds between two changes by people, and between two looks at the re-index.
CHANGE, LOOK = 1.5, 0.5

KILLED = ("worker-bulk", "worker-cpu", "worker-interactive", "triton", "milvus", "api", "temporal")

#: Uploads, and deletions, between a switch and the way back, which may take so many seconds.
UPLOADED, DELETED, BACK_SECONDS = 200, 100, 5.0


class Reindexing:
    """One knowledge base, its people, and what was seen of it."""

    def __init__(self, site: Site, apis: Apis, say: Say, seed: int) -> None:
        self._site, self._apis, self._say, self._random = site, apis, say, Random(seed)
        self._people = Numbered(apis, KNOWLEDGE_BASE, self._random)
        self.figures: dict[str, Any] = {}
        self.broken: list[str] = []

    async def fill(self, documents: int) -> None:
        """Make the knowledge base with so many documents."""
        body = {"name": KNOWLEDGE_BASE, "chunking": CHUNKING}
        await self._apis.patiently(lambda api: api.post("/knowledge-bases", json=body), (201,))
        begun = time.monotonic()
        while (left := documents - len(self._people.versions)) > 0:
            await self._people.add(min(left, FILES_AT_ONCE))
        await self._people.settled()
        rows, broken = await disagreements(self._site.platforms[0].settings, KNOWLEDGE_BASE, self._people.versions)
        self.broken += broken
        self.figures["filled"] = {"documents": documents, "chunks": rows, "seconds": round(time.monotonic() - begun)}
        self._say(f"filled: {self.figures['filled']}")

    async def reindex(self, name: str, *, kills: bool, settings: dict[str, Any]) -> str:
        """Re-index up to the switch, under way of people and kills; the re-index's id."""
        outages = Outages(self._site, self._say)
        searchers = Searchers(self._site.platforms[0], KNOWLEDGE_BASE, self._people, outages, self._say)
        changed_before = Counter(self._people.done)
        begun = time.monotonic()
        job = await self._apis.patiently(
            lambda api: api.post(f"/knowledge-bases/{KNOWLEDGE_BASE}/reindex", json=settings | {"soak_seconds": 7200}),
            (202,),
        )
        id = str(job.json()["id"])
        async with asyncio.TaskGroup() as going:
            tasks = [going.create_task(searchers.search()) for _ in range(2)]
            tasks.append(going.create_task(self._change()))
            killing = going.create_task(self._kill(id, outages)) if kills else None
            info = await self._until(id, "soak")
            seconds = time.monotonic() - begun
            if killing is not None:
                await killing
            await asyncio.sleep(5)  # searches of the new index
            for task in tasks:
                task.cancel()
        await self._people.settled()
        self.broken += [f"{name}: {each}" for each in searchers.problems]
        rows = await self._agree(name)
        changes = Counter(self._people.done) - changed_before
        self.figures[name] = {
            "seconds": round(seconds), "state": info["state"], "stage": info["stage"], "rows": rows,
            "verified": info["verified"], "searches": searchers.counts, "changes": dict(changes),
            "killed": outages.downs, "failed, empty or mixed": len(searchers.problems),
        }  # fmt: skip
        self._say(f"{name}: {self.figures[name]}")
        return id

    async def roll_back(self, id: str) -> None:
        """Upload and delete after the switch, and go back: nothing is lost, nothing comes back."""
        before = set(self._people.versions)
        for _ in range(UPLOADED // FILES_AT_ONCE):
            await self._people.add(FILES_AT_ONCE)
        added = sorted(set(self._people.versions) - before)
        changeable = sorted(number for number in before if number >= STABLE)
        gone = self._random.sample(changeable, min(DELETED, len(changeable)))
        for number in gone:
            await self._people.delete(number)
        await self._people.settled()
        begun = time.monotonic()
        await self._apis.patiently(lambda api: api.post(f"/reindexes/{id}/rollback"), (202,))
        seconds = time.monotonic() - begun
        outages = Outages(self._site, self._say)
        searchers = Searchers(self._site.platforms[0], KNOWLEDGE_BASE, self._people, outages, self._say)
        for number in added:
            await searchers.look(number, "keyword")
        lost = len(searchers.problems)
        for number in gone:
            await searchers.look_for_deleted(number)
        revived = len(searchers.problems) - lost
        self.broken += [f"after the way back: {each}" for each in searchers.problems]
        if seconds > BACK_SECONDS:
            self.broken.append(f"the way back took {seconds:.1f} s")
        rows = await self._agree("after the way back")
        await self._until(id, None)
        self.figures["way back"] = {
            "seconds": round(seconds, 2), "uploaded": len(added), "deleted": len(gone), "lost": lost,
            "revived": revived, "rows": rows,
        }  # fmt: skip
        self._say(f"way back: {self.figures['way back']}")

    async def finish(self, id: str) -> None:
        """Retire the index from before, and count again."""
        await self._apis.patiently(lambda api: api.post(f"/reindexes/{id}/finish"), (202,))
        info = await self._until(id, None)
        self._say(f"at its end: {info['state']}; {await self._agree('at the end')} rows")

    async def _agree(self, when: str) -> dict[str, int]:
        rows, broken = await disagreements(self._site.platforms[0].settings, KNOWLEDGE_BASE, self._people.versions)
        self.broken += [f"{when}: {each}" for each in broken]
        return rows

    async def _until(self, id: str, stage: str | None) -> dict[str, Any]:
        """The re-index at a stage, by default at its end. Raises RuntimeError if it fails."""
        said = ""
        while True:
            response = await self._apis.patiently(lambda api: api.get(f"/reindexes/{id}"), (200,))
            info: dict[str, Any] = response.json()
            line = f"{info['stage']} {info['state']}"
            if line != said:
                self._say(f"re-index: {line}, {info['done']} of {info['total']}")
                said = line
            if info["state"] == "failed":
                raise RuntimeError(f"the re-index failed: {info['reason']}")
            if info["state"] in ("ready", "canceled") or (stage is not None and info["stage"] == stage):
                return info
            await asyncio.sleep(LOOK)

    async def _change(self) -> None:
        while True:
            await self._people.change()
            await asyncio.sleep(self._random.uniform(0, 2 * CHANGE))

    async def _kill(self, id: str, outages: Outages) -> None:
        """Kill each part once, spread over the build; the next one when the one before works again."""
        for number, name in enumerate(KILLED, 1):
            while True:
                response = await self._apis.patiently(lambda api: api.get(f"/reindexes/{id}"), (200,))
                info = response.json()
                if info["stage"] == "soak":
                    self.broken.append(f"{name} was not killed: the re-index was too fast")
                    return
                total = info["total"] or 0
                if total and info["stage"] != "plan" and info["done"] >= total * number / (len(KILLED) + 1):
                    break
                await asyncio.sleep(LOOK)
            await outages.kill(Part(0, name))


async def run(site: Site, documents: int, seed: int, say: Say, *, model: str, kills: bool) -> Reindexing:
    """The whole run against a fresh site."""
    async with Apis(site.platforms, Random(seed)) as apis:
        reindexing = Reindexing(site, apis, say, seed)
        await reindexing.fill(documents)
        first = await reindexing.reindex("other chunking", kills=kills, settings={"chunking": OTHER})
        await reindexing.roll_back(first)
        if model:
            second = await reindexing.reindex("other model", kills=kills, settings={"embedding_model": model})
            await reindexing.finish(second)
        return reindexing


def main() -> None:
    """Exit status 1 when something failed, was empty, mixed, lost or revived."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.reindexing", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--model", action="store_true", help="also to another embedding model with another dimension")
    parser.add_argument("--no-kills", dest="kills", action="store_false", help="nothing is killed")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    options = parser.parse_args()
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {text}", flush=True)

    say(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="holdfast-chaos-") as folder:
        models, data = Path(folder) / "models", Path(folder) / "data"
        data.mkdir()
        builder = ROOT / "tests" / "triton" / "tiny_embedder.py"
        subprocess.run([str(ROOT / ".venv-triton" / "bin" / "python"), str(builder), str(models)], check=True)
        with running_platform(data, HOLDFAST_EMBED_MODELS=str(models / MODEL), **LOGS) as platform:
            model = MODEL if options.model else ""
            documents = -(-options.chunks // PARAGRAPHS)
            found = asyncio.run(run(Site((platform,)), documents, options.seed, say, model=model, kills=options.kills))
    for each in found.broken:
        say(each)
    say("everything holds" if not found.broken else f"{len(found.broken)} things do not hold")
    sys.exit(bool(found.broken))


if __name__ == "__main__":
    main()
