"""Objects below a prefix of an S3 bucket, with the usual ``AWS_…`` variables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, TYPE_CHECKING

import obstore
import structlog
from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore, from_url

from activities.errors import SourceUnavailable
from activities.phrases import Phrase
from activities.sync.listing import Collector, Content, NotTaken
from activities.sync.places import Prefix

if TYPE_CHECKING:
    from obstore.store import RetryConfig

#: Bytes of one request, which has the client's default of 30 seconds.
_PIECE = 8 << 20

#: The workflow waits for a bucket that is down; the client only makes up for single lost requests.
_RETRIES: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}

log = structlog.get_logger()


class BucketFiles:
    """The objects below a prefix."""

    def __init__(self, place: Prefix) -> None:
        self._store: ObjectStore = from_url(f"s3://{place.bucket}", retry_config=_RETRIES)
        self._prefix = "/".join(place.parts)

    async def list(self, files: Collector) -> None:
        """Gives all objects to ``files``.

        Keys that are no paths (``a//b``, ``../x``) fail the listing that they are in: then each folder is listed for
        itself, and only those that hold such keys are left out.
        """
        with _translated(InvalidPathError):
            try:
                async for page in obstore.list(self._store, prefix=self._prefix or None, chunk_size=1000):
                    self._give(page, files)
                return
            except InvalidPathError as exc:
                log.warning("a key of a synced bucket is no path", error=str(exc)[:1000])
                files.clear()
            folders = [self._prefix]
            while folders:
                folders += await self._list_folder(folders.pop(), files)

    async def _list_folder(self, folder: str, files: Collector) -> Sequence[str]:
        """Gives the objects of a folder to ``files``; the folders in it. Raises SourceUnavailable for the prefix."""
        try:
            found = await obstore.list_with_delimiter_async(self._store, folder or None)
        except InvalidPathError as exc:
            if folder == self._prefix:
                raise SourceUnavailable(detail=Phrase.SOURCE_NO_PATH) from exc
            files.leave_out("bad_name", self._path(folder), folder=True)
            return []
        self._give(found["objects"], files)
        return [inner for inner in found["common_prefixes"] if files.enters(self._path(inner))]

    def _give(self, objects: Iterable[obstore.ObjectMeta], files: Collector) -> None:
        for meta in objects:
            if path := self._path(meta["path"]):
                files.add(path, meta["size"], _stamp(meta))

    def _path(self, key: str) -> str:
        """The path below the prefix."""
        return key.removeprefix(self._prefix).lstrip("/") if self._prefix else key

    async def read(self, path: str, target: IO[bytes] | None, limit: int) -> Content:
        """Reads an object, all of it in one state. Raises NotTaken."""
        key = self._key(path)
        try:
            with _translated(PermissionDeniedError):
                meta = await obstore.head_async(self._store, key)
                size, tag = meta["size"], meta["e_tag"]
                if size > limit or not size:
                    raise NotTaken("too_large" if size else "empty")
                whole = hashlib.sha256()
                for start in range(0, size, _PIECE):
                    options: obstore.GetOptions = {"range": (start, min(start + _PIECE, size))}
                    if tag is not None:
                        options["if_match"] = tag
                    result = await obstore.get_async(self._store, key, options=options)
                    if _stamp(result.meta) != _stamp(meta):
                        raise NotTaken("changing")
                    piece = memoryview(await result.bytes_async())
                    whole.update(piece)
                    if target is not None:
                        target.write(piece)
        except (NotFoundError, FileNotFoundError) as exc:
            raise NotTaken("gone") from exc
        except PreconditionError as exc:
            raise NotTaken("changing") from exc
        except PermissionDeniedError as exc:  # of this object alone: it is archived, or has rights of its own
            raise NotTaken("unreadable") from exc
        return Content(whole.hexdigest(), size, _stamp(meta))

    async def exists(self, path: str) -> bool:
        """Whether the object is there."""
        try:
            with _translated():
                await obstore.head_async(self._store, self._key(path))
        except (NotFoundError, FileNotFoundError):
            return False
        return True

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path


def _stamp(meta: obstore.ObjectMeta) -> str:
    """Size and entity tag of an object; its time where the server gives no tag."""
    return f"{meta['size']}-{(meta['e_tag'] or meta['last_modified'].isoformat())[:150]}"


@contextmanager
def _translated(*own: type[Exception]) -> Iterator[None]:
    """The error table: exceptions of obstore → SourceUnavailable, without a key; the log has the rest.

    That of a missing object, of one that has changed, and those in ``own`` are the caller's.
    """
    try:
        yield
    except (PreconditionError, FileNotFoundError):
        raise
    except (BaseError, OSError) as exc:
        if isinstance(exc, own):
            raise
        log.warning("a synced bucket cannot be read", error=str(exc)[:1000])
        if isinstance(exc, PermissionDeniedError | UnauthenticatedError):
            raise SourceUnavailable(detail=Phrase.SOURCE_REFUSED) from exc
        if "NoSuchBucket" in str(exc):
            raise SourceUnavailable(detail=Phrase.SOURCE_NO_BUCKET) from exc
        if isinstance(exc, NotFoundError):
            raise
        raise SourceUnavailable(detail=Phrase.SOURCE_SILENT) from exc
