"""Uploads from the command line: files in requests of limited size, with retries of temporary failures."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

from api.cli.progress import Display
from api.client.client import Api, ApiError
from api.client.problems import Problem

REQUEST_FILES = 50
REQUEST_BYTES = 64 * 1024 * 1024

#: Concurrent requests: while one is read from disk or sent, the server stores another.
AT_ONCE = 3

#: Maximum tries of a request whose connection breaks, and of one for which a dependency of the API is down.
BROKEN_TRIES, DOWN_TRIES = 5, 12

#: Seconds to wait after a 429 or 503 without Retry-After.
PAUSE_SECONDS = 5.0

File = tuple[str, Path]


class Sender:
    """Sends files into a knowledge base."""

    def __init__(self, api: Api, kb: str, display: Display, tags: Sequence[str] = ()) -> None:
        self._api, self._kb, self._display, self._tags = api, kb, display, tags

    async def send(self, files: Sequence[File], batch: str | None) -> dict[str, Any]:
        """Upload files in one request and return the API's response.

        If the request is refused, each file is sent by itself, so that one bad file does not stop the others; a file
        that is refused by itself is listed as a failed document with the reason and without an id. Raises ApiError for
        a refusal that is not caused by the files, and Problem.
        """
        try:
            answer: dict[str, Any] = await self._send(files, batch)
        except ApiError as exc:
            if _not_about_the_files(exc):
                raise
            if len(files) == 1:
                return {"documents": [{"name": files[0][0], "state": "failed", "reason": str(exc)}]}
            answers = [await self.send([file], batch) for file in files]
            return {"documents": [document for each in answers for document in each["documents"]]}
        return answer

    async def _send(self, files: Sequence[File], batch: str | None) -> Any:
        key = str(uuid.uuid4())  # idempotency key, equal for all tries: files are accepted once
        broken = down = 0
        while True:
            try:
                with ExitStack() as opened, self._display.upload() as count:
                    parts = [(name, opened.enter_context(_open(path, count))) for name, path in files]
                    return (await self._api.documents.upload(self._kb, parts, key, batch, self._tags)).json
            except Problem as exc:
                broken += 1
                if broken == BROKEN_TRIES or exc.code not in ("unreachable", "connection-lost"):
                    raise
                await asyncio.sleep(broken)
            except ApiError as exc:
                down += exc.status == HTTPStatus.SERVICE_UNAVAILABLE
                if down == DOWN_TRIES or exc.status not in (
                    HTTPStatus.TOO_MANY_REQUESTS,
                    HTTPStatus.SERVICE_UNAVAILABLE,
                ):
                    raise
                seconds = PAUSE_SECONDS if exc.retry_after is None else exc.retry_after
                self._display.busy(str(exc), seconds)
                await asyncio.sleep(seconds)


def groups(files: Sequence[File]) -> Iterator[list[File]]:
    """Group files into requests of at most REQUEST_FILES and REQUEST_BYTES; a larger file is a group of its own."""
    group: list[File] = []
    size = 0
    for name, path in files:
        length = path.stat().st_size
        if group and (len(group) == REQUEST_FILES or size + length > REQUEST_BYTES):
            yield group
            group, size = [], 0
        group.append((name, path))
        size += length
    if group:
        yield group


def _not_about_the_files(exc: ApiError) -> bool:
    about_the_caller = exc.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
    return about_the_caller or exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR or exc.code == "wrong-state"


class _Counted(io.FileIO):
    """A file that reports the number of bytes of each read."""

    def __init__(self, path: Path, count: Callable[[int], None]) -> None:
        super().__init__(path)
        self._count = count

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size)
        self._count(len(data))
        return data


def _open(path: Path, count: Callable[[int], None]) -> Any:
    try:
        return _Counted(path, count)
    except OSError as exc:
        raise Problem("unreadable", path=path, detail=exc.strerror) from exc
