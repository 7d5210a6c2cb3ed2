"""People of a chaos run: they upload, replace, delete and control documents and batches, and keep what was promised."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Self

import httpx

from tests.chaos.library import File, another_version, files
from tests.conftest import Platform

KNOWLEDGE_BASE = "chaos"

PATIENCE_SECONDS = 300
"""A request that is not answered for so long counts as lost; no server is frozen or down longer."""

GROUP_SIZE = 4
"""Documents of an upload on average: half are single ones, half batches of 2 to 12."""

LATEST = 6
"""Controls are asked for these latest uploads, of which many are still on their way."""

PAUSE_SECONDS = 90
"""A job that was paused must be seen so within this time, or at its end."""

Call = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
Say = Callable[[str], None]


class Apis:
    """The APIs of an installation, asked at random, as behind a load balancer.

    ``repeated`` counts requests that got no response, or were refused for now, by what was seen.
    """

    def __init__(self, platforms: Sequence[Platform], random: Random) -> None:
        self._platforms, self._random = platforms, random
        self._clients: list[httpx.AsyncClient] = []
        self.repeated: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        self._open = AsyncExitStack()
        for platform in self._platforms:
            client = httpx.AsyncClient(
                base_url=f"{platform.url}/api/v1",
                headers={"Authorization": f"Bearer {platform.key}"},
                timeout=20,
                trust_env=False,
            )
            self._clients.append(await self._open.enter_async_context(client))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def patiently(self, call: Call, wanted: tuple[int, ...]) -> httpx.Response:
        """Repeat a request that got no response, 429 or 503, as clients do."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                response = await call(self._random.choice(self._clients))
                if response.status_code in wanted:
                    return response
                assert response.status_code in (429, 503), f"{response.request.url}: {response.text}"
                self.repeated[f"{response.status_code} {response.json().get('code')}"] += 1
            except httpx.TransportError as exc:
                self.repeated[type(exc).__name__] += 1
            assert time.monotonic() < deadline, f"no API answered within {PATIENCE_SECONDS} s"
            await asyncio.sleep(0.3)


@dataclass
class Upload:
    """One accepted upload, and what was promised of it since.

    ``canceled`` says that a cancel was accepted while it was pending; ``batch_canceled`` that its batch's was.
    """

    file: File
    document_id: str
    version: int
    batch_id: str | None = None
    deleted: bool = False
    canceled: bool = False
    batch_canceled: bool = False


