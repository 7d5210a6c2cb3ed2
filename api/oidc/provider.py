"""The provider: its description (discovery), its public keys, and the calls that trade a code for tokens.

The operator names the issuer, and a company's own provider may well stand in an internal network: its addresses are
therefore not restricted as those of webhooks are. It is asked over https only, except on this machine. Redirects are
not followed, and answers are limited in size and time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from activities.errors import IdentityProviderUnavailable, ProviderRefused, first_line
from activities.phrases import Phrase
from activities.settings import OidcSettings
from api.oidc.tokens import Expected, UnknownKey, allowed

#: Seconds for one call to the provider, and bytes of its answer.
SECONDS: Final = 10.0
MAX_BYTES: Final = 1 << 20

#: Seconds after which description and keys are read again, and after which a token with an unknown key has them read.
FRESH_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 10.0

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")


class Description(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0), as far as it is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    backchannel_logout_supported: bool = False


class Tokens(msgspec.Struct, frozen=True):
    """The answer of the token endpoint."""

    id_token: str
    access_token: str = ""


class _Known(msgspec.Struct, frozen=True):
    description: Description
    keys: KeySet
    at: float


class Provider:
    """The provider that the settings name. Methods raise IdentityProviderUnavailable."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._client = httpx.AsyncClient(transport=transport, timeout=SECONDS, headers={"accept": "application/json"})
        self._known: _Known | None = None
        self._lock = asyncio.Lock()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def description(self) -> Description:
        """The provider's description, at most ``FRESH_SECONDS`` old; an older one while the provider is down."""
        return (await self._fresh()).description

    async def checked(self, check: Callable[[KeySet, Expected], Any]) -> Any:
        """Check a token; once more with newly read keys if it is signed by an unknown one. Raises ProviderRefused."""
        known = await self._fresh()
        try:
            return check(known.keys, self._expected(known))
        except UnknownKey:
            known = await self._fresh(RETRY_SECONDS)
        try:
            return check(known.keys, self._expected(known))
        except UnknownKey as exc:
            raise ProviderRefused(detail=Phrase.TOKEN_SIGNATURE) from exc

    async def tokens(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Trade a code for tokens. Raises ProviderRefused if the provider does not take it."""
        description = await self.description()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        auth, secret = None, self._settings.client_secret
        methods = description.token_endpoint_auth_methods_supported
        if not secret:
            form["client_id"] = self._settings.client_id
        elif next((each for each in methods if each in _SECRET_METHODS), "") == "client_secret_post":
            form |= {"client_id": self._settings.client_id, "client_secret": secret}
        else:
            auth = _basic(self._settings.client_id, secret)
        status, body = await self._ask("POST", description.token_endpoint, data=form, auth=auth)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _bad_status(status, description.token_endpoint)
        if status != HTTPStatus.OK:
            raise ProviderRefused(detail=Phrase.SIGN_IN_CODE, said=_error_of(body))
        try:
            return msgspec.json.decode(body, type=Tokens)
        except msgspec.DecodeError as exc:
            raise ProviderRefused(detail=Phrase.TOKEN_MALFORMED) from exc

    async def userinfo(self, access_token: str) -> dict[str, Any]:
        """What the provider says of the owner of a token; nothing if it has no such endpoint."""
        endpoint = (await self.description()).userinfo_endpoint
        if not endpoint or not access_token:
            return {}
        status, body = await self._ask("GET", endpoint, headers={"authorization": f"Bearer {access_token}"})
        if status != HTTPStatus.OK:
            raise _bad_status(status, endpoint)
        claims: dict[str, Any] = _decoded(body, dict[str, Any])
        return claims

    def _expected(self, known: _Known) -> Expected:
        named = known.description.id_token_signing_alg_values_supported
        return Expected(known.description.issuer, self._settings.client_id, allowed(named))

    async def _fresh(self, seconds: float = FRESH_SECONDS) -> _Known:
        """Description and keys, read again if they are older than ``seconds``; old ones while the provider is down."""
        async with self._lock:
            known, now = self._known, self._clock()
            if known is not None and now - known.at < seconds:
                return known
            try:
                self._known = await self._read(now)
            except IdentityProviderUnavailable:
                if known is None:
                    raise
                at = now - FRESH_SECONDS + RETRY_SECONDS  # asked again soon, not by each request
                self._known = msgspec.structs.replace(known, at=at)
            return self._known

    async def _read(self, now: float) -> _Known:
        url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, body = await self._ask("GET", url)
        if status != HTTPStatus.OK:
            raise _bad_status(status, url)
        description = _decoded(body, Description)
        if description.issuer != self._settings.issuer:
            raise IdentityProviderUnavailable(detail=Phrase.PROVIDER_ISSUER, said=description.issuer)
        status, body = await self._ask("GET", description.jwks_uri)
        if status != HTTPStatus.OK:
            raise _bad_status(status, description.jwks_uri)
        return _Known(description, key_set(_decoded(body, dict[str, Any])), now)

    async def _ask(self, method: str, url: str, **options: Any) -> tuple[int, bytes]:
        """Status and body of an answer."""
        if not is_safe(url):
            raise IdentityProviderUnavailable(detail=Phrase.PROVIDER_PLAIN, url=url)
        body = bytearray()
        try:
            async with asyncio.timeout(SECONDS), self._client.stream(method, url, **options) as response:
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > MAX_BYTES:
                        raise IdentityProviderUnavailable(detail=Phrase.PROVIDER_LARGE)
                return response.status_code, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:  # TimeoutError is an OSError
            raise IdentityProviderUnavailable(detail=first_line(exc)) from exc


def is_safe(url: str) -> bool:
    """Whether an address is asked over TLS, or is on this machine."""
    parsed = urlsplit(url)
    return bool(parsed.hostname) and (parsed.scheme == "https" or (parsed.scheme == "http" and is_local(url)))


def is_local(url: str) -> bool:
    """Whether an address is on this machine."""
    return urlsplit(url).hostname in _LOCAL


def key_set(document: Mapping[str, Any]) -> KeySet:
    """The public keys for signatures of a JWKS; those of other kinds are left out."""
    keys = []
    listed = document.get("keys")
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC", "OKP") or each.get("use") == "enc":
            continue
        public = {name: value for name, value in each.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}
        try:
            keys.append(JWKRegistry.import_key(public))
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # a curve that is not known here
    return KeySet(keys)


def _basic(client_id: str, secret: str) -> httpx.BasicAuth:
    """HTTP Basic with both parts form-encoded first (RFC 6749, 2.3.1)."""
    quoted = (str(httpx.QueryParams({"": each}))[1:] for each in (client_id, secret))
    return httpx.BasicAuth(*quoted)


def _bad_status(status: int, url: str) -> IdentityProviderUnavailable:
    return IdentityProviderUnavailable(detail=Phrase.PROVIDER_STATUS, status=status, url=url)


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise IdentityProviderUnavailable(detail=first_line(exc)) from exc


def _error_of(body: bytes) -> str:
    """The provider's code of an error (RFC 6749, 5.2)."""
    try:
        error = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
        return "?"
    return "".join(each for each in str(error) if each.isascii() and each.isprintable())[:60]
