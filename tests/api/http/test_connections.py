"""Connections: what one client sends, or does not send, costs the process little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from litestar import Litestar, Request, get, post

from api.http import connections
from api.http.connections import BoundedProtocol
from tests.ports import free_port

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


@get("/", sync_to_thread=False)
def show() -> str:
    """A response without a body in the request."""
    return "fine"


@post("/")
async def count(request: Request[Any, Any, Any]) -> int:
    """Reads the whole body."""
    return len(await request.body())


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server with the limits."""
    port = free_port()
    app = Litestar([show, count], request_max_body_size=10 << 20)
    config = uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1, http=BoundedProtocol)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await serving


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send pieces, and read until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        return await reader.read()
    except ConnectionError:  # it was closed while we were still sending
        return b""
    finally:
        writer.close()


def status(answer: bytes) -> int:
    """The status of the first response; 0 for none."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    "headers",
    [
        b"X: " + b"a" * 40_000,  # one long line
        b"X-A: b\r\n" * 6_000,  # many short ones
        b"X-A: b\r\n" * 6_000 + b"\r\n",  # the same, complete, perhaps in one piece
    ],
)
async def test_headers_are_limited(port: int, headers: bytes) -> None:
    """More than the limit is 431, complete or not, and the connection is closed."""
    assert status(await exchange(port, GET + headers)) == 431


async def test_the_request_line_is_limited(port: int) -> None:
    """An address counts as the headers do."""
    assert status(await exchange(port, b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")) == 431


async def test_endless_headers_do_not_fill_the_memory(port: int) -> None:
    """The server stops reading: most of 200 MB is never taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    writer.write(GET)
    try:
        for _ in range(200):
            writer.write(b"X-A: b\r\n" * (1 << 17))
            await writer.drain()
            sent += 1
    except ConnectionError:
        pass
    finally:
        writer.close()
    assert sent < 20, "MB"
    assert reader is not None


async def test_what_follows_a_chunked_body_is_limited(port: int) -> None:
    """Trailers are headers, too, and so are the extensions of chunks."""
    begin = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
    assert status(await exchange(port, begin, b"0\r\n" + b"X-A: b\r\n" * 6_000)) == 431
    assert status(await exchange(port, begin, b"2;" + b"a" * 40_000)) == 431


async def test_ordinary_requests_pass(port: int) -> None:
    """Large headers below the limit, a body in chunks, and several requests on one connection."""
    chunks = b"".join(b"4000\r\n" + b"a" * 0x4000 + b"\r\n" for _ in range(64))
    answer = await exchange(
        port,
        GET + b"X-A: b\r\n" * 2_000 + b"\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
        POST + b"Content-Length: 100000\r\n\r\n" + b"a" * 100_000,
        GET + b"Connection: close\r\n\r\n",
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"HTTP/1.1 201 Created") == 2
    assert b"1048576" in answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a fraction of a second."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.1)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "begin",
    [
        GET,
        GET + b"Connection: keep-alive\r\n\r\n" + GET,  # a second request that does not end
        POST + b"Content-Length: 1000\r\n\r\nabc",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    ],
)
async def test_a_client_that_does_not_go_on_is_told(port: int, begin: bytes) -> None:
    """408 and the end of the connection, in the headers as in the body."""
    answer = await exchange(port, begin)
    assert b"HTTP/1.1 408 Request Timeout" in answer


@pytest.mark.usefixtures("impatient")
async def test_a_connection_without_a_request_is_closed(port: int) -> None:
    """Silently: a browser would show an answer that it did not ask for to its next request."""
    assert await exchange(port) == b""


@pytest.mark.usefixtures("impatient")
async def test_a_slow_body_that_makes_progress_is_read(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its bytes in each interval count."""
    monkeypatch.setattr(connections, "BODY_BYTES", 1)
    pieces = [b"a" * 10 for _ in range(40)]
    answer = await exchange(port, POST + b"Connection: close\r\nContent-Length: 400\r\n\r\n", *pieces)
    assert status(answer) == 201
