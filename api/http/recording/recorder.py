"""Writes the events of requests: those that arrive together share a transaction, and refusals are bounded."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError

from activities.errors import HoldfastError, NotRecorded
from activities.runtime.loops import Loop
from activities.stores.catalog.audit.trail import AuditTrail
from activities.stores.catalog.records import NewEvent

log = structlog.get_logger()

#: Why events cannot be written.
UNWRITABLE: Final = (HoldfastError, SQLAlchemyError, OSError)

#: Events of one transaction at most.
MOST_AT_ONCE: Final = 200

#: Seconds in which equal refusals are one event with their number.
WINDOW_SECONDS: Final = 60.0

#: Windows at once: further callers are counted together, so that no attack fills the disk.
MOST_WINDOWS: Final = 200

#: Seconds between two looks for windows that are over.
LOOK_SECONDS: Final = 10.0


class Recorder:
    """Writes events and waits until they are committed. Those that wait are written together."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._waiting: list[tuple[NewEvent, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def record(self, event: NewEvent) -> None:
        """Write an event. Raises NotRecorded, after which what it records must not happen."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, written))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        await written

    async def require(self) -> None:
        """Raises NotRecorded where no event can be written now."""
        try:
            await self._trail.require_writable()
        except UNWRITABLE as exc:
            log.error("no audit event can be written", exc_info=exc)
            raise NotRecorded() from exc

    async def _write(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            try:
                await self._trail.append([event for event, _ in taken])
            except Exception as exc:  # whatever it is, those that wait must hear of it
                log.error("audit events cannot be written", events=len(taken), exc_info=exc)
                for _, written in taken:
                    if not written.done():
                        written.set_exception(NotRecorded())
            else:
                for _, written in taken:
                    if not written.done():
                        written.set_result(None)


@dataclass
class _Window:
    since: float
    event: NewEvent
    repeated: int = 0


class Refusals:
    """Records refusals: the first of a caller at once, those of the same kind in the next minute as one event.

    Their number is in that event's detail, ``repeated``. When too many callers are refused at once, further ones are
    recorded together, without their addresses.
    """

    def __init__(self, recorder: Recorder, clock: Callable[[], float] = time.monotonic) -> None:
        self._recorder, self._clock = recorder, clock
        self._windows: OrderedDict[tuple[str | None, ...], _Window] = OrderedDict()
        self.loop = Loop("refusals", self.turn, LOOK_SECONDS)

    async def record(self, event: NewEvent) -> None:
        """Record a refusal, or count it. Raises NotRecorded."""
        caller = event.origin.key_id or event.origin.address
        key: tuple[str | None, ...] = (caller, event.action, event.outcome, event.code)
        if key not in self._windows and len(self._windows) >= MOST_WINDOWS:
            event = NewEvent(actor=event.actor, action=event.action, outcome=event.outcome, detail={"others": True})
            key = (None, event.action, event.outcome, None)
        window = self._windows.get(key)
        if window is not None and self._clock() - window.since < WINDOW_SECONDS:
            window.repeated += 1
            return
        if window is not None:
            await self._end(key, window)
        opened = self._windows[key] = _Window(self._clock(), event)
        try:
            await self._recorder.record(event)
        except NotRecorded:  # the next one is not only counted: it would be answered without an event
            if self._windows.get(key) is opened:
                del self._windows[key]
            raise

    async def turn(self) -> None:
        """Record the counts of windows that are over."""
        over = [(key, each) for key, each in self._windows.items() if self._clock() - each.since >= WINDOW_SECONDS]
        for key, window in over:
            await self._end(key, window)

    async def close(self) -> None:
        """Record all counts."""
        for key, window in list(self._windows.items()):
            await self._end(key, window)

    async def _end(self, key: tuple[str | None, ...], window: _Window) -> None:
        if self._windows.get(key) is not window:
            return
        del self._windows[key]
        if window.repeated:
            detail = {**window.event.detail, "repeated": window.repeated}
            await self._recorder.record(msgspec.structs.replace(window.event, object_id=None, detail=detail))
