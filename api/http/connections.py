"""Limits of a connection that uvicorn does not have: bytes of headers, time for headers and bodies, and
connections of one address.

Without them, one client without a key makes the process grow by gigabytes of headers, and half a request keeps its
connection for ever.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

#: Bytes of a request's line and headers, and of what may stand between the bytes of a chunked body.
MAX_HEADER_BYTES = 32 << 10

#: Seconds from the connection, or from the first byte of a further request, to the end of its headers.
HEADER_SECONDS = 20.0

#: Bytes of a body that have to come in each interval of so many seconds.
BODY_BYTES, BODY_SECONDS = 16 << 10, 30.0

#: Longest message of a WebSocket's client, which has nothing to say.
MAX_MESSAGE_BYTES = 4 << 10

#: The extension of a request's scope with which the application ends its connection: ``{"now": a function}``.
HANG_UP = "holdfast.hang_up"

#: Open connections by address.
OPEN: Counter[str] = Counter()

log = structlog.get_logger()


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with these limits; answers 431, 408 or 429 and closes the connection."""

    _timer: asyncio.TimerHandle | None = None
    _in_body = False
    _header_bytes = 0  # of the request that is being read
    _bytes_outside = 0  # received since the last byte of a body, or the end of a request
    _body_bytes = 0  # in this interval

    def __init__(self, *args: Any, connections_per_address: int = 1 << 20, **options: Any) -> None:
        super().__init__(*args, **options)
        self._most, self._address = connections_per_address, ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        if _opened(self._address) > self._most:
            transport.write(STATUS_LINE[429] + b"retry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            transport.close()
            return
        self._arm(HEADER_SECONDS, self._refuse_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._disarm()
        _closed(self._address)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """The connection goes on with another protocol."""
        self._disarm()
        super().handle_websocket_upgrade()
        _closed(self._address)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._bytes_outside += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if self._bytes_outside > MAX_HEADER_BYTES:
            self._refuse(431)
        elif self._in_body and self._timer is None:
            self._arm(BODY_SECONDS, self._check_body)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"now": self._hang_up}}
        self._header_bytes = 0
        if self._timer is None:
            self._arm(HEADER_SECONDS, self._refuse_slow)

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, also for what follows a chunked body."""
        self._count(len(name) + len(value) + len(": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._disarm()
        self._in_body, self._body_bytes = True, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._bytes_outside = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._disarm()
        self._in_body, self._bytes_outside = False, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called for what the parser refuses, and for what ``_count`` makes it refuse."""
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(431)
        else:
            self._refuse(400)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise ValueError("too many bytes of headers")  # which the parser turns into its own error

    def _check_body(self) -> None:
        """A body that the application does not read, or has not asked for, is not the client's fault."""
        waits_for_us = self.flow.read_paused or self.cycle.waiting_for_100_continue
        if self._body_bytes < BODY_BYTES and not waits_for_us:
            self._refuse_slow()
            return
        self._body_bytes = 0
        self._arm(BODY_SECONDS, self._check_body)

    def _refuse_slow(self) -> None:
        self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Close the connection, after an answer if that is not in the middle of another one.

        Browsers open connections ahead of their requests; one that was never used is closed without a word.
        """
        self._disarm()
        cycle = self.cycle
        idle = cycle is None or cycle.response_complete
        if cycle is None and not self._bytes_outside:
            self.transport.close()
            return
        log.info("connection closed", status=status, client=self.client and self.client[0])
        if not self.pipeline and (idle or (self._in_body and not cycle.response_started)):
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _hang_up(self) -> None:
        """Close the connection at once: what waits in its buffers, megabytes for a slow reader, is dropped."""
        if not self.transport.is_closing():
            raw: socket.socket = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _arm(self, seconds: float, late: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class CountedSocket(WebSocketsSansIOProtocol):
    """uvicorn's protocol of WebSockets, counted among the connections of its address."""

    _address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the protocol before it."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        _opened(self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        _closed(self._address)
        super().connection_lost(exc)


def _opened(address: str) -> int:
    OPEN[address] += 1
    return OPEN[address]


def _closed(address: str) -> None:
    OPEN[address] -= 1
    if not OPEN[address]:
        del OPEN[address]
