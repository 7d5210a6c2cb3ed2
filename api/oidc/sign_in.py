"""The way to the provider and back: the address to go to, and the claims that its code stands for."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from httpx import QueryParams

from activities.errors import ProviderRefused
from activities.phrases import Phrase
from activities.settings import OidcSettings
from api.oidc import tokens
from api.oidc.attempts import Attempt
from api.oidc.provider import Provider


async def authorization_url(provider: Provider, settings: OidcSettings, attempt: Attempt, redirect_uri: str) -> str:
    """Where the browser goes to sign in. Raises IdentityProviderUnavailable."""
    endpoint = (await provider.description()).authorization_endpoint
    query = QueryParams(
        {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": settings.scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
    )
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


async def claims_of(
    provider: Provider, settings: OidcSettings, attempt: Attempt, code: str, redirect_uri: str
) -> dict[str, Any]:
    """The checked claims of the person for whom the provider has given a code.

    The provider's user information adds what its token leaves out. Raises ProviderRefused and
    IdentityProviderUnavailable.
    """
    given = await provider.tokens(code, attempt.verifier, redirect_uri)
    check = partial(_id_token, given.id_token, attempt.nonce)
    claims: dict[str, Any] = await provider.checked(check)
    if {"name", "preferred_username", settings.groups_claim or "sub"} <= claims.keys():
        return claims
    more = await provider.userinfo(given.access_token)
    if more and more.get("sub") != claims["sub"]:
        raise ProviderRefused(detail=Phrase.SIGN_IN_SUBJECT)
    return more | claims


def _id_token(token: str, nonce: str, keys: Any, expected: tokens.Expected) -> dict[str, Any]:
    return tokens.id_token(token, keys, expected, nonce, time.time())
