"""Server-sent events: keep-alive comments during silence, and resuming at the reader's position."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from litestar import Litestar, get
from litestar.response import Stream

from activities.errors import InvalidRequest
from api.http import sse
from api.http.sse import Event, EventStream, after, event_stream, last_offset
from tests.ports import free_port


def sent(events: EventStream) -> AsyncIterator[bytes]:
    """The chunks that go to the reader."""
    return aiter(event_stream(events).iterator)  # type: ignore[arg-type]


def message(number: int) -> Event:
    """An event with its id."""
    return Event("delta", f"piece {number}", number)


async def test_events_are_sent_as_they_are() -> None:
    """In order, each with name, id and data; then the stream ends."""

    async def events() -> EventStream:
        for number in (1, 2, 3):
            yield message(number)

    pieces = [piece async for piece in sent(events())]
    assert pieces == [f'id: {n}\r\nevent: delta\r\ndata: "piece {n}"\r\n\r\n'.encode() for n in (1, 2, 3)]


async def test_only_the_first_event_can_be_a_repetition() -> None:
    """The reader's last state is not sent again; one that returns after another state is."""

    async def events(*numbers: int) -> EventStream:
        for number in numbers:
            yield message(number)

    async def ids(seen: str | None, *numbers: int) -> list[object]:
        return [each.id async for each in after(seen, events(*numbers))]

    assert await ids("1", 1, 2, 1) == [2, 1]
    assert await ids("1", 2, 1) == [2, 1]
    assert await ids(None, 1, 2) == [1, 2]


async def test_a_silent_stream_sends_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments arrive while an event is awaited; the event itself is neither lost nor repeated."""
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.01)
    happened = asyncio.Event()

    async def events() -> EventStream:
        yield message(1)
        await happened.wait()
        yield message(2)

    pieces = sent(events())
    assert b"piece 1" in await anext(pieces)
    for _ in range(3):
        assert await anext(pieces) == b": alive\r\n\r\n"
    happened.set()
    rest = [piece async for piece in pieces]
    assert [piece for piece in rest if piece != b": alive\r\n\r\n"] == [message(2).wire]


async def test_a_busy_stream_has_no_comments() -> None:
    """Comments are sent during silence only."""

    async def events() -> EventStream:
        for number in range(200):
            await asyncio.sleep(0)
            yield message(number)

    assert not any(piece.startswith(b":") for piece in [piece async for piece in sent(events())])


async def test_an_error_ends_the_stream() -> None:
    """The source's exception reaches the server, after the events before it."""

    async def events() -> EventStream:
        yield message(1)
        raise InvalidRequest(detail="no")

    pieces = sent(events())
    await anext(pieces)
    with pytest.raises(InvalidRequest):
        await anext(pieces)


async def test_a_reader_that_leaves_ends_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source is closed at once, so nothing runs without a reader."""
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.01)
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def events() -> EventStream:
        try:
            await asyncio.Event().wait()
            yield message(1)
        finally:
            ended.set()

    async def read() -> None:
        async for _ in sent(events()):
            waiting.set()

    reader = asyncio.create_task(read())
    await waiting.wait()
    assert not ended.is_set()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await ended.wait()


async def test_a_reader_that_stops_reading_delays_no_other() -> None:
    """The server produces no more events for it than its connection buffers, while others get theirs."""
    made = {"slow": 0, "quick": 0}

    async def events(reader: str) -> EventStream:
        while True:
            made[reader] += 1
            yield Event("delta", "x" * 100_000, made[reader])
            await asyncio.sleep(0)

    @get("/slow", sync_to_thread=False)
    def slow_stream() -> Stream:
        return event_stream(events("slow"))

    @get("/quick", sync_to_thread=False)
    def quick_stream() -> Stream:
        return event_stream(events("quick"))

    async with served(Litestar([slow_stream, quick_stream])) as port:
        slow, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await slow.readline()  # and then stops reading
        before = -1
        while made["slow"] != before:  # its connection buffers some megabytes
            before = made["slow"]
            await asyncio.sleep(0.2)
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
            http.stream("GET", "/quick") as quick,
        ):
            lines = quick.aiter_lines()
            while made["quick"] < 200:
                await anext(lines)
        assert made["slow"] == before
        writer.close()


@asynccontextmanager
async def served(app: Litestar) -> AsyncIterator[int]:
    """The app on a free port, served as in production."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await serving


def test_a_stream_is_neither_buffered_nor_cached() -> None:
    """Its headers forbid it to proxies."""

    async def events() -> EventStream:
        yield message(1)

    headers = event_stream(events()).headers
    assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")


@pytest.mark.parametrize(
    ("id", "offset"), [(None, 0), ("", 0), ("0", 0), ("17", 17), ("007", 7), ("999999999", 999_999_999)]
)
def test_a_reader_resumes_where_it_was(id: str | None, offset: int) -> None:
    """The last id is the offset of the next event; without one the stream starts from the beginning."""
    assert last_offset(id) == offset


@pytest.mark.parametrize(
    "id", ["-1", "1.5", "abc", "1 ", " 1", "+1", "0x1", "1_000", "٣", "²", "1000000000", "9" * 5000]
)
def test_an_id_of_another_stream_is_refused(id: str) -> None:
    """Anything but a small number is a client error with a short sentence."""
    with pytest.raises(InvalidRequest) as caught:
        last_offset(id)
    assert "Last-Event-ID" in str(caught.value)
    assert len(str(caught.value)) < 200
