"""One chaos run: upload, replace and delete documents while processes are killed; then wait, then audit."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import httpx

from tests.chaos.library import File, another_version, files
from tests.conftest import Platform

#: Every kind of process; killing a worker kills any one of them.
PARTS = ("temporal", "milvus", "triton", "worker-interactive", "worker-cpu", "worker-bulk", "api")

Call = Callable[[], Awaitable[httpx.Response]]


@dataclass
class Upload:
    """The outcome of one accepted upload."""

    file: File
    document_id: str
    version: int
    deleted: bool = False


@dataclass
class Run:
    """A run against a platform; ``say`` reports its progress."""

    platform: Platform
    documents: int
    kills: int
    seed: int
    say: Callable[[str], None]
    accepted: list[Upload] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)

    async def go(self, settle_seconds: float) -> None:
        """Run until nothing is pending any more."""
        random = Random(self.seed)
        headers = {"Authorization": f"Bearer {self.platform.key}"}
        async with httpx.AsyncClient(
            base_url=f"{self.platform.url}/api/v1", headers=headers, timeout=20, trust_env=False
        ) as api:
            self.api = api
            await self._patiently(lambda: api.post("/knowledge-bases", json={"name": "chaos"}), (201, 409))
            async with asyncio.TaskGroup() as going:
                going.create_task(self._feed(Random(self.seed + 1)))
                going.create_task(self._kill(random))
            await self._settled(settle_seconds)

    async def _feed(self, random: Random) -> None:
        """Single uploads, batches, new versions and deletions, mixed."""
        library = files(self.documents, random)
        while library:
            size = 1 if random.random() < 0.5 else min(len(library), random.randint(2, 12))
            group, library = library[:size], library[size:]
            await self._upload(group)
            if random.random() < 0.15:
                await self._upload([another_version(random.choice(self.accepted).file, random)])
            if random.random() < 0.1:
                await self._delete(random.choice(self.accepted))
            await asyncio.sleep(random.random() * 0.5)

    async def _upload(self, group: list[File]) -> None:
        form = [("files", (file.name, file.content, "application/octet-stream")) for file in group]
        answer = await self._patiently(lambda: self.api.post("/knowledge-bases/chaos/documents", files=form), (202,))
        for file, document in zip(group, answer.json()["documents"], strict=True):
            self.accepted.append(Upload(file, document["id"], document["version"]))

    async def _delete(self, which: Upload) -> None:
        await self._patiently(lambda: self.api.delete(f"/documents/{which.document_id}"), (202, 404))
        for upload in self.accepted:
            upload.deleted = upload.deleted or upload.document_id == which.document_id

    async def _kill(self, random: Random) -> None:
        """Kill one process at a time while there is work."""
        for number in range(self.kills):
            await asyncio.sleep(random.uniform(1.0, 4.0))
            part = PARTS[number % len(PARTS)] if number < len(PARTS) else random.choice(PARTS)
            try:
                os.kill(self.platform.pid_of(part), signal.SIGKILL)
            except (ProcessLookupError, KeyError, ValueError):
                continue  # it has died already and is restarting
            self.killed.append(part)
            self.say(f"killed {part} ({len(self.accepted)} documents accepted)")

    async def _patiently(
        self, call: Callable[[], Awaitable[httpx.Response]], wanted: tuple[int, ...]
    ) -> httpx.Response:
        """Repeat a request that got no response, 429 or 503, as clients do."""
        deadline = time.monotonic() + 120
        while True:
            try:
                response = await call()
                if response.status_code in wanted:
                    return response
                assert response.status_code in (429, 500, 503), response.text
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "the API did not come back within two minutes"
            await asyncio.sleep(0.3)

    async def _settled(self, seconds: float) -> None:
        """Wait until every document has finished."""
        deadline = time.monotonic() + seconds
        while True:
            pending = 0
            for state in ("queued", "running", "waiting", "paused"):
                page = await self._patiently(
                    lambda state=state: self.api.get(  # type: ignore[misc]
                        "/knowledge-bases/chaos/documents", params={"state": state, "limit": 1000}
                    ),
                    (200,),
                )
                pending += len(page.json()["items"])
            if not pending:
                return
            assert time.monotonic() < deadline, f"{pending} documents are not at their end after {seconds:.0f} s"
            await asyncio.sleep(1)
