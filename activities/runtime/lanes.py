"""Keeps some of a worker's slots free for short work, so that long documents delay nobody else's short ones.

Work is short until it has run for ``QUICK_SECONDS``, or when its size says so. Only as many long pieces of work run at
once as leave slots free; others give their slot back and try again later. Whoever has none running goes first.

What this promises: a slot for short work becomes free within ``QUICK_SECONDS``, whatever files are uploaded.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.errors import AwaitsTurn

T = TypeVar("T")

QUICK_SECONDS = 3.0

#: Slots that long work leaves free, if there are as many.
FREE = 2

#: Seconds until work that had to yield tries again; longer when many do.
RETRY_SECONDS = 2.0

#: Work that has not tried again for this many seconds is no longer counted as waiting.
FORGET_SECONDS = 30.0

#: Pieces of work that are remembered as long.
REMEMBERED = 1000


class Lane:
    """The long work of one worker on one queue."""

    def __init__(self, slots: int) -> None:
        self._most = max(1, slots - FREE)
        self._running: dict[str, str] = {}  # work → its user
        self._waiting: dict[str, tuple[str, float]] = {}  # work → its user, when it asked last
        self._long: OrderedDict[str, None] = OrderedDict()

    async def run(self, work: str, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of ``start()``, which is canceled when it turns out to be long and no place is free.

        ``work`` identifies it: the next attempt knows that it is long, and asks for a place first.
        """
        if work in self._long:
            with self.place(work):
                return await start()
        task = asyncio.create_task(start())
        try:
            await asyncio.wait({task}, timeout=QUICK_SECONDS)
            if not task.done():
                self._long[work] = None
                if len(self._long) > REMEMBERED:
                    self._long.popitem(last=False)
                with self.place(work):
                    return await task
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})

    @contextmanager
    def place(self, work: str) -> Iterator[None]:
        """A place for long work. Without a free one, raises an ApplicationError that has it tried again later."""
        user = activity.info().priority.fairness_key or "" if activity.in_activity() else ""
        if not self._is_free(work, user):
            reason = AwaitsTurn().reason
            raise ApplicationError(
                str(AwaitsTurn()),
                reason,
                type=reason.code,
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=timedelta(seconds=RETRY_SECONDS + len(self._waiting) / 4),
            )
        self._running[work] = user
        try:
            yield
        finally:
            del self._running[work]

    def is_running(self, work: str) -> bool:
        """Whether the work has a place."""
        return work in self._running

    def _is_free(self, work: str, user: str) -> bool:
        now = time.monotonic()
        self._waiting = {
            waiting: entry for waiting, entry in self._waiting.items() if now - entry[1] < FORGET_SECONDS
        } | {work: (user, now)}
        users = set(self._running.values())
        others_first = user in users and any(other not in users for other, _ in self._waiting.values())
        if work in self._running or len(self._running) >= self._most or others_first:
            return False
        del self._waiting[work]
        return True
