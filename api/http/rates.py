"""How often one key may ask, and how often one address may come with a wrong key or none.

The counts are those of this process: several API processes allow several times as much. Right keys are never refused
for the wrong ones of their neighbours behind one address.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from activities.errors import TooManyRequests, Unauthenticated
from activities.stores.catalog.records import Principal

#: Callers that are counted at once; those who were quiet longest are forgotten.
MOST_CALLERS = 10_000


class Buckets:
    """Token buckets by caller: each may do ``per_minute`` at once, and gets as many again in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = float(per_minute), clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count one. Raises TooManyRequests with the seconds until the next."""
        now = self._clock()
        left, then = self._left.pop(caller, (self._most, now))
        left = min(self._most, left + (now - then) * self._most / 60)
        if left < 1:
            self._left[caller] = (left, now)
            raise TooManyRequests(seconds=math.ceil((1 - left) * 60 / self._most))
        self._left[caller] = (left - 1, now)
        if len(self._left) > MOST_CALLERS:
            self._left.popitem(last=False)


class RefusalRate(ASGIMiddleware):
    """Around authentication: an address that is refused too often gets 429 instead of 401."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    def __init__(self, per_minute: int) -> None:
        self._buckets = Buckets(per_minute)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on. Raises Unauthenticated or TooManyRequests."""
        try:
            await next_app(scope, receive, send)
        except Unauthenticated:
            client = scope.get("client")
            self._buckets.take(client[0] if client else "")
            raise


class KeyRate(ASGIMiddleware):
    """After authentication: each key has its rate."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    def __init__(self, per_minute: int) -> None:
        self._buckets = Buckets(per_minute)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on. Raises TooManyRequests."""
        principal = scope.get("user")
        if isinstance(principal, Principal):
            self._buckets.take(principal.key_id or principal.subject)
        await next_app(scope, receive, send)
