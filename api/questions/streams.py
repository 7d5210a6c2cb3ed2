"""Follows questions' events in the catalogue: one poller reads them for all readers of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from activities.contracts.events import QuestionEvent
from activities.errors import DependencyError
from activities.stores.catalog.question_events import QuestionEvents

#: A question is looked at again after this part of the time since its last event, within these limits in seconds.
POLL_PART = 20
SHORTEST, LONGEST = 0.01, 0.5

#: Seconds without an event after which a reader is told so.
SILENCE = 5.0

log = structlog.get_logger()


@dataclass
class _Topic:
    """The events of one question so far; ``changed`` is set, and replaced, when there are more."""

    last_at: float
    due_at: float = 0.0
    readers: int = 0
    events: list[QuestionEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def extend(self, events: list[QuestionEvent], now: float) -> None:
        """Add what a poll found, and set the time of the next one."""
        if events:
            self.events += events
            self.last_at = now
            changed, self.changed = self.changed, asyncio.Event()
            changed.set()
        self.due_at = now + min(LONGEST, max(SHORTEST, (now - self.last_at) / POLL_PART))


class QuestionStreams:
    """Streams of the questions that have readers in this process."""

    def __init__(self, events: QuestionEvents) -> None:
        self._events = events
        self._topics: dict[str, _Topic] = {}
        self._poller: asyncio.Task[None] | None = None
        self._new_reader = asyncio.Event()

    async def follow(self, question_id: str, offset: int) -> AsyncIterator[QuestionEvent | None]:
        """The events from ``offset`` on, without an end; None after every ``SILENCE`` seconds without one."""
        topic = self._topics.setdefault(question_id, _Topic(last_at=self._now()))
        topic.readers += 1
        self._new_reader.set()
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._run())
        try:
            while True:
                if offset < len(topic.events):
                    yield topic.events[offset]
                    offset += 1
                    continue
                try:
                    async with asyncio.timeout(SILENCE):
                        await topic.changed.wait()
                except TimeoutError:
                    yield None
        finally:
            topic.readers -= 1
            if topic.readers == 0:
                self._topics.pop(question_id, None)

    async def aclose(self) -> None:
        """End the poller, after what it is reading; no reader hears of an event after this."""
        self._topics.clear()
        self._new_reader.set()
        if self._poller is not None:
            await self._poller

    async def _run(self) -> None:
        """Poll while there are readers."""
        while self._topics:
            self._new_reader.clear()
            try:
                await self._poll()
            except DependencyError as exc:
                log.warning("questions cannot be followed", reason=str(exc))
                await asyncio.sleep(LONGEST)
            except Exception:
                log.exception("questions cannot be followed")
                await asyncio.sleep(LONGEST)
            next_at = min((topic.due_at for topic in self._topics.values()), default=0.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(SHORTEST, next_at - self._now())):
                    await self._new_reader.wait()

    async def _poll(self) -> None:
        now = self._now()
        due = {id: topic for id, topic in self._topics.items() if topic.due_at <= now}
        if not due:
            return
        found = await self._events.after({id: len(topic.events) for id, topic in due.items()})
        for id, topic in due.items():
            topic.extend(found.get(id, []), self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
