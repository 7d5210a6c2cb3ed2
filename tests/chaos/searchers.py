"""People who search for documents that must be there, and know which process was down when they got no answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from random import Random
from typing import Any

import httpx

from tests.chaos.clients import Say
from tests.chaos.numbered import SENTENCE, STABLE, Numbered, word
from tests.chaos.sites import Part, Site
from tests.conftest import Platform

SECONDS_BETWEEN = 0.3

#: The longest wait for a killed process to work again.
RETURN_SECONDS = 180

#: Seconds after which a part that is reported as ready is one to all: probes of others are as old.
GRACE = 2.0

MODES = ("hybrid", "keyword", "dense")


class Outages:
    """When which part was down: from its kill until the installation is ready again."""

    def __init__(self, site: Site, say: Say) -> None:
        self._site, self._say = site, say
        self._times: list[tuple[float, float | None]] = []
        self.downs: dict[str, float] = {}

    async def kill(self, part: Part) -> None:
        """Kill a part, and wait until everything is ready. Raises RuntimeError when that takes too long."""
        platform = self._site.platforms[part.platform]
        pid = platform.pid_of(part.name)
        begun = time.monotonic()
        self._times.append((begun, None))
        self._site.kill(part)
        self._say(f"killed {part.name}")
        async with httpx.AsyncClient(base_url=platform.url, timeout=5, trust_env=False) as client:
            while not await self._works(client, platform, part, pid):
                if time.monotonic() - begun > RETURN_SECONDS:
                    raise RuntimeError(f"{part.name} does not work again")
                await asyncio.sleep(0.2)
        await asyncio.sleep(GRACE)
        self._times[-1] = (begun, time.monotonic())
        self.downs[part.name] = round(time.monotonic() - begun - GRACE, 1)
        self._say(f"{part.name} works again after {self.downs[part.name]} s")

    async def _works(self, client: httpx.AsyncClient, platform: Platform, part: Part, killed: int) -> bool:
        try:
            if platform.pid_of(part.name) == killed:
                return False
            return (await client.get("/health/ready")).status_code == 200
        except (ProcessLookupError, KeyError, ValueError, httpx.TransportError):
            return False

    def explain(self, begun: float, ended: float) -> bool:
        """Whether something was down at a time between these."""
        return any(begun <= (end or ended) and start <= ended for start, end in self._times)


class Searchers:
    """Searches for words of documents; ``problems`` names what failed, was empty, mixed, or of another version."""

    def __init__(self, platform: Platform, knowledge_base: str, people: Numbered, outages: Outages, say: Say) -> None:
        self._platform, self._people, self._outages, self._say = platform, people, outages, say
        self._path = f"/knowledge-bases/{knowledge_base}/search"
        self._random = Random(1)
        self._counts: Counter[str] = Counter()
        self.problems: list[str] = []

    @property
    def counts(self) -> dict[str, int]:
        """Searches by how they ended."""
        return dict(self._counts)

    async def search(self) -> None:
        """Search until canceled: documents that nobody changes, and deleted ones."""
        while True:
            if self._people.deleted and self._random.random() < 0.2:
                await self.look_for_deleted(self._random.choice(sorted(self._people.deleted)))
            else:
                await self.look(self._random.choice([number for number in self._people.versions if number < STABLE]))
            await asyncio.sleep(self._random.uniform(0, 2 * SECONDS_BETWEEN))

    async def look(self, number: int, mode: str = "") -> None:
        """A live document is found by its word, alone; the other modes find texts that are like it."""
        wanted = word(number, self._people.versions[number])
        mode = mode or self._random.choice(MODES)
        hits = await self._hits(wanted, mode)
        if hits is None:
            return
        if not hits:
            self._problem(f"{wanted} {mode}: empty")
        elif mode == "keyword" and {hit["document_id"] for hit in hits if wanted in hit["text"]} != {
            self._people.ids[number]
        }:
            self._problem(f"{wanted} {mode}: not found among {len(hits)} hits")

    async def look_for_deleted(self, number: int) -> None:
        """A deleted document is not found any more."""
        hits = await self._hits(word(number, self._people.deleted[number]), self._random.choice(MODES))
        if any(hit["document_id"] == self._people.ids[number] for hit in hits or ()):
            self._problem(f"document {number} was deleted, and is found")

    async def _hits(self, query: str, mode: str) -> list[dict[str, Any]] | None:
        """The hits of a search; None if it failed."""
        begun = time.monotonic()
        headers = {"Authorization": f"Bearer {self._platform.key}"}
        answer = ""
        try:
            async with httpx.AsyncClient(base_url=self._platform.url, timeout=30, trust_env=False) as client:
                body = {"query": query, "mode": mode}
                response = await client.post(f"/api/v1{self._path}", json=body, headers=headers)
            if response.status_code == 200:
                hits: list[dict[str, Any]] = response.json()["hits"]
                self._counts["answered"] += 1
                self._look_for_mixture(query, hits)
                return hits
            answer = f"{response.status_code} {response.text[:200]}"
            excusable = response.status_code == 503
        except httpx.TransportError as exc:
            answer, excusable = repr(exc), True
        if excusable and self._outages.explain(begun, time.monotonic()):
            self._counts["while a part was down"] += 1
        else:
            self._problem(f"{query} {mode}: {answer}")
        return None

    def _look_for_mixture(self, query: str, hits: list[dict[str, Any]]) -> None:
        """A sentence is in one chunk of an index, and a document in one version."""
        sentences = Counter(sentence for hit in hits for sentence in SENTENCE.findall(hit["text"]))
        versions = {(hit["document_id"], hit["version"]) for hit in hits}
        if max(sentences.values(), default=0) > 1 or len(versions) > len({id for id, _ in versions}):
            self._problem(f"{query}: mixed, {sentences.most_common(1)}, {len(versions)} versions")

    def _problem(self, text: str) -> None:
        self._counts["problems"] += 1
        self.problems.append(text)
        self._say(f"problem: {text}")
