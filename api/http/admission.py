"""Backpressure: limits uploads in progress and pending documents, in total and per user.

Uploads over a limit are answered 429 before their body is read. An accepted upload is never refused later.
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

#: Retry-After in seconds for too many uploads and for too many pending documents, which take longer to drain.
BUSY_SECONDS, FULL_SECONDS = 1, 30

#: Seconds for which the number of pending documents is cached.
COUNTED_SECONDS = 1.0


class Admission:
    """Counts uploads in progress and pending documents, in total and per user."""

    def __init__(self, catalog: Catalog, settings: ApiSettings) -> None:
        self._catalog, self._settings = catalog, settings
        self._uploading: Counter[str] = Counter()

    async def enter(self, user: str) -> None:
        """Count an upload until ``leave``. Raises TooManyUploads or TooManyPending."""
        settings, pending = self._settings, await self.pending()
        if pending.get(user, 0) >= settings.max_pending_per_user or sum(pending.values()) >= settings.max_pending:
            raise TooManyPending(seconds=FULL_SECONDS)
        if self._uploading[user] >= settings.max_uploads_per_user or self._uploading.total() >= settings.max_uploads:
            raise TooManyUploads(seconds=BUSY_SECONDS)
        self._uploading[user] += 1

    def leave(self, user: str) -> None:
        """End an upload that ``enter`` admitted."""
        self._uploading[user] -= 1
        if not self._uploading[user]:
            del self._uploading[user]

    @property
    def uploading(self) -> int:
        """Uploads in progress."""
        return self._uploading.total()

    @alru_cache(ttl=COUNTED_SECONDS)
    async def pending(self) -> dict[str, int]:
        """Number of accepted, unfinished documents by user."""
        return await self._catalog.intake.pending()


class UploadGate(ASGIMiddleware):
    """Middleware of the upload routes; runs after authentication and before the body is read."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on. Raises TooManyUploads or TooManyPending (429)."""
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
