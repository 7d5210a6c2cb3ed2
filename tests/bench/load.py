"""The load generator: ``python -m tests.bench.load``, in its own process to affect the measured platform little.

Standard library only, requests built before the clock starts, kept-alive connections, responses barely parsed. It
reads one JSON object per line from standard input, the first with the API's address (``host``, ``port``, ``key``),
and answers each with one line; `tests.bench.generator` is the other end.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

BLOCK = 1 << 20
BOUNDARY = "bench-boundary-7d1f0c"
CONNECTING = 50
"""Watchers that connect at once."""
WORDS = 2000

Answer = dict[str, Any]


class Connection:
    """A kept-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, request: bytes) -> tuple[float, int, bytes]:
        """Milliseconds from sending to the head of the response, its status and body."""
        began = time.perf_counter()
        self._writer.write(request)
        return await self._answer(began)

    async def stream(self, head: bytes, pieces: Iterator[bytes]) -> tuple[float, int, bytes]:
        """The same for a body that is not held in memory."""
        began = time.perf_counter()
        self._writer.write(head)
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
        return await self._answer(began)

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def _answer(self, began: float) -> tuple[float, int, bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        took = (time.perf_counter() - began) * 1000
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return took, int(head[9:12]), await self._reader.readexactly(int(length))


class Watcher(asyncio.Protocol):
    """One reader of server-sent events, which it only counts."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.status = self.events = 0
        self.answered = asyncio.get_running_loop().create_future()
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count; an event has one line of data."""
        self.status = self.status or int(data[9:12])
        self.events += data.count(b"data:")
        if not self.answered.done():
            self.answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server or this side closed the connection."""
        self.closed = True
        if not self.answered.done():
            self.answered.set_result(None)


class Load:
    """The commands; the fields of a line are a command's arguments, its result is a line."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._host, self._port = host, port
        self._common = f"Host: {host}:{port}\r\nAuthorization: Bearer {key}\r\n"
        self._watchers: list[Watcher] = []

    async def burst(self, clients: int, path: str) -> Answer:
        """One GET of each client, all at once."""
        return await self._at_once([self._request("GET", path)] * clients)

    async def uploads(self, clients: int, path: str, bytes: int, seed: int) -> Answer:
        """One file of random words from each client, all at once."""
        dice = random.Random(seed)
        names = [f"{seed}-{number:03}.txt" for number in range(clients)]
        return await self._at_once([self._upload(path, name, random_text(dice, bytes)) for name in names])

    async def large(self, path: str, name: str, megabytes: int, seed: int) -> Answer:
        """One large file; the same seed gives the same content."""
        dice = random.Random(seed)
        before, after = _form(name)
        text = random_text(dice, BLOCK - 16)
        length = len(before) + len(after) + megabytes * BLOCK
        connection = await self._connected()
        head = self._head("POST", path, length, multipart=True)
        took, status, body = await connection.stream(head, _blocks(before, text, megabytes, after))
        connection.close()
        return {"ms": took, "status": status, "body": json.loads(body)}

    async def probe(self, seconds: float, pause: float, calls: list[Answer]) -> Answer:
        """Repeat each call on its own connection for this many seconds: milliseconds by name."""
        deadline = time.perf_counter() + seconds
        statuses: Counter[int] = Counter()

        async def again(call: Answer) -> list[float]:
            connection, found = await self._connected(), []
            request = self._request(call["method"], call["path"], call.get("body"))
            while time.perf_counter() < deadline:
                took, status, _ = await connection.send(request)
                found.append(took)
                statuses[status] += 1
                await asyncio.sleep(pause)
            connection.close()
            return found

        found = await asyncio.gather(*map(again, calls))
        return {"ms": {call["name"]: each for call, each in zip(calls, found, strict=True)}, "statuses": statuses}

    async def watch(self, path: str, count: int, timeout: float) -> Answer:
        """Open this many event streams and keep them: how many were answered."""
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        request = self._request("GET", path)
        for start in range(0, count, CONNECTING):
            some = range(start, min(start + CONNECTING, count))
            coming = (loop.create_connection(lambda: Watcher(request), self._host, self._port) for _ in some)
            self._watchers += [watcher for _, watcher in await asyncio.gather(*coming)]
        await asyncio.wait([watcher.answered for watcher in self._watchers], timeout=timeout)
        statuses = Counter(watcher.status for watcher in self._watchers)
        return {"seconds": time.perf_counter() - began, "statuses": statuses}

    async def unwatch(self) -> Answer:
        """Close them: how many events they received, and how many were still open."""
        seen = [watcher.events for watcher in self._watchers]
        still = sum(not watcher.closed for watcher in self._watchers)
        for watcher in self._watchers:
            watcher.transport.abort()
        self._watchers = []
        return {"events": sum(seen), "fewest": min(seen), "open": still}

    # --- requests ----------------------------------------------------------------------------------

    async def _connected(self) -> Connection:
        return Connection(*await asyncio.open_connection(self._host, self._port))

    async def _at_once(self, requests: list[bytes]) -> Answer:
        """Send all requests at the same moment, on connections that were used once before."""
        connections = [await self._connected() for _ in requests]
        for connection in connections:
            await connection.send(self._request("GET", "/health/live"))
        pairs = zip(connections, requests, strict=True)
        answers = await asyncio.gather(*(connection.send(request) for connection, request in pairs))
        for connection in connections:
            connection.close()
        return {"ms": [took for took, _, _ in answers], "statuses": Counter(status for _, status, _ in answers)}

    def _head(self, method: str, path: str, length: int, *, multipart: bool = False) -> bytes:
        kind = f"multipart/form-data; boundary={BOUNDARY}" if multipart else "application/json"
        body = f"Content-Type: {kind}\r\nContent-Length: {length}\r\n" if length else ""
        return f"{method} {path} HTTP/1.1\r\n{self._common}{body}\r\n".encode()

    def _request(self, method: str, path: str, body: Any = None) -> bytes:
        content = json.dumps(body).encode() if body is not None else b""
        return self._head(method, path, len(content)) + content

    def _upload(self, path: str, name: str, content: bytes) -> bytes:
        before, after = _form(name)
        content = before + content + after
        return self._head("POST", path, len(content), multipart=True) + content


def random_text(dice: random.Random, length: int) -> bytes:
    """This many bytes of lines of made-up words."""
    words = [dice.randbytes(dice.randint(1, 5)).hex() for _ in range(WORDS)]
    text = ""
    while len(text) < length:
        text += " ".join(dice.choices(words, k=WORDS)) + ".\n\n"
    return text[:length].encode()


def _form(name: str) -> tuple[bytes, bytes]:
    """The parts of an upload's body before and after the file."""
    disposition = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    before = f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: text/plain\r\n\r\n"
    return before.encode(), f"\r\n--{BOUNDARY}--\r\n".encode()


def _blocks(before: bytes, text: bytes, blocks: int, after: bytes) -> Iterator[bytes]:
    """A large file's body: blocks of the same text, each with its number first."""
    yield before
    for number in range(blocks):
        yield f"{number:014}. ".encode() + text
    yield after


async def serve() -> None:
    """Run commands until standard input ends."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    load = Load(**json.loads(sys.stdin.readline()))
    commands: dict[str, Callable[..., Awaitable[Answer]]] = {
        "burst": load.burst,
        "uploads": load.uploads,
        "large": load.large,
        "probe": load.probe,
        "watch": load.watch,
        "unwatch": load.unwatch,
    }
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        answer = await commands[command.pop("do")](**command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
