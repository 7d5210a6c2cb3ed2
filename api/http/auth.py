"""Authentication by API key or access token; the owner of the key, or the user, is the actor of the request."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import structlog
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult

from activities.errors import Unauthenticated
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from activities.telemetry import origin
from activities.telemetry.scraping import is_scraper
from api.http.access import SCRAPED
from api.http.callers import Callers

#: The subject and role of the key that the first start creates.
FIRST_SUBJECT = "admin"
FIRST_ROLE = "admin"

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
