"""Publishes the events of an answer that is being made: appended to the catalogue, from which readers follow them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress

from activities.contracts.events import DeltaEvent, QuestionEvent
from activities.stores.catalog.question_events import QuestionEvents
from activities.telemetry import names, tracing

#: Shortest time between two pieces of an answer's text: one row for each interval instead of one for each token.
BATCH_SECONDS = 0.1


class Publisher:
    """Publishes what one attempt of an activity has to tell about a question; the first text is sent immediately.

    An earlier attempt that still runs, on a worker that was thought to be dead, gets Canceled with its next event.
    """

    def __init__(self, events: QuestionEvents, question_id: str) -> None:
        self._events, self._question_id = events, question_id
        self._unsent: list[QuestionEvent] = []
        self._end: int | None = None
        self._published = 0
        self._has_unsent, self._closing = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Publisher:
        self._sender, self._span = asyncio.create_task(self._send()), tracing.begin(names.STREAM)
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self._unsent.clear()
        self._closing.set()
        self._has_unsent.set()
        self._span.set({names.EVENTS: self._published, names.OUTCOME: "done" if error is None else "stopped"})
        try:
            await asyncio.wait([self._sender])
        finally:
            self._span.end()
        if error is None:
            self._sender.result()

    def publish(self, event: QuestionEvent) -> None:
        """Queues an event; it is sent within BATCH_SECONDS, in order. Raises the error of sending earlier ones."""
        if self._sender.done():
            self._sender.result()
        self._unsent.append(event)
        self._published += 1
        self._has_unsent.set()

    async def _send(self) -> None:
        """Sends until the publisher is closed and everything is sent."""
        while self._unsent or not self._closing.is_set():
            await self._has_unsent.wait()
            self._has_unsent.clear()
            events, self._unsent = list(joined(self._unsent)), []
            if events:
                self._end = await self._events.append(self._question_id, events, self._end)
            if any(isinstance(event, DeltaEvent) for event in events):
                with suppress(TimeoutError):
                    async with asyncio.timeout(BATCH_SECONDS):
                        await self._closing.wait()


def joined(events: Iterable[QuestionEvent]) -> Iterator[QuestionEvent]:
    """The same events with adjacent pieces of text in one."""
    text = ""
    for event in events:
        if isinstance(event, DeltaEvent):
            text += event.text
            continue
        if text:
            yield DeltaEvent(text=text)
            text = ""
        yield event
    if text:
        yield DeltaEvent(text=text)
