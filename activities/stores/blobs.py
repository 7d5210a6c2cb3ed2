"""The blob store: immutable objects whose keys are derived from their inputs. A local folder or S3, by URL.

``activities.stores.blob_keys`` has the keys.

Errors of obstore become ``BlobsUnavailable`` (retried) or ``KeyError`` (no such blob).
"""

from __future__ import annotations

import asyncio
import time
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

from activities.errors import BlobsUnavailable, plain_line
from activities.phrases import Phrase
from activities.stores.deadline import waiting_for
from activities.telemetry import metrics

T = TypeVar("T")


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """The error table: exceptions of obstore → exceptions of this module, most specific first."""
    try:
        yield
    except (NotFoundError, FileNotFoundError) as exc:
        raise KeyError(key) from exc
    except (BaseError, OSError) as exc:
        raise BlobsUnavailable(detail=_cause(exc)) from exc


def _cause(exc: Exception) -> str:
    """What an error of obstore comes from, without its address, folder and key, which are nothing for users to see.

    Its first line is ``Error performing PUT <address> in 1ms - <cause>``, or ``Unable to open file <path>: <cause>``.
    """
    line = (str(exc).splitlines() or [""])[0]
    mark = " - " if " - " in line else ": "
    return plain_line(line.rpartition(mark)[2].partition(": <")[0].strip(": "))


@contextmanager
def _request(operation: str, key: str) -> Iterator[None]:
    """One request, which is counted; its errors are translated."""
    began, outcome = time.perf_counter(), "failed"
    try:
        with waiting_for(BlobsUnavailable), _translated(key):
            yield
        outcome = "done"
    except asyncio.CancelledError:  # its caller waits no longer
        outcome = "stopped"
        raise
    except KeyError:
        outcome = "missing"
        raise
    except BlobsUnavailable as exc:
        if isinstance(exc.__cause__, AlreadyExistsError):
            outcome = "exists"
        raise
    finally:
        metrics.FILE_STORE_SECONDS.labels(operation, outcome).observe(time.perf_counter() - began)


@contextmanager
def _stored() -> Iterator[None]:
    """A write, for which nothing but the store can be missing."""
    try:
        yield
    except KeyError as exc:
        raise BlobsUnavailable(detail=Phrase.SOURCE_NO_BUCKET) from exc


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
        #: Whether listings are ordered by key, so that they can be resumed; those of a local folder are not.
        self.is_ordered = parsed.scheme != "file"
        self._is_remote = parsed.scheme not in ("file", "memory")

    async def ping(self) -> None:
        """Raises BlobsUnavailable unless the store responds."""
        with _request("list", "ping"):
            async for _ in obstore.list(self._store, prefix="ping"):
                break

    async def exists(self, key: str) -> bool:
        """Whether the blob exists."""
        try:
            with _request("head", key):
                await obstore.head_async(self._store, key)
        except KeyError:
            await self._require_store()
            return False
        return True

    async def size(self, key: str) -> int:
        """The blob's length in bytes. Raises KeyError when it does not exist."""
        try:
            with _request("head", key):
                return int((await obstore.head_async(self._store, key))["size"])
        except KeyError:
            await self._require_store()
            raise

    async def get(self, key: str) -> bytes:
        """The whole blob. Raises KeyError when it does not exist."""
        try:
            with _request("get", key):
                result = await obstore.get_async(self._store, key)
                return bytes(await result.bytes_async())
        except KeyError:
            await self._require_store()
            raise

    async def put(self, key: str, data: bytes | IO[bytes]) -> None:
        """Stores a blob; idempotent. A file is uploaded in parts, so that memory use is constant."""
        with _stored(), _request("put", key):
            # Three parts in flight instead of obstore's default of twelve: an upload of any size takes about 20 MB.
            await obstore.put_async(self._store, key, data, chunk_size=5 << 20, max_concurrency=3)

    async def create(self, key: str, data: bytes) -> bool:
        """Stores a blob unless it exists; True when it was created."""
        try:
            with _stored(), _request("put", key):
                await obstore.put_async(self._store, key, data, mode="create", use_multipart=False)
        except BlobsUnavailable as exc:
            if isinstance(exc.__cause__, AlreadyExistsError):
                return False
            raise
        return True

    async def load(self, key: str, kind: type[T]) -> T:
        """Decodes a msgpack blob as ``kind``. Raises KeyError when it does not exist."""
        return msgspec.msgpack.decode(await self.get(key), type=kind)

    async def load_json(self, key: str, kind: type[T]) -> T:
        """Decodes a JSON blob as ``kind``. Raises KeyError when it does not exist."""
        return msgspec.json.decode(await self.get(key), type=kind)

    async def save(self, key: str, value: object) -> None:
        """Stores ``value`` as msgpack."""
        await self.put(key, msgspec.msgpack.encode(value))

    async def download(self, key: str, path: Path) -> None:
        """Writes a blob to a local file, in pieces of about 1 MiB. Raises KeyError when it does not exist."""
        with _translated(key), path.open("wb") as file:
            async for piece in self.stream(key):
                file.write(piece)

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yields the bytes from ``start`` up to ``end`` (exclusive), in pieces of at most 1 MiB.

        Raises KeyError when the blob does not exist.
        """
        stop = await self.size(key) if end is None else end
        for offset in range(start, stop, 1 << 20):
            with _request("get", key):
                piece = await obstore.get_range_async(self._store, key, start=offset, end=min(offset + (1 << 20), stop))
            yield bytes(piece)

    async def list(self, prefix: str) -> list[str]:
        """All keys under a prefix, which consists of whole path segments."""
        with _translated(prefix):
            return [meta["path"] async for batch in obstore.list(self._store, prefix=prefix) for meta in batch]

    async def entries(self, prefix: str, after: str | None = None) -> AsyncIterator[Sequence[Entry]]:
        """Yields key and modification time of the blobs under a prefix, up to 500 at a time.

        Only those whose key is greater than ``after``; ordered by key if the store is (``is_ordered``).
        """
        with _translated(prefix):
            async for batch in obstore.list(self._store, prefix=prefix, offset=after, chunk_size=500):
                yield [Entry(meta["path"], meta["last_modified"]) for meta in batch]

    async def delete(self, key: str) -> None:
        """Deletes a blob; does nothing when it does not exist."""
        try:
            with _request("delete", key):
                await obstore.delete_async(self._store, key)
        except KeyError:
            await self._require_store()

    async def _require_store(self) -> None:
        """Raises BlobsUnavailable if the store itself is missing, which it says as of a blob that is.

        Such as a bucket that is gone, or an address at which something else answers.
        """
        if self._is_remote:
            await self.ping()
