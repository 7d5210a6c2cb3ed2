"""Authentication by API key or access token; the owner of the key, or the user, is the actor of the request."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import structlog
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketDisconnect
from litestar.middleware import ASGIMiddleware
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from activities.errors import DependencyError, Unauthenticated
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from activities.telemetry import origin
from activities.telemetry.scraping import is_scraper
from api.http.access import SCRAPED, Access
from api.http.callers import Callers

#: The subject and role of the key that the first start creates.
FIRST_SUBJECT = "admin"
FIRST_ROLE = "admin"

#: Seconds between two looks whether the key of an open stream is still valid.
STREAM_KEY_SECONDS = 5.0

#: The close code of a socket whose key was revoked.
WS_POLICY_VIOLATION = 1008

#: The WebSocket subprotocol that carries a key: ``holdfast.key.<key>``, offered beside ``holdfast``.
PROTOCOL, KEY_PROTOCOL = "holdfast", "holdfast.key."

#: Paths that need no key, because they show no stored data. Their routes are declared public (``api.http.access``).
OPEN_PATHS = [
    *("^/$", "^/web/", "^/health/", "^/schema"),
    "^/api/v1/auth/(token|refresh|invitations/accept|methods)$",
    "^/api/v1/auth/(browser(/refresh|/sign-out)?|oidc(/callback|/backchannel-logout)?)$",
]


#: The caller with the token for metrics. Authentication knows it on the routes of metrics only.
SCRAPER = Principal(subject="metrics", role="operator", platform=("operator",))


class ApiKeyAuthentication(AbstractAuthenticationMiddleware):
    """``Authorization: Bearer <key or access token>``; anything else is a 401."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """The key's owner. Raises Unauthenticated."""
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        if not key and connection.scope["type"] == ScopeType.WEBSOCKET:
            scheme, key = "bearer", _key_of_subprotocol(connection)
        if _may_scrape(connection, scheme, key.strip()):
            return AuthenticationResult(user=SCRAPER, auth=None)
        callers: Callers = connection.app.state.callers
        principal = await callers.find(key.strip()) if scheme.lower() == "bearer" and key else None
        if principal is None:
            raise Unauthenticated()
        structlog.contextvars.bind_contextvars(actor=principal.subject)
        origin.begin(msgspec.structs.replace(origin.current(), key_id=principal.key_id))
        return AuthenticationResult(user=principal, auth=partial(callers.again, key.strip(), principal))


class RevokedKeys(ASGIMiddleware):
    """Ends event streams and sockets whose key, session, user or grant has ended; runs after authentication."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on; its messages are sent while the key is valid."""
        owner: Callable[[], Awaitable[Principal | None]] | None = scope.get("auth")
        if owner is None:
            await next_app(scope, receive, send)
            return
        checked, streams = time.monotonic(), scope["type"] == ScopeType.WEBSOCKET

        async def send_while_valid(message: Message) -> None:
            nonlocal checked, streams
            if message["type"] == "http.response.start":
                streams = any(b"text/event-stream" in value for _, value in message["headers"])
            elif streams and time.monotonic() - checked > STREAM_KEY_SECONDS:
                if await _is_revoked(owner, scope):
                    await _end(message, send)
                    return
                checked = time.monotonic()
            await send(message)

        await next_app(scope, receive, send_while_valid)


async def _is_revoked(owner: Callable[[], Awaitable[Principal | None]], scope: Scope) -> bool:
    """Whether the caller certainly lost its access: while the catalogue is down, streams go on."""
    try:
        principal = await owner()
    except DependencyError:
        return False
    if principal is None:
        return True
    access: Access = scope["litestar_app"].state.access
    return not await access.goes_on(scope["user"], principal, scope["route_handler"], scope)


async def _end(message: Message, send: Send) -> None:
    """End a stream in place of its next message. Raises WebSocketDisconnect in the handler of a socket."""
    if message["type"] == "http.response.body":
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    elif message["type"] == "websocket.send":
        await send({"type": "websocket.close", "code": WS_POLICY_VIOLATION, "reason": None})
        raise WebSocketDisconnect(detail="the key was revoked", code=WS_POLICY_VIOLATION)
    else:
        await send(message)


def _may_scrape(connection: ASGIConnection[Any, Any, Any, Any], scheme: str, token: str) -> bool:
    """Whether a request reads metrics with the token for that; for every other route it is a wrong key."""
    scraped = bool(connection.route_handler.opt.get(SCRAPED))
    return scraped and scheme.lower() == "bearer" and is_scraper(connection.app.state.settings.metrics, token)


def _key_of_subprotocol(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Browsers cannot set headers of a WebSocket; they offer the key as a subprotocol, never in the URL."""
    offered = connection.headers.get("sec-websocket-protocol", "").split(",")
    return next((each.strip().removeprefix(KEY_PROTOCOL) for each in offered if KEY_PROTOCOL in each), "")


async def first_key(settings: Settings) -> str | None:
    """Create and return the administrator's key if the catalogue has no key yet; otherwise None."""
    catalog = Catalog(settings.catalog_url)
    try:
        if await catalog.api_keys.count():
            return None
        return await catalog.api_keys.create(FIRST_SUBJECT, FIRST_ROLE)
    finally:
        await catalog.close()
