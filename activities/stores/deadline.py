"""A time limit that tells which service did not answer when it ran out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from activities.errors import DependencyError
from activities.phrases import Phrase

#: Part of the time for which a service was waited for at its end, from which on it counts as one that does not answer.
SHARE = 0.5


class _Limit:
    """The time of a block, and the requests that its end cut off: for how long, and the error of the service."""

    def __init__(self, seconds: float) -> None:
        self.timer = asyncio.timeout(seconds)
        self.cut: list[tuple[float, type[DependencyError]]] = []


_limit: ContextVar[_Limit | None] = ContextVar("limit", default=None)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Ends the block after so many seconds, also in the tasks that it waits for.

    Raises the error of the service that was waited for most of the time, or TimeoutError if none was.
    """
    limit = _Limit(seconds)
    token = _limit.set(limit)
    try:
        async with limit.timer:
            yield
    except TimeoutError as exc:
        silent, kind = max(limit.cut, key=lambda each: each[0], default=(0.0, DependencyError))
        if not limit.timer.expired() or silent < SHARE * seconds:
            raise
        raise kind(detail=Phrase.NO_ANSWER_WITHIN, seconds=round(silent)) from exc
    finally:
        _limit.reset(token)


@contextmanager
def waiting_for(kind: type[DependencyError]) -> Iterator[None]:
    """The block is a request to a service, whose error this is."""
    began = time.monotonic()
    try:
        yield
    except asyncio.CancelledError:
        limit = _limit.get()
        if limit is not None and limit.timer.expired():
            limit.cut.append((time.monotonic() - began, kind))
        raise
