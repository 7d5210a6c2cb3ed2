"""One chaos run: people work while processes are killed and servers freeze; then wait, then audit."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from random import Random

from tests.chaos.clients import KNOWLEDGE_BASE, Apis, People, Say
from tests.chaos.sites import Site
from tests.chaos.stranded import Stranded

FREEZE_SECONDS = (5, 8, 12, 20, 40, 60)
"""How long a server stands still, one of these: long ones outlast the clients' own retries."""

KILL_PAUSE = (1.0, 4.0)
"""Seconds between kills."""


@dataclass
class Run:
    """A run against a site; ``say`` reports its progress."""

    site: Site
    documents: int
    kills: int
    freezes: int
    seed: int
    say: Say
    killed: list[str] = field(default_factory=list)
    frozen: list[str] = field(default_factory=list)

    async def go(self, settle_seconds: float) -> None:
        """Run until nothing is pending any more; the results are in ``people`` and ``stranded``."""
        async with Apis(self.site.platforms, Random(self.seed)) as apis, Stranded(self.site) as self.stranded:
            self.apis, self.people = apis, People(apis, self.say)
            await apis.patiently(lambda api: api.post("/knowledge-bases", json={"name": KNOWLEDGE_BASE}), (201, 409))
            async with asyncio.TaskGroup() as looking:
                look = looking.create_task(self.stranded.look())
                async with asyncio.TaskGroup() as going:
                    going.create_task(self._work())
                    going.create_task(self._kill(Random(self.seed + 2)))
                    going.create_task(self._freeze(Random(self.seed + 3)))
                self.say(f"{len(self.people.accepted)} uploads accepted, controls: {self.people.controls}")
                await self._settled(settle_seconds)
                look.cancel()

    async def _work(self) -> None:
        """Spread over the time that the kills and freezes take."""
        seconds = max(self.kills * sum(KILL_PAUSE) / 2, self.freezes * (FREEZE_SECONDS[3] + 5))
        await self.people.work(self.documents, seconds, Random(self.seed + 1))

    async def _kill(self, random: Random) -> None:
        """Kill one process at a time while there is work; each kind once before any a second time."""
        parts = self.site.parts
        for number in range(self.kills):
            await asyncio.sleep(random.uniform(*KILL_PAUSE))
            part = parts[number] if number < len(parts) else random.choice(parts)
            try:
                self.site.kill(part)
            except (ProcessLookupError, KeyError, ValueError):
                continue  # it has died already and is restarting
            self.killed.append(str(part))
            self.say(f"killed {part} ({len(self.people.accepted)} documents accepted)")

    async def _freeze(self, random: Random) -> None:
        """Freeze one server at a time."""
        servers = self.site.freezable
        while len(self.frozen) < self.freezes:
            await asyncio.sleep(random.uniform(2.0, 8.0))
            server, seconds = servers[len(self.frozen) % len(servers)], random.choice(FREEZE_SECONDS)
            try:
                with self.site.frozen(server):
                    self.say(f"{server} stands still for {seconds} s")
                    await asyncio.sleep(seconds)
            except ProcessLookupError:
                continue  # it was killed and is restarting
            self.frozen.append(f"{server} {seconds} s")

    async def _settled(self, seconds: float) -> None:
        """Wait until every document has finished."""
        deadline = time.monotonic() + seconds
        while True:
            pending: list[str] = []
            for state in ("queued", "running", "waiting", "paused"):
                page = await self.apis.patiently(
                    lambda api, state=state: api.get(  # type: ignore[misc]
                        f"/knowledge-bases/{KNOWLEDGE_BASE}/documents", params={"state": state, "limit": 1000}
                    ),
                    (200,),
                )
                pending += [f"{each['name']} ({state}, {each['stage']})" for each in page.json()["items"]]
            if not pending:
                return
            left = f"{len(pending)} documents are not at their end after {seconds:.0f} s: {', '.join(pending[:10])}"
            assert time.monotonic() < deadline, left
            await asyncio.sleep(1)
