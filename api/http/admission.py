"""Backpressure: the API refuses uploads early and clearly instead of drowning in them.

What is refused was not read: the answer comes before the body. What was accepted is never refused later.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from async_lru import alru_cache
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from activities.errors import TooManyPending, TooManyUploads
from activities.settings import ApiSettings
from activities.stores.catalog.catalog import Catalog

#: What a refused client is told to wait, in seconds: requests come and go, documents take their time.
BUSY_SECONDS, FULL_SECONDS = 1, 30

#: Seconds for which the number of pending documents is taken as known.
COUNTED_SECONDS = 1.0


class Admission:
    """How many uploads are being taken in and how many documents are pending, in total and for each user."""

    def __init__(self, catalog: Catalog, settings: ApiSettings) -> None:
        self._catalog, self._settings = catalog, settings
        self._uploading: Counter[str] = Counter()

    async def enter(self, user: str) -> None:
        """Let an upload in, until ``leave``. Raises TooManyUploads or TooManyPending."""
        settings, pending = self._settings, await self.pending()
        if pending.get(user, 0) >= settings.max_pending_per_user or sum(pending.values()) >= settings.max_pending:
            raise TooManyPending(seconds=FULL_SECONDS)
        if self._uploading[user] >= settings.max_uploads_per_user or self._uploading.total() >= settings.max_uploads:
            raise TooManyUploads(seconds=BUSY_SECONDS)
        self._uploading[user] += 1

    def leave(self, user: str) -> None:
        """An upload was answered."""
        self._uploading[user] -= 1
        if not self._uploading[user]:
            del self._uploading[user]

    @alru_cache(ttl=COUNTED_SECONDS)
    async def pending(self) -> dict[str, int]:
        """Documents that are accepted and not finished, by user."""
        return await self._catalog.intake.pending()


class UploadGate(ASGIMiddleware):
    """Around the routes that take files in; after authentication, before the body is read."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let the request in, or answer 429."""
        if scope.get("method") != "POST":
            await next_app(scope, receive, send)
            return
        admission: Admission = scope["litestar_app"].state.admission
        principal: Any = scope["user"]
        await admission.enter(principal.subject)
        try:
            await next_app(scope, receive, send)
        finally:
            admission.leave(principal.subject)
