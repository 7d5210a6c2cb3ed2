"""Tokens of a provider: what is accepted, and each way in which one is refused."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry
from msgspec.structs import replace

from activities.errors import ProviderRefused
from activities.phrases import Phrase
from api.oidc.provider import key_set
from api.oidc.tokens import (
    LOGOUT_EVENT,
    LOGOUT_SECONDS,
    MAX_CHARACTERS,
    Expected,
    Logout,
    UnknownKey,
    allowed,
    id_token,
    logout_token,
)

NOW = 1_800_000_000.0
EXPECTED = Expected("https://id.example.org", "holdfast", ("RS256", "ES256"))
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
SECRET = OctKey.import_key("s" * 64)
KEYS = key_set({"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]})

CLAIMS: dict[str, Any] = {
    "iss": EXPECTED.issuer,
    "aud": EXPECTED.client_id,
    "sub": "u-1",
    "iat": NOW - 5,
    "exp": NOW + 300,
    "nonce": "n",
}
LOGOUT: dict[str, Any] = {name: CLAIMS[name] for name in ("iss", "aud", "sub", "iat", "exp")} | {
    "jti": "j-1",
    "sid": "s-1",
    "events": {LOGOUT_EVENT: {}},
}


def signed(claims: dict[str, Any], key: Any = RSA, alg: str = "RS256", **header: Any) -> str:
    claims = {name: value for name, value in claims.items() if value is not None}
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jwt.encode({"alg": alg, "kid": "rsa", **header}, claims, key, registry=registry)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def as_id_token(token: str) -> dict[str, Any]:
    return id_token(token, KEYS, EXPECTED, "n", NOW)


def as_logout(token: str) -> Logout:
    return logout_token(token, KEYS, EXPECTED, NOW)


def refusal(token: str, check: Callable[[str], object] = as_id_token) -> Phrase | None:
    with pytest.raises(ProviderRefused) as caught:
        check(token)
    return Phrase.of_code(caught.value.reason.params["@detail"])


@pytest.mark.parametrize(
    ("key", "alg", "kid", "changes"),
    [
        pytest.param(RSA, "RS256", "rsa", {}, id="rsa"),
        pytest.param(EC, "ES256", "ec", {}, id="ec"),
        pytest.param(RSA, "RS256", None, {}, id="no-kid"),
        pytest.param(RSA, "RS256", "rsa", {"aud": ["other", "holdfast"], "azp": "holdfast"}, id="two-audiences"),
        pytest.param(RSA, "RS256", "rsa", {"exp": NOW - 30}, id="within-the-leeway"),
    ],
)
def test_a_right_token_is_accepted(key: Any, alg: str, kid: str | None, changes: dict[str, Any]) -> None:
    """By its key's name, by the only key of its kind, for several audiences, with a slow clock."""
    token = signed(CLAIMS | changes, key, alg, **({"kid": kid} if kid else {}))
    if kid is None:
        token = jwt.encode({"alg": alg}, CLAIMS, key, algorithms=[alg])
    assert id_token(token, KEYS, EXPECTED, "n", NOW)["sub"] == "u-1"


def test_headers_of_providers_are_taken() -> None:
    """Entra ID's thumbprint, and one that no standard knows; but none that is called critical and is not known."""
    assert as_id_token(signed(CLAIMS, x5t="dGh1bWI", vendor="1"))["sub"] == "u-1"
    rest = signed(CLAIMS).partition(".")[2]
    critical = encoded(b'{"alg": "RS256", "kid": "rsa", "crit": ["vendor"], "vendor": "1"}')
    assert refusal(f"{critical}.{rest}") is Phrase.TOKEN_MALFORMED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://id.example.org/"}, Phrase.TOKEN_ISSUER),
        ({"aud": "other"}, Phrase.TOKEN_AUDIENCE),
        ({"aud": None}, Phrase.TOKEN_AUDIENCE),
        ({"aud": "other holdfast"}, Phrase.TOKEN_AUDIENCE),
        ({"aud": ["holdfast", "other"]}, Phrase.TOKEN_AUDIENCE),
        ({"azp": "other"}, Phrase.TOKEN_AUDIENCE),
        ({"exp": NOW - 61}, Phrase.TOKEN_EXPIRED),
        ({"exp": None}, Phrase.TOKEN_CLAIM),
        ({"exp": "2030-01-01"}, Phrase.TOKEN_CLAIM),
        ({"exp": True}, Phrase.TOKEN_CLAIM),
        ({"iat": None}, Phrase.TOKEN_CLAIM),
        ({"iat": NOW + 61}, Phrase.TOKEN_FUTURE),
        ({"nbf": NOW + 61}, Phrase.TOKEN_FUTURE),
        ({"nonce": "m"}, Phrase.TOKEN_NONCE),
        ({"nonce": None}, Phrase.TOKEN_NONCE),
        ({"nonce": ["n"]}, Phrase.TOKEN_NONCE),
        ({"sub": None}, Phrase.TOKEN_CLAIM),
        ({"sub": ""}, Phrase.TOKEN_CLAIM),
        ({"sub": "a\0b"}, Phrase.TOKEN_CLAIM),
        ({"sub": "x" * 256}, Phrase.TOKEN_CLAIM),
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(changes: dict[str, Any], reason: Phrase) -> None:
    """Its issuer, audience, time, nonce and subject, missing or wrong, each with its own reason."""
    assert refusal(signed(CLAIMS | changes)) is reason


