"""Heartbeats for activities: one decorator that keeps beating, and ``report`` to say how far the work is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

import msgspec
from temporalio import activity

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds between beats. Far below any timeout, because a canceled run is noticed by the next beat.
INTERVAL = 0.5


class Progress(msgspec.Struct, frozen=True):
    """How much of an activity's work is done; ``total`` is None while it is unknown."""

    done: int
    total: int | None = None


_latest: ContextVar[list[Progress] | None] = ContextVar("holdfast_progress", default=None)

#: Whoever else wants to hear of ``report`` (the activity's edge sets it).
listener: ContextVar[Callable[[Progress], None] | None] = ContextVar("holdfast_progress_listener", default=None)


def report(done: int, total: int | None = None) -> None:
    """Say how far the running activity is; the next beat carries it.

    Outside of an activity (a bench, a test) it does nothing.
    """
    holder = _latest.get()
    if holder is None:
        return
    holder[:] = [Progress(done, total)]
    if (tell := listener.get()) is not None:
        tell(holder[0])


def heartbeating(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Beat while ``function`` runs, carrying the latest ``report``.

    A worker that is killed is thus missed within the heartbeat timeout, and a canceled run is noticed within a
    second (workers send at most one beat a second to Temporal, see ``workflows.worker``).
    """

    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not activity.in_activity():
            return await function(*args, **kwargs)
        holder: list[Progress] = []
        token = _latest.set(holder)
        beat = asyncio.create_task(_beat(holder))
        try:
            return await function(*args, **kwargs)
        finally:
            beat.cancel()
            _latest.reset(token)

    return run


async def _beat(holder: list[Progress]) -> None:
    while True:
        await asyncio.sleep(INTERVAL)  # first: a step of milliseconds needs no beat, and each costs the server a write
        activity.heartbeat(*holder)
