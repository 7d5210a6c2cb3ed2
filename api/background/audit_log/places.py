"""Places outside of the catalogue that get each signed checkpoint, with the leaves since the one before."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol

import httpx
import msgspec

from activities.audit_log.export import Signed, encoded
from activities.errors import BlobsUnavailable, first_line
from activities.settings import Settings, listed
from activities.stores.blob_keys import CHECKPOINTS, checkpoint_key
from activities.stores.blobs import Blobs

#: Seconds that an address may take to take a checkpoint.
POST_SECONDS = 10

#: The newest checkpoint of the blob store is found by this key, and by a listing of those beyond the log's size.
NEWEST = "audit/newest"

#: Bytes at the end of a file in which its last checkpoint is looked for; a line has at most those of all leaves.
TAIL = 1 << 26


class Place(Protocol):
    """Takes checkpoints; ``name`` is shown to operators."""

    name: str

    async def newest(self, size: int) -> Signed | None:
        """The newest checkpoint there; ``size`` is that of the log. None if there is none, or it cannot be asked."""

    async def since(self, size: int) -> list[Signed]:
        """The checkpoints there of more events than ``size``. Raises DependencyError."""

    async def send(self, size: int, record: Signed) -> None:
        """Adds a checkpoint. Raises DependencyError."""


class FilePlace:
    """A file to which checkpoints are appended."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path

    async def newest(self, size: int) -> Signed | None:
        """Its last whole line."""
        return await asyncio.to_thread(self._last)

    def _last(self) -> Signed | None:
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                lines = file.read().splitlines()
        except FileNotFoundError:
            return None
        for line in reversed(lines):
            try:
                return msgspec.json.decode(line, type=Signed)
            except msgspec.DecodeError:
                continue  # its end was lost with the machine's power
        return None

    async def since(self, size: int) -> list[Signed]:
        """Its lines, from the first on."""
        return await asyncio.to_thread(self._since, size)

    def _since(self, size: int) -> list[Signed]:
        found = []
        try:
            with self._path.open("rb") as file:
                for line in file:
                    try:
                        record = msgspec.json.decode(line, type=Signed)
                    except msgspec.DecodeError:
                        continue
                    if _size(record) > size:
                        found.append(record)
        except FileNotFoundError:
            pass
        return found

    async def send(self, size: int, record: Signed) -> None:
        """Append a line, and wait until it is on the disk."""
        try:
            await asyncio.to_thread(self._append, encoded([record]))
        except OSError as exc:
            raise BlobsUnavailable(detail=f"{self.name}: {first_line(exc)}") from exc

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(descriptor)


class BlobPlace:
    """The blob store. A checkpoint is created and never overwritten; a bucket may lock it besides."""

    name = "blobs"

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def newest(self, size: int) -> Signed | None:
        """By its own word, or beyond the size of the log by a listing."""
        beyond = [entry.key async for page in self._blobs.entries(CHECKPOINTS, checkpoint_key(size)) for entry in page]
        try:
            key = max(beyond) if beyond else (await self._blobs.get(NEWEST)).decode()
            return await self._blobs.load_json(key, Signed)
        except KeyError:
            return None

    async def since(self, size: int) -> list[Signed]:
        """By their names."""
        keys = [entry.key async for page in self._blobs.entries(CHECKPOINTS, checkpoint_key(size)) for entry in page]
        return [await self._blobs.load_json(key, Signed) for key in keys]

    async def send(self, size: int, record: Signed) -> None:
        """Create it under its size."""
        await self._blobs.create(checkpoint_key(size), encoded([record]))
        await self._blobs.put(NEWEST, checkpoint_key(size).encode())


class PostPlace:
    """An address that takes checkpoints, and is not asked for them."""

    def __init__(self, url: str) -> None:
        self.name = url.partition("?")[0]
        self._url = url

    async def newest(self, size: int) -> Signed | None:
        """None: it only takes."""
        return None

    async def since(self, size: int) -> list[Signed]:
        """Empty: it only takes."""
        return []

    async def send(self, size: int, record: Signed) -> None:
        """POST it as a line of JSON."""
        try:
            async with httpx.AsyncClient(timeout=POST_SECONDS) as client:
                answer = await client.post(
                    self._url, content=encoded([record]), headers={"Content-Type": "application/jsonl"}
                )
                answer.raise_for_status()
        except httpx.HTTPError as exc:
            raise BlobsUnavailable(detail=f"{self.name}: {first_line(exc)}") from exc


def _size(record: Signed) -> int:
    """The size that its note names, which may not be signed; 0 if it names none."""
    size = record.note.split("\n", 2)[1:2]
    return int(size[0]) if size and size[0].isdecimal() and len(size[0]) < 19 else 0


def places_of(settings: Settings, blobs: Blobs) -> list[Place]:
    """The places of these settings."""
    others = listed(settings.audit.send_to)
    files = [settings.checkpoints_file, *(Path(each) for each in others if each.startswith("/"))]
    posts = [PostPlace(each) for each in others if not each.startswith("/")]
    return [*(FilePlace(path) for path in files), BlobPlace(blobs), *posts]