@pytest.mark.parametrize("length", ["flipped", "cut", "empty"])
def test_a_changed_signature_is_refused(length: str) -> None:
    """One bit, its end, or all of it."""
    body, _, signature = signed(CLAIMS).rpartition(".")
    changed = {"flipped": ("A" if signature[0] != "A" else "B") + signature[1:], "cut": signature[:-8], "empty": ""}
    assert refusal(f"{body}.{changed[length]}") in (Phrase.TOKEN_SIGNATURE, Phrase.TOKEN_MALFORMED)


def test_changed_claims_are_refused() -> None:
    """The claims of one token under the signature of another."""
    head, _, signature = signed(CLAIMS).split(".")
    other = signed(CLAIMS | {"sub": "u-2"}).split(".")[1]
    assert refusal(f"{head}.{other}.{signature}") is Phrase.TOKEN_SIGNATURE


def test_a_strangers_key_is_refused() -> None:
    """Also under the name of the provider's key; and a key that the token itself brings."""
    assert refusal(signed(CLAIMS, STRANGER)) is Phrase.TOKEN_SIGNATURE
    brought = signed(CLAIMS, STRANGER, jwk=STRANGER.as_dict(private=False))
    assert refusal(brought) in (Phrase.TOKEN_SIGNATURE, Phrase.TOKEN_MALFORMED)


def test_other_algorithms_are_refused() -> None:
    """None at all, a shared secret (also one that is the public key), and one that the provider does not name."""
    body = signed(CLAIMS).split(".")[1]
    none = encoded(b'{"alg": "none"}') + f".{body}."
    shared = signed(CLAIMS, SECRET, "HS256")
    start = encoded(b'{"alg": "HS256", "kid": "rsa"}') + f".{body}"
    confused = f"{start}." + encoded(hmac.digest(RSA.as_pem(private=False), start.encode(), "sha256"))
    unnamed = signed(CLAIMS, RSA, "PS256")
    found = {refusal(token) for token in (none, shared, confused, unnamed)}
    assert found == {Phrase.TOKEN_ALGORITHM}


def test_only_safe_algorithms_of_the_provider_are_allowed() -> None:
    """What it names, without `none` and shared secrets; RS256 if it names nothing."""
    assert allowed(["none", "HS256", "ES256", "RS256"]) == ("RS256", "ES256")
    assert allowed([]) == ("RS256",)
    assert allowed(["none"]) == ()
    with pytest.raises(ProviderRefused):
        id_token(signed(CLAIMS, SECRET, "HS256"), KEYS, replace(EXPECTED, algorithms=()), "n", NOW)


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "ü", "." * 5, "x" * (MAX_CHARACTERS + 1)], ids=range(6))
def test_what_is_no_token_is_refused(token: str) -> None:
    """Without a fault of the server."""
    assert refusal(token) is Phrase.TOKEN_MALFORMED


def test_an_unknown_key_is_told_apart() -> None:
    """So that the provider's keys are read again: it may have new ones."""
    with pytest.raises(UnknownKey):
        id_token(signed(CLAIMS, kid="new"), KEYS, EXPECTED, "n", NOW)


def test_keys_of_other_kinds_are_left_out() -> None:
    """Shared secrets, keys for encryption, unknown kinds and curves; a private key loses its secret part."""
    public = RSA.as_dict(private=False)
    others = [SECRET.as_dict(), public | {"use": "enc"}, {"kty": "new"}, {"kty": "EC", "crv": "none"}, "text", None]
    found = key_set({"keys": [*others, RSA.as_dict(private=True)]})
    assert [key.as_dict() for key in found] == [public]
    assert not key_set({"keys": "none"})


def test_a_right_logout_token_is_accepted() -> None:
    """With a subject, a session or both; the expiry may be missing."""
    assert logout_token(signed(LOGOUT), KEYS, EXPECTED, NOW) == Logout("u-1", "s-1", NOW - 5, "j-1")
    assert logout_token(signed(LOGOUT | {"sub": None, "exp": None}), KEYS, EXPECTED, NOW).subject is None
    assert logout_token(signed(LOGOUT | {"sid": None}, typ="logout+jwt"), KEYS, EXPECTED, NOW).session is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"events": None}, Phrase.TOKEN_NOT_LOGOUT),
        ({"events": {"other": {}}}, Phrase.TOKEN_NOT_LOGOUT),
        ({"events": {LOGOUT_EVENT: None}}, Phrase.TOKEN_NOT_LOGOUT),
        ({"events": [LOGOUT_EVENT]}, Phrase.TOKEN_NOT_LOGOUT),
        ({"nonce": "n"}, Phrase.TOKEN_NOT_LOGOUT),
        ({"jti": None}, Phrase.TOKEN_CLAIM),
        ({"sub": None, "sid": None}, Phrase.TOKEN_CLAIM),
        ({"sid": 7}, Phrase.TOKEN_CLAIM),
        ({"iat": NOW - LOGOUT_SECONDS - 1}, Phrase.TOKEN_EXPIRED),
        ({"exp": NOW - 61}, Phrase.TOKEN_EXPIRED),
        ({"aud": "other"}, Phrase.TOKEN_AUDIENCE),
        ({"iss": "https://other.example.org"}, Phrase.TOKEN_ISSUER),
    ],
    ids=str,
)
def test_a_wrong_logout_token_is_refused(changes: dict[str, Any], reason: Phrase) -> None:
    """Also an ID token, which has a nonce and no event."""
    assert refusal(signed(LOGOUT | changes), as_logout) is reason


def test_one_kind_of_token_is_not_the_other() -> None:
    """An ID token signs nobody out; a logout token signs nobody in."""
    assert refusal(signed(CLAIMS), as_logout) is Phrase.TOKEN_NOT_LOGOUT
    assert refusal(signed(LOGOUT)) is Phrase.TOKEN_NONCE
