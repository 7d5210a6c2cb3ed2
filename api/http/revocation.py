"""What is open ends soon after its key, session, user or grant: streams, downloads, exports, uploads, and sockets.

One check for all of them, in the layer behind authentication: whatever takes longer than ``CHECK_SECONDS`` has its
caller's rights looked up again, and again after that. The server hangs up on an answer of a caller that lost them,
silent or not; to the program behind the answer this is a client that has left. No client takes what it got for the
whole, since no body ends with its connection. A socket is closed with its own code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from activities.errors import DependencyError
from activities.stores.catalog.records import Principal
from api.http.access import Access
from api.http.connections import HANG_UP

#: Seconds between two looks at the rights of a caller whose request is still open.
CHECK_SECONDS = 5.0

#: The close code of a socket whose caller lost its access.
WS_POLICY_VIOLATION = 1008

log = structlog.get_logger()

Again = Callable[[], Awaitable[Principal | None]]


class RevokedAccess(ASGIMiddleware):
    """Ends requests and sockets whose caller lost the access that they began with; runs after authentication."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on, and watch its caller until it ends."""
        again: Again | None = scope.get("auth")
        if again is None:
            await next_app(scope, receive, send)
        elif scope["type"] == ScopeType.HTTP:
            watch = asyncio.create_task(_hang_up_later(again, scope))
            try:
                await next_app(scope, receive, send)
            finally:
                watch.cancel()
        else:
            await _socket(again, scope, receive, send, next_app)


async def _hang_up_later(again: Again, scope: Scope) -> None:
    await _revoked(again, scope)
    log.info("access was revoked: connection closed", path=scope["path"])
    scope["extensions"][HANG_UP]["now"]()  # type: ignore[index,operator]


async def _socket(again: Again, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
    """Run a socket's handler, which is canceled wherever it waits when the caller's access has ended."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as limit:
            watch = asyncio.create_task(_revoked(again, scope))
            watch.add_done_callback(lambda done: None if done.cancelled() else limit.reschedule(loop.time()))
            try:
                await next_app(scope, receive, send)
            finally:
                watch.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        await send({"type": "websocket.close", "code": WS_POLICY_VIOLATION, "reason": None})


async def _revoked(again: Again, scope: Scope) -> None:
    """Returns when the caller has certainly lost its access: while the catalogue is down, requests go on."""
    access: Access = scope["litestar_app"].state.access
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            principal = await again()
            if principal is None or not await access.goes_on(scope["user"], principal, scope["route_handler"], scope):
                return
        except DependencyError:
            continue
