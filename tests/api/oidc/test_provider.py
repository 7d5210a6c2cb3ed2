"""The provider's client against a real, certified provider, and against ones that misbehave."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import KeySet, RSAKey
from msgspec.structs import replace

from activities.errors import IdentityProviderUnavailable, ProviderRefused
from activities.settings import OidcSettings
from api.oidc.attempts import begin
from api.oidc.provider import FRESH_SECONDS, MAX_BYTES, RETRY_SECONDS, Provider, is_safe
from api.oidc.sign_in import authorization_url, claims_of
from api.oidc.tokens import Expected, UnknownKey
from tests.api.oidc.identity import CLIENT_ID, SECRET, running_provider, signed_in_at

PAGE = "http://127.0.0.1:1"
REDIRECT = f"{PAGE}/api/v1/auth/oidc/callback"
PEOPLE = {"ana": {"name": "Ana Li", "email": "ana@example.org", "groups": ["staff", "hr"]}}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with running_provider(PAGE, PEOPLE) as found:
        yield found


def settings_for(issuer: str, **more: Any) -> OidcSettings:
    return OidcSettings(**({"issuer": issuer, "client_id": CLIENT_ID, "client_secret": SECRET} | more))


def code_of(url: str, person: str) -> dict[str, str]:
    """The parameters with which the provider sends a person back."""
    with httpx.Client() as browser:
        location = signed_in_at(browser, url, person).headers["location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


async def test_a_code_becomes_the_claims_of_a_person(issuer: str) -> None:
    """With PKCE, a secret of odd characters, state and nonce; the groups come from the provider's user information."""
    settings, attempt = settings_for(issuer), begin(time.time())
    async with aclosing(Provider(settings)) as provider:
        found = code_of(await authorization_url(provider, settings, attempt, REDIRECT), "ana")
        assert (found["state"], found["iss"]) == (attempt.state, issuer)
        claims = await claims_of(provider, settings, attempt, found["code"], REDIRECT)
        assert {name: claims[name] for name in ("sub", "name", "groups", "email")} == {"sub": "ana"} | PEOPLE["ana"]
        with pytest.raises(ProviderRefused):  # a code is good for once
            await claims_of(provider, settings, attempt, found["code"], REDIRECT)


@pytest.mark.parametrize("wrong", ["verifier", "nonce", "secret"])
async def test_a_code_of_another_attempt_is_refused(issuer: str, wrong: str) -> None:
    """By the provider, for a wrong verifier or secret; by us, for a token with another nonce."""
    settings = settings_for(issuer, **({"client_secret": "x"} if wrong == "secret" else {}))
    attempt, other = begin(time.time()), begin(time.time())
    sent = attempt if wrong == "secret" else replace(attempt, **{wrong: getattr(other, wrong)})
    async with aclosing(Provider(settings)) as provider:
        found = code_of(await authorization_url(provider, settings, sent, REDIRECT), "ana")
        with pytest.raises(ProviderRefused):
            await claims_of(provider, settings, attempt, found["code"], REDIRECT)


# --- Providers that misbehave ---

ISSUER = "https://id.example.org"
DESCRIPTION = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "userinfo_endpoint": f"{ISSUER}/me",
}
KEY = RSAKey.generate_key(2048, {"kid": "k"})


class Answers:
    """A provider by hand: `path` → status and body; counts what it is asked."""

    def __init__(self, **changes: Any) -> None:
        self.paths: dict[str, tuple[int, Any]] = {
            "/.well-known/openid-configuration": (200, DESCRIPTION | changes),
            "/jwks": (200, {"keys": [KEY.as_dict(private=False)]}),
        }
        self.asked: list[str] = []
        self.down = False
        self.now = 0.0

    def provider(self, issuer: str = ISSUER) -> Provider:
        transport = httpx.MockTransport(self._answer)
        return Provider(settings_for(issuer), transport=transport, clock=lambda: self.now)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("refused")
        status, body = self.paths[request.url.path]
        return httpx.Response(status, content=body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/.well-known/openid-configuration", 404, b""),
        ("/.well-known/openid-configuration", 302, b""),
        ("/.well-known/openid-configuration", 200, b"<html>"),
        ("/.well-known/openid-configuration", 200, b"[" * 100_000),
        ("/.well-known/openid-configuration", 200, b'"' + b"x" * MAX_BYTES + b'"'),
        ("/.well-known/openid-configuration", 200, DESCRIPTION | {"issuer": f"{ISSUER}/"}),
        ("/.well-known/openid-configuration", 200, DESCRIPTION | {"jwks_uri": "http://id.example.org/jwks"}),
        ("/.well-known/openid-configuration", 200, DESCRIPTION | {"jwks_uri": "file:///etc/passwd"}),
        ("/jwks", 500, b""),
        ("/jwks", 200, b"[]"),
    ],
    ids=range(10),
)
async def test_a_provider_that_misbehaves_is_unavailable(path: str, status: int, body: Any) -> None:
    """Its errors, redirects, rubbish, floods, another issuer, and addresses without TLS."""
    answers = Answers()
    answers.paths[path] = (status, body)
    with pytest.raises(IdentityProviderUnavailable):
        await answers.provider().description()


async def test_description_and_keys_are_kept_for_a_while() -> None:
    """Asked for once an hour; what is known is used on while the provider is down, and it is not asked by each."""
    answers = Answers()
    provider = answers.provider()
    for _ in range(3):
        await provider.description()
    assert len(answers.asked) == 2
    answers.now, answers.down = FRESH_SECONDS + 1, True
    for _ in range(3):
        assert (await provider.description()).issuer == ISSUER
    assert len(answers.asked) == 3
    answers.now, answers.down = answers.now + RETRY_SECONDS, False
    await provider.description()
    assert len(answers.asked) == 5


async def test_a_provider_that_was_never_reached_is_asked_again() -> None:
    """The first sign-in after it has come back works."""
    answers = Answers()
    answers.down = True
    provider = answers.provider()
    with pytest.raises(IdentityProviderUnavailable):
        await provider.description()
    answers.down = False
    assert (await provider.description()).issuer == ISSUER


async def test_new_keys_are_read_when_a_token_needs_them() -> None:
    """At most every ten seconds, so that tokens with invented keys cannot make us flood the provider."""
    answers = Answers()
    provider = answers.provider()

    def check(keys: KeySet, expected: Expected) -> str:
        if "new" not in [key.as_dict()["kid"] for key in keys]:
            raise UnknownKey
        return expected.issuer

    for _ in range(3):
        with pytest.raises(ProviderRefused):
            await provider.checked(check)
    assert answers.asked.count("/jwks") == 1
    answers.paths["/jwks"] = (200, {"keys": [KEY.as_dict(private=False) | {"kid": "new"}]})
    answers.now = RETRY_SECONDS
    assert await provider.checked(check) == ISSUER


def test_addresses_are_asked_over_tls() -> None:
    """But for those of this machine."""
    safe = {
        "https://id.example.org/a": True,
        "http://127.0.0.1:1/a": True,
        "http://localhost/a": True,
        "http://[::1]/": True,
    }
    unsafe = ["http://id.example.org", "http://127.0.0.1.example.org", "ftp://127.0.0.1", "https://", "x", "file:///a"]
    assert {url: is_safe(url) for url in [*safe, *unsafe]} == safe | dict.fromkeys(unsafe, False)
