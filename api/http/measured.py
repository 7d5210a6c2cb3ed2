"""The outermost layer of the application: counts and traces requests by route, also those that are refused.

OpenTelemetry's own instrumentation of ASGI would tell queries, in which texts stand, and begin a span for each message.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from activities.telemetry import metrics, names, tracing

#: Other methods, which a client can make up, are counted together.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


#: Paths that are not traced: files, and what others ask for every few seconds.
UNTRACED: Final = ("/health/", "/metrics", "/web/", "/schema")


class Measured:
    """Counts each request with its route, method and status, and the time until its response begins; and traces it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] not in (ScopeType.HTTP, ScopeType.WEBSOCKET):
            await self._app(scope, receive, send)
        elif not tracing.is_on() or scope["path"].startswith(UNTRACED):
            await self._counted(scope, receive, send, tracing.NOTHING)
        else:
            with (
                tracing.within(_header(scope, tracing.TRACEPARENT)),
                tracing.span(_method(scope), {names.HTTP_METHOD: _method(scope)}, "SERVER", root=True) as span,
            ):
                await self._counted(scope, receive, send, span)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, span: tracing.Span) -> None:
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
                span.rename(f"{_method(scope)} {_route(scope)}")
                span.set({names.HTTP_ROUTE: _route(scope), names.HTTP_STATUS: status or 499})
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.fail(str(status))


def _header(scope: Scope, name: str) -> str | None:
    key = name.encode()
    return next((value.decode("latin-1") for found, value in scope["headers"] if found == key), None)


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
