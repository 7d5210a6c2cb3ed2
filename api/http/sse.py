"""Server-sent events: the one shape of all live streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cached_property

import msgspec
from litestar.response import Stream

from activities.errors import InvalidRequest
from activities.phrases import Phrase

#: Proxies must neither buffer nor cache a live stream.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

#: Seconds of silence after which a comment is sent: proxies and readers take a silent stream for a dead one.
KEEP_ALIVE_SECONDS = 15.0

SIGN_OF_LIFE = b": alive\r\n\r\n"


@dataclass(frozen=True)
class Event:
    """One event; ``body`` becomes JSON. Many readers of one event share its bytes."""

    name: str
    body: object
    id: str | int | None = None

    @cached_property
    def wire(self) -> bytes:
        """What goes over the line."""
        id = f"id: {self.id}\r\n" if self.id is not None else ""
        return f"{id}event: {self.name}\r\ndata: ".encode() + msgspec.json.encode(self.body) + b"\r\n\r\n"


@dataclass(frozen=True)
class Data:
    """A nameless event, for clients that look at nothing but the data."""

    body: bytes

    @property
    def wire(self) -> bytes:
        """What goes over the line."""
        return b"data: " + self.body + b"\n\n"


EventStream = AsyncIterator[Event]


def event_stream(events: AsyncIterator[Event] | AsyncIterator[Data]) -> Stream:
    """A response that sends the events as they come, and signs of life between them."""
    return Stream(_kept_alive(events), media_type="text/event-stream", headers=HEADERS)


async def after(seen: str | None, events: EventStream) -> EventStream:
    """The events without the first one, if that is the one that the reader has seen (its Last-Event-ID).

    Only the first can be a repetition: a job that was paused and goes on comes back to a mark that it had.
    """
    async for message in events:
        if seen is None or str(message.id) != seen:
            yield message
        seen = None


async def _kept_alive(events: AsyncIterator[Event] | AsyncIterator[Data]) -> AsyncIterator[bytes]:
    iterator: AsyncIterator[Event | Data] = aiter(events)
    coming = asyncio.ensure_future(anext(iterator))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield SIGN_OF_LIFE
                continue
            try:
                message = coming.result()
            except StopAsyncIteration:
                return
            coming = asyncio.ensure_future(anext(iterator))
            yield message.wire
    finally:
        coming.cancel()


def last_offset(last_event_id: str | None) -> int:
    """The offset to resume from: ids of events are the offset of the next one. Raises InvalidRequest."""
    if not last_event_id:
        return 0
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 9:
        raise InvalidRequest(detail=Phrase.FOREIGN_EVENT_ID, value=last_event_id[:40])
    return int(last_event_id)
