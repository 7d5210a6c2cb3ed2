"""The blob store: immutable objects named by what they were made from. A local folder or S3, by URL.

``activities.stores.blob_keys`` has the keys.

Errors of obstore become ``BlobsUnavailable`` (waited for) or ``KeyError`` (no such blob).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple, TypeVar
from urllib.parse import unquote, urlparse

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, from_url

from activities.errors import BlobsUnavailable, first_line

T = TypeVar("T")


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """The error table: what obstore raises → what we raise, most specific first."""
    try:
        yield
    except (NotFoundError, FileNotFoundError) as exc:
        raise KeyError(key) from exc
    except (BaseError, OSError) as exc:
        raise BlobsUnavailable(detail=first_line(exc)) from exc


class Entry(NamedTuple):
    """A blob in a listing."""

    key: str
    modified_at: datetime


class Blobs:
    """A narrow, typed client of the blob store."""

    def __init__(self, url: str) -> None:
        parsed = urlparse(url)
        if parsed.scheme == "file":
            self._store: obstore.store.ObjectStore = LocalStore(prefix=unquote(parsed.path), mkdir=True)
        else:
            self._store = from_url(url)

    async def ping(self) -> None:
        """Raise BlobsUnavailable unless the store answers."""
        with _translated("ping"):
            async for _ in obstore.list(self._store, prefix="ping"):
                break

    async def exists(self, key: str) -> bool:
        """Whether there is such a blob."""
        try:
            with _translated(key):
                await obstore.head_async(self._store, key)
        except KeyError:
            return False
        return True

    async def size(self, key: str) -> int:
        """The blob's length in bytes. Raises KeyError when there is none."""
        with _translated(key):
            return int((await obstore.head_async(self._store, key))["size"])

    async def get(self, key: str) -> bytes:
        """The whole blob. Raises KeyError when there is none."""
        with _translated(key):
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def put(self, key: str, data: bytes | IO[bytes]) -> None:
        """Store a blob; a file is sent in pieces, so that memory stays flat. Storing again changes nothing."""
        with _translated(key):
            # A few pieces under way instead of obstore's twelve: an upload of any size costs about 20 MB.
            await obstore.put_async(self._store, key, data, chunk_size=5 << 20, max_concurrency=3)

    async def create(self, key: str, data: bytes) -> bool:
        """Store a blob unless there is one; whether there was none."""
        try:
            with _translated(key):
                await obstore.put_async(self._store, key, data, mode="create", use_multipart=False)
        except BlobsUnavailable as exc:
            if isinstance(exc.__cause__, AlreadyExistsError):
                return False
            raise
        return True

    async def load(self, key: str, kind: type[T]) -> T:
        """A msgpack blob as ``kind``."""
        return msgspec.msgpack.decode(await self.get(key), type=kind)

    async def save(self, key: str, value: object) -> None:
        """Store ``value`` as msgpack."""
        await self.put(key, msgspec.msgpack.encode(value))

    async def download(self, key: str, path: Path) -> None:
        """Write a blob to a local file, in pieces. Raises KeyError when there is none."""
        with _translated(key), path.open("wb") as file:
            async for piece in self.stream(key):
                file.write(piece)

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to ``end`` (exclusive), in pieces of about 1 MiB."""
        with _translated(key):
            stop = await self.size(key) if end is None else end
            for offset in range(start, stop, 1 << 20):
                piece = await obstore.get_range_async(self._store, key, start=offset, end=min(offset + (1 << 20), stop))
                yield bytes(piece)

    async def list(self, prefix: str) -> list[str]:
        """Keys under a prefix (a whole path segment)."""
        with _translated(prefix):
            return [meta["path"] async for batch in obstore.list(self._store, prefix=prefix) for meta in batch]

    async def entries(self, prefix: str) -> AsyncIterator[Sequence[Entry]]:
        """Key and age of all blobs under a prefix, some hundred at a time, in no order."""
        with _translated(prefix):
            async for batch in obstore.list(self._store, prefix=prefix, chunk_size=500):
                yield [Entry(meta["path"], meta["last_modified"]) for meta in batch]

    async def delete(self, key: str) -> None:
        """Remove a blob; removing what is not there is fine."""
        try:
            with _translated(key):
                await obstore.delete_async(self._store, key)
        except KeyError:
            pass
