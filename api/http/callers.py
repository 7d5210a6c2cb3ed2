"""Who calls: the owner of an API key, or the user of the session that an access token is of."""

from __future__ import annotations

from async_lru import alru_cache

from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.api_keys import KEY_PREFIX
from activities.stores.catalog.records import Principal
from api.http.tokens import AccessTokens

#: Seconds for which rights are cached: what is revoked or taken away stops working after at most this time.
KEY_SECONDS = 1.0


class Callers:
    """Finds callers with their present rights."""

    def __init__(self, catalog: Catalog, tokens: AccessTokens) -> None:
        self._of_key = alru_cache(maxsize=1024, ttl=KEY_SECONDS)(catalog.api_keys.find)
        self._of_session = alru_cache(maxsize=1024, ttl=KEY_SECONDS)(catalog.sessions.find)
        self._tokens = tokens

    async def find(self, credential: str) -> Principal | None:
        """The caller with this key or access token; None if it is wrong or over."""
        if credential.startswith(KEY_PREFIX):
            return await self._of_key(credential)
        session = self._tokens.session_of(credential)
        return await self._of_session(session) if session else None

    async def again(self, credential: str, before: Principal) -> Principal | None:
        """The caller of an open stream: the session counts, not the end of the token that it began with."""
        return await (self._of_session(before.session_id) if before.session_id else self._of_key(credential))

    def forget_all(self) -> None:
        """Read everybody's rights again at their next request, after a request has given some to its caller."""
        self._of_key.cache_clear()
        self._of_session.cache_clear()

    def forget(self, session_id: str) -> None:
        """Read the rights of a session again at its next request, after its user has changed them."""
        self._of_session.cache_invalidate(session_id)
