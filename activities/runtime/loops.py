"""Long-lived loops of a process: an error ends one turn of a loop, never the loop.

Every task that lives as long as its process is a ``Loop``, started at the composition root (``api.dependencies``,
``workflows.worker``). Readiness and metrics read its state.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

import structlog

from activities.errors import DependencyError
from activities.runtime.failures import cause_of

#: Seconds after which a turn is canceled: whatever it waits for, the next turn tries again.
TURN_SECONDS = 60.0

#: Seconds before the turn after a failed one; doubled by each further failure in a row, up to the maximum.
BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.5, 5.0

#: Seconds without the end of a turn, beyond its interval, after which a loop counts as stuck.
LATE_SECONDS = TURN_SECONDS + 2 * MAX_BACKOFF_SECONDS

#: Turns in a row that fail for an unforeseen reason, after which a loop counts as broken. It still goes on.
BROKEN_TURNS = 3

log = structlog.get_logger()


class Loop:
    """Calls ``turn`` until it is stopped: every ``seconds``, after ``wake``, and at once while it returns True.

    A turn that raises is logged and followed by another one after a backoff. ``wake_seconds`` pass between ``wake``
    and the turn. As a context manager it runs inside of the block.
    """

    def __init__(
        self, name: str, turn: Callable[[], Awaitable[bool | None]], seconds: float, *, wake_seconds: float = 0.0
    ) -> None:
        self.name = name
        self._turn, self._seconds, self._wake_seconds = turn, seconds, wake_seconds
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended_at = self._succeeded_at = time.monotonic()
        self._failures = self._unforeseen = 0

    def wake(self) -> None:
        """Start the next turn soon."""
        self._woken.set()

    @property
    def seconds_since_success(self) -> float:
        """Seconds since a turn ended well."""
        return time.monotonic() - self._succeeded_at

    @property
    def healthy(self) -> bool:
        """False when its task has ended, when it is stuck, and when its turns fail for an unforeseen reason."""
        alive = self._task is not None and not self._task.done()
        late = time.monotonic() - self._ended_at >= self._seconds + LATE_SECONDS
        return alive and not late and self._unforeseen < BROKEN_TURNS

    async def ended(self) -> None:
        """Wait for the end of its task, which only comes at the end of the block or by what no handler may catch."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def __aenter__(self) -> Self:
        self._ended_at = self._succeeded_at = time.monotonic()
        self._task = asyncio.create_task(self._run(), name=self.name)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            more = await self._attempt()
            self._ended_at = time.monotonic()
            if self._failures:
                await asyncio.sleep(min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** min(self._failures - 1, 10)))
            elif more:
                await asyncio.sleep(0)
            else:
                await self._pause()

    async def _attempt(self) -> bool:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                more = bool(await self._turn())
        except asyncio.CancelledError:
            if _is_canceled():
                raise
            self._failed(RuntimeError("a turn awaited what was canceled"))
        except Exception as exc:  # noqa: BLE001 - the edge of a task that nobody awaits
            self._failed(exc)
        else:
            self._failures = self._unforeseen = 0
            self._succeeded_at = time.monotonic()
            return more
        return False

    def _failed(self, exc: Exception) -> None:
        self._failures += 1
        cause = cause_of(exc)
        if isinstance(cause, DependencyError):
            self._unforeseen = 0
            log.warning("a loop waits", loop=self.name, dependency=cause.dependency, reason=str(cause))
        else:
            self._unforeseen += 1
            log.error("a loop's turn failed", loop=self.name, failures=self._failures, exc_info=exc)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._wake_seconds)


def _is_canceled() -> bool:
    """Whether the running task itself is being canceled, rather than something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
