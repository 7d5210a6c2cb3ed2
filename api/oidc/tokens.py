"""Validation of the tokens that a provider signs: ID tokens (OpenID Connect Core 3.1.3.7) and logout tokens.

The signature is checked by a maintained library with the provider's public keys and a list of allowed algorithms; the
claims are checked here. Every refusal is a ProviderRefused with its own reason.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from activities.errors import ProviderRefused
from activities.phrases import Phrase

#: Signatures that are accepted. Never ``none``, and none whose key the client shares with the provider.
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)

#: The algorithm of a provider that names none.
DEFAULT_ALGORITHM: Final = "RS256"

#: Seconds by which the clocks of provider and platform may differ.
LEEWAY_SECONDS: Final = 60

#: Seconds after which a logout token is refused; providers send it at once.
LOGOUT_SECONDS: Final = 300

#: Longest token in characters. Tokens with hundreds of groups have some 20,000.
MAX_CHARACTERS: Final = 64_000

#: Longest subject and session id in characters.
MAX_SUBJECT: Final = 255

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


class Expected(msgspec.Struct, frozen=True):
    """What the tokens of a provider have to say: its issuer, and the client's id."""

    issuer: str
    client_id: str
    algorithms: tuple[str, ...]


class Logout(msgspec.Struct, frozen=True):
    """A valid logout token: whose sessions end, those of a subject or one of the provider's sessions."""

    subject: str | None
    session: str | None
    issued_at: float
    id: str


def allowed(named: Sequence[str]) -> tuple[str, ...]:
    """The algorithms of ``ALGORITHMS`` that a provider names."""
    return tuple(each for each in ALGORITHMS if each in (named or (DEFAULT_ALGORITHM,)))


def id_token(token: str, keys: KeySet, expected: Expected, nonce: str, now: float) -> dict[str, Any]:
    """The claims of an ID token. Raises ProviderRefused, and UnknownKey for one of a key that is not in ``keys``."""
    claims = _signed(token, keys, expected)
    _check_origin(claims, expected, now)
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise ProviderRefused(detail=Phrase.TOKEN_NONCE)
    _text(claims, "sub")
    return claims


def logout_token(token: str, keys: KeySet, expected: Expected, now: float) -> Logout:
    """A logout token (Back-Channel Logout 2.6). Raises ProviderRefused and UnknownKey."""
    claims = _signed(token, keys, expected)
    _check_origin(claims, expected, now, demands_expiry=False)
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(LOGOUT_EVENT), Mapping):
        raise ProviderRefused(detail=Phrase.TOKEN_NOT_LOGOUT)
    if "nonce" in claims:
        raise ProviderRefused(detail=Phrase.TOKEN_NOT_LOGOUT)
    issued_at = _number(claims, "iat")
    if issued_at < now - LOGOUT_SECONDS:
        raise ProviderRefused(detail=Phrase.TOKEN_EXPIRED)
    subject, session = (_text(claims, name) if name in claims else None for name in ("sub", "sid"))
    if subject is None and session is None:
        raise ProviderRefused(detail=Phrase.TOKEN_CLAIM, claim="sub")
    return Logout(subject=subject, session=session, issued_at=issued_at, id=_text(claims, "jti"))


class UnknownKey(Exception):
    """The token names a key that the provider did not have when its keys were last read."""


def _signed(token: str, keys: KeySet, expected: Expected) -> dict[str, Any]:
    """The claims of a token whose signature is valid."""
    if len(token) > MAX_CHARACTERS or not token.isascii():
        raise ProviderRefused(detail=Phrase.TOKEN_MALFORMED)
    if not expected.algorithms:  # the library would take its own list
        raise ProviderRefused(detail=Phrase.TOKEN_ALGORITHM)
    registry = JWSRegistry(algorithms=list(expected.algorithms), strict_check_header=False)
    try:
        return jwt.decode(token, lambda found: _key(keys, found.headers()), registry=registry).claims
    except UnsupportedAlgorithmError as exc:
        raise ProviderRefused(detail=Phrase.TOKEN_ALGORITHM) from exc
    except BadSignatureError as exc:
        raise ProviderRefused(detail=Phrase.TOKEN_SIGNATURE) from exc
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise ProviderRefused(detail=Phrase.TOKEN_MALFORMED) from exc


def _key(keys: KeySet, header: Mapping[str, Any]) -> Any:
    """The key that a header names; without a name the only one of its kind."""
    kid, family = header.get("kid"), _FAMILIES.get(str(header.get("alg"))[:2])
    found = [key for key in keys if key.key_type == family and (kid is None or key.as_dict().get("kid") == kid)]
    if len(found) != 1:
        raise UnknownKey()
    return found[0]


_FAMILIES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


def _check_origin(claims: Mapping[str, Any], expected: Expected, now: float, *, demands_expiry: bool = True) -> None:
    """Check who made a token for whom, and when."""
    if claims.get("iss") != expected.issuer:
        raise ProviderRefused(detail=Phrase.TOKEN_ISSUER)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise ProviderRefused(detail=Phrase.TOKEN_AUDIENCE)
    authorized = claims.get("azp")
    if authorized != expected.client_id and (authorized is not None or len(audiences) > 1):
        raise ProviderRefused(detail=Phrase.TOKEN_AUDIENCE)
    if (demands_expiry or "exp" in claims) and _number(claims, "exp") <= now - LEEWAY_SECONDS:
        raise ProviderRefused(detail=Phrase.TOKEN_EXPIRED)
    starts = [_number(claims, "iat"), *([_number(claims, "nbf")] if "nbf" in claims else [])]
    if max(starts) > now + LEEWAY_SECONDS:
        raise ProviderRefused(detail=Phrase.TOKEN_FUTURE)


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise ProviderRefused(detail=Phrase.TOKEN_CLAIM, claim=name)
    return float(value)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SUBJECT or not value.isprintable():
        raise ProviderRefused(detail=Phrase.TOKEN_CLAIM, claim=name)
    return value
