"""Heartbeats for activities: a decorator that sends them, and ``report`` to attach progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

import msgspec
from temporalio import activity

from activities.runtime.attempts import lost

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds between heartbeats; far below any timeout, because an activity receives a cancellation with a heartbeat.
INTERVAL = 0.5


class Progress(msgspec.Struct, frozen=True):
    """Completed and total units of an activity's work; ``total`` is None while it is unknown."""

    done: int
    total: int | None = None


_latest: ContextVar[list[Progress] | None] = ContextVar("holdfast_progress", default=None)

#: A second receiver of ``report``, set by the activity interceptor.
listener: ContextVar[Callable[[Progress], None] | None] = ContextVar("holdfast_progress_listener", default=None)


def report(done: int, total: int | None = None) -> None:
    """Records the progress of the running activity; the next heartbeat carries it.

    Does nothing outside of an activity (in benchmarks and tests).
    """
    holder = _latest.get()
    if holder is None:
        return
    holder[:] = [Progress(done, total)]
    if (on_progress := listener.get()) is not None:
        on_progress(holder[0])


def heartbeating(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Sends heartbeats with the latest ``report`` while ``function`` runs.

    Temporal thus detects a killed worker within the heartbeat timeout, and the activity receives a cancellation within
    a second (workers send at most one heartbeat per second to Temporal, see ``workflows.worker``).
    """

    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not activity.in_activity():
            return await function(*args, **kwargs)
        holder: list[Progress] = []
        token = _latest.set(holder)
        beats = asyncio.create_task(_send_heartbeats(holder))
        try:
            return await function(*args, **kwargs)
        finally:
            beats.cancel()
            _latest.reset(token)

    return run


async def _send_heartbeats(holder: list[Progress]) -> None:
    while True:
        await asyncio.sleep(INTERVAL)  # first: short activities need no heartbeat, and each costs the server a write
        beat(*holder)


def beat(progress: Progress | None = None) -> None:
    """Sends one heartbeat, with the number of lost attempts if there were any."""
    if (attempts := lost()).count:
        activity.heartbeat(progress or Progress(0), attempts)
    else:
        activity.heartbeat(*([progress] if progress else []))
