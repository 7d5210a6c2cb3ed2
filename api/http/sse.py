"""Server-sent events, the format of all live streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

import msgspec
from litestar.response import Stream

from activities.contracts.stages import FINAL_STATES
from activities.errors import DependencyError, InvalidRequest, NotFound
from activities.phrases import Phrase

#: Proxies must neither buffer nor cache a live stream.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

#: Seconds without an event after which a comment is sent: proxies and clients close silent streams.
KEEP_ALIVE_SECONDS = 15.0

KEEP_ALIVE = b": alive\r\n\r\n"

#: Seconds between two looks at a recorded job that is watched.
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Event:
    """One event with a JSON ``body``; its encoded bytes are shared by all its readers."""

    name: str
    body: object
    id: str | int | None = None

    @cached_property
    def wire(self) -> bytes:
        """The encoded event."""
        id = f"id: {self.id}\r\n" if self.id is not None else ""
        return f"{id}event: {self.name}\r\ndata: ".encode() + msgspec.json.encode(self.body) + b"\r\n\r\n"


@dataclass(frozen=True)
class Data:
    """An event without a name, for clients that read the data only."""

    body: bytes

    @property
    def wire(self) -> bytes:
        """The encoded event."""
        return b"data: " + self.body + b"\n\n"


EventStream = AsyncIterator[Event]


class JobRecord(Protocol):
    """A job as the catalogue records it."""

    @property
    def state(self) -> str:
        """Its state."""
        ...


class JobView(Protocol):
    """A job as a client sees it."""

    @property
    def stage_number(self) -> int:
        """Its stage, counted from 1."""
        ...

    @property
    def done(self) -> int:
        """What is done of it."""
        ...

    @property
    def state(self) -> str:
        """Its state."""
        ...


R = TypeVar("R", bound=JobRecord)


def event_stream(events: AsyncIterator[Event] | AsyncIterator[Data]) -> Stream:
    """A response that sends events as they arrive, and keep-alive comments in between."""
    return Stream(_with_keep_alive(events), media_type="text/event-stream", headers=HEADERS)


async def after(seen: str | None, events: EventStream) -> EventStream:
    """The events without the first one if its id is ``seen``, the reader's Last-Event-ID.

    Only the first event can be a repetition; a later event may have the id again, after a job was paused and resumed.
    """
    async for message in events:
        if seen is None or str(message.id) != seen:
            yield message
        seen = None


def state_event(info: JobView) -> Event:
    """The event of a job's state; its id says how far the job is."""
    return Event("state", info, f"{info.stage_number}.{info.done}.{info.state}")


async def job_states(record: R, look: Callable[[], Awaitable[R]], view: Callable[[R], Event]) -> EventStream:
    """The state of a recorded job now, then each change up to its last one, or until it is gone."""
    shown: R | None = None
    while True:
        if record != shown:
            yield view(record)
            shown = record
        if record.state in FINAL_STATES:
            return
        await asyncio.sleep(LOOK_SECONDS)
        try:
            with suppress(DependencyError):
                record = await look()
        except NotFound:
            return


async def _with_keep_alive(events: AsyncIterator[Event] | AsyncIterator[Data]) -> AsyncIterator[bytes]:
    iterator: AsyncIterator[Event | Data] = aiter(events)
    next_event = asyncio.ensure_future(anext(iterator))
    try:
        while True:
            done, _ = await asyncio.wait({next_event}, timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield KEEP_ALIVE
                continue
            try:
                message = next_event.result()
            except StopAsyncIteration:
                return
            next_event = asyncio.ensure_future(anext(iterator))
            yield message.wire
    finally:
        next_event.cancel()


def last_offset(last_event_id: str | None) -> int:
    """The offset to resume from: an event's id is the offset of the next event. Raises InvalidRequest."""
    if not last_event_id:
        return 0
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 9:
        raise InvalidRequest(detail=Phrase.FOREIGN_EVENT_ID, value=last_event_id[:40])
    return int(last_event_id)
