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

#: Beats when no timeout is set, in seconds.
DEFAULT_INTERVAL = 5.0


class Progress(msgspec.Struct, frozen=True):
    """How much of an activity's work is done; ``total`` is None while it is unknown."""

    done: int
    total: int | None = None


_latest: ContextVar[list[Progress] | None] = ContextVar("holdfast_progress", default=None)


def report(done: int, total: int | None = None) -> None:
    """Say how far the running activity is. Outside of an activity (a bench, a test) it does nothing."""
    holder = _latest.get()
    if holder is None:
        return
    holder[:] = [Progress(done, total)]
    activity.heartbeat(holder[0])


def heartbeating(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Beat at half the heartbeat timeout while ``function`` runs, carrying the latest ``report``.

    A worker that is killed is thus missed within the timeout, and a canceled run is noticed by the beat.
    """

    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not activity.in_activity():
            return await function(*args, **kwargs)
        holder: list[Progress] = []
        token = _latest.set(holder)
        timeout = activity.info().heartbeat_timeout
        beat = asyncio.create_task(_beat(holder, timeout.total_seconds() / 2 if timeout else DEFAULT_INTERVAL))
        try:
            return await function(*args, **kwargs)
        finally:
            beat.cancel()
            _latest.reset(token)

    return run


async def _beat(holder: list[Progress], seconds: float) -> None:
    while True:
        activity.heartbeat(*holder)
        await asyncio.sleep(seconds)
