"""Who is calling: every request carries an API key, whose subject is the actor of all that it does."""

from __future__ import annotations

from typing import Any

import structlog
from litestar.connection import ASGIConnection
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult

from activities.errors import Unauthenticated
from activities.settings import Settings
from activities.stores.catalog import Catalog

#: The subject and role of the key that the first start makes.
FIRST_SUBJECT = "admin"
FIRST_ROLE = "admin"

#: Paths that need no key: they show nothing that is stored.
OPEN_PATHS = ["^/$", "^/web/", "^/health/", "^/schema"]


class ApiKeyAuthentication(AbstractAuthenticationMiddleware):
    """``Authorization: Bearer <key>``; anything else is a 401."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """The key's owner. Raises Unauthenticated."""
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        catalog: Catalog = connection.app.state.stores.catalog
        principal = await catalog.keys.find(key.strip()) if scheme.lower() == "bearer" and key else None
        if principal is None:
            raise Unauthenticated()
        structlog.contextvars.bind_contextvars(actor=principal.subject)
        return AuthenticationResult(user=principal, auth=None)


async def first_key(settings: Settings) -> str | None:
    """On the very first start, make the administrator's key and return it; None ever after."""
    catalog = Catalog(settings.catalog_url)
    try:
        if await catalog.keys.count():
            return None
        return await catalog.keys.create(FIRST_SUBJECT, FIRST_ROLE)
    finally:
        await catalog.close()
