"""The outermost layer of the application: counts requests by route, also those that are refused."""

from __future__ import annotations

import time
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from activities.telemetry import metrics

#: Other methods, which a client can make up, are counted together.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """Counts each request with its route, method and status, and the time until its response begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] not in (ScopeType.HTTP, ScopeType.WEBSOCKET):
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def send_measured(message: Message) -> None:
            nonlocal status
            if not status:
                status = _status_of(message)
                if status:
                    metrics.REQUEST_SECONDS.labels(_method(scope), _route(scope)).observe(time.perf_counter() - began)
            await send(message)

        with metrics.REQUESTS_IN_PROGRESS.track_inprogress():
            try:
                await self._app(scope, receive, send_measured)
            finally:  # without a status its client left, or the server failed to answer
                metrics.REQUESTS.labels(_method(scope), _route(scope), str(status or 499)).inc()


def _status_of(message: Message) -> int:
    """The status that the message begins a response with; 0 for another message."""
    if message["type"] == "http.response.start":
        return int(message["status"])
    if message["type"] == "websocket.accept":
        return 101
    return 403 if message["type"] == "websocket.close" else 0


def _method(scope: Scope) -> str:
    if scope["type"] == ScopeType.WEBSOCKET:
        return "websocket"
    return str(scope["method"]) if scope["method"] in METHODS else metrics.OTHER


def _route(scope: Scope) -> str:
    """The path of the route, with the names of its parameters; one name for all paths without a route."""
    return str(scope.get("path_template") or metrics.OTHER)