@dataclass
class People:
    """Everything that is asked of the platform during a run; ``broken`` lists promises seen broken on the way."""

    apis: Apis
    say: Say
    accepted: list[Upload] = field(default_factory=list)
    controls: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    async def work(self, documents: int, seconds: float, random: Random) -> None:
        """Upload so many documents in about so many seconds, with new versions, deletions and controls among them."""
        library = files(documents, random)
        pause = seconds * GROUP_SIZE / documents
        async with asyncio.TaskGroup() as pauses:
            while library:
                size = 1 if random.random() < 0.5 else min(len(library), random.randint(2, 12))
                group, library = library[:size], library[size:]
                await self._upload(group)
                if random.random() < 0.15:
                    await self._upload([another_version(random.choice(self.accepted).file, random)])
                if random.random() < 0.1:
                    await self._delete(random.choice(self.accepted[-20:]))
                for _ in range(random.randrange(3)):
                    await self._control(random, pauses)
                await asyncio.sleep(random.uniform(0, 2 * pause))

    async def _control(self, random: Random, pauses: asyncio.TaskGroup) -> None:
        recent = random.choice(self.accepted[-LATEST:])
        in_batches = [upload for upload in self.accepted[-2 * LATEST :] if upload.batch_id]
        match random.choice(("pause", "pause", "cancel", "retry", "batch pause", "batch cancel", "batch retry")):
            case "pause":
                pauses.create_task(self._pause(f"/documents/{recent.document_id}", random.uniform(0.5, 6)))
            case "cancel":
                await self._cancel(recent)
            case "retry":
                canceled = [upload for upload in self.accepted if upload.canceled and not upload.deleted]
                if canceled:
                    await self._retry(random.choice(canceled))
            case "batch pause" if in_batches:
                batch = random.choice(in_batches).batch_id
                pauses.create_task(self._pause(f"/batches/{batch}", random.uniform(0.5, 6)))
            case "batch cancel" if in_batches and random.random() < 0.5:
                await self._cancel_batch(str(random.choice(in_batches).batch_id))
            case "batch retry" if in_batches:
                await self._retry_batch(str(random.choice(in_batches).batch_id))

    async def _upload(self, group: list[File]) -> None:
        form = [("files", (file.name, file.content, "application/octet-stream")) for file in group]
        answer = await self.apis.patiently(
            lambda api: api.post(f"/knowledge-bases/{KNOWLEDGE_BASE}/documents", files=form), (202,)
        )
        for file, document in zip(group, answer.json()["documents"], strict=True):
            self.accepted.append(Upload(file, document["id"], document["version"], document["batch_id"]))

    async def _delete(self, which: Upload) -> None:
        await self._post(f"/documents/{which.document_id}", (202, 404), method="DELETE")
        for upload in self._of(which.document_id):
            upload.deleted = True

    async def _cancel(self, which: Upload) -> None:
        response = await self._post(f"/documents/{which.document_id}/cancel", (202, 404, 409))
        if response.status_code == 202 and response.json()["state"] == "canceled":
            self._latest(which.document_id).canceled = True
            self._count("cancel")

    async def _retry(self, which: Upload) -> None:
        response = await self._post(f"/documents/{which.document_id}/retry", (202, 404, 409))
        if response.status_code == 202:
            latest = self._latest(which.document_id)
            latest.canceled = latest.batch_canceled = False
            self._count("retry")

    async def _cancel_batch(self, batch: str) -> None:
        response = await self._post(f"/batches/{batch}/cancel", (202, 404, 409))
        if response.status_code == 202:
            for upload in self._in_batch(batch):
                upload.batch_canceled = True
            self._count("batch cancel")

    async def _retry_batch(self, batch: str) -> None:
        response = await self._post(f"/batches/{batch}/retry-failed", (202, 404, 409))
        if response.status_code == 202:
            for upload in self._in_batch(batch):
                upload.canceled = upload.batch_canceled = False
            self._count("batch retry")

    async def _pause(self, path: str, seconds: float) -> None:
        """Pause, see that it is paused (or at its end), wait, resume."""
        response = await self._post(f"{path}/pause", (202, 404, 409))
        if response.status_code != 202:
            return
        self._count("pause")
        deadline = time.monotonic() + PAUSE_SECONDS
        while (state := await self._state(path)) in ("queued", "running", "waiting"):
            if time.monotonic() > deadline:
                self.broken.append(f"{path}: paused, and {state} {PAUSE_SECONDS} s later")
                break
            await asyncio.sleep(0.5)
        await asyncio.sleep(seconds)
        await self._post(f"{path}/resume", (202, 404, 409))

    async def _state(self, path: str) -> str:
        response = await self.apis.patiently(lambda api: api.get(path), (200, 404))
        return str(response.json()["state"]) if response.status_code == 200 else "deleted"

    async def _post(self, path: str, wanted: tuple[int, ...], method: str = "POST") -> httpx.Response:
        return await self.apis.patiently(lambda api: api.request(method, path), wanted)

    def _of(self, document_id: str) -> list[Upload]:
        return [upload for upload in self.accepted if upload.document_id == document_id]

    def _latest(self, document_id: str) -> Upload:
        return max(self._of(document_id), key=lambda upload: upload.version)

    def _in_batch(self, batch: str) -> list[Upload]:
        return [upload for upload in self.accepted if upload.batch_id == batch]

    def _count(self, control: str) -> None:
        self.controls[control] = self.controls.get(control, 0) + 1
