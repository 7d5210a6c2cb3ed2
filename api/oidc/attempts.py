"""An attempt at signing in, between leaving for the provider and coming back from it.

It is kept by the browser that began it, in a signed cookie that scripts cannot read: whoever brings an answer of the
provider without that cookie did not ask for it. Each attempt has a cookie of its own, so that two tabs can sign in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

import msgspec

from activities.errors import ProviderRefused
from activities.phrases import Phrase

PATH: Final = "/api/v1/auth/oidc"
COOKIE: Final = "holdfast_oidc_"

#: Seconds for which an attempt is valid: a person may have to find the second factor.
SECONDS: Final = 900

#: What the signature is for, so that the key signs nothing else of the same form.
_PURPOSE: Final = b"holdfast oidc attempt 1\0"


class Attempt(msgspec.Struct, frozen=True):
    """``state`` comes back in the provider's answer, ``nonce`` in its token; ``verifier`` proves who began (PKCE)."""

    state: str
    nonce: str
    verifier: str
    expires_at: float

    @property
    def challenge(self) -> str:
        """The hash of the verifier, which goes to the provider first (S256)."""
        return _encoded(hashlib.sha256(self.verifier.encode()).digest())

    @property
    def cookie(self) -> str:
        """The name of its cookie."""
        return cookie_of(self.state)


def cookie_of(state: str) -> str:
    """The name of the cookie of an attempt with this state."""
    return COOKIE + hashlib.sha256(state.encode()).hexdigest()[:16]


def begin(now: float) -> Attempt:
    """A new attempt."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Attempt(state, nonce, verifier, expires_at=now + SECONDS)


def sealed(attempt: Attempt, key: bytes) -> str:
    """The value of its cookie."""
    content = msgspec.json.encode(attempt)
    return f"{_encoded(content)}.{_encoded(_signature(content, key))}"


def opened(cookies: Mapping[str, str], state: str, key: bytes, now: float) -> Attempt:
    """The attempt with this state, that this browser began. Raises ProviderRefused."""
    content, _, signature = cookies.get(cookie_of(state), "").partition(".")
    try:
        raw = _decoded(content)
        if not raw or not hmac.compare_digest(_decoded(signature), _signature(raw, key)):
            raise ProviderRefused(detail=Phrase.SIGN_IN_STATE)
        attempt = msgspec.json.decode(raw, type=Attempt)
    except (ValueError, msgspec.DecodeError) as exc:
        raise ProviderRefused(detail=Phrase.SIGN_IN_STATE) from exc
    if not hmac.compare_digest(attempt.state.encode(), state.encode()) or attempt.expires_at <= now:
        raise ProviderRefused(detail=Phrase.SIGN_IN_STATE)
    return attempt


def _signature(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + content, "sha256")


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
