"""Access tokens that somebody made or changed: each is a wrong key. None is taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.api.http.test_access import IsolatedApi, isolated_api

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

SIGN_IN = "/api/v1/auth/token"
NAME, PASSWORD = "tess", "correct horse battery staple 9"  # the password of a test


def client(app: Litestar, token: str) -> httpx.AsyncClient:
    """A client with a token or a key."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers, timeout=30)


@pytest.fixture(scope="module")
async def token(isolated_api: IsolatedApi) -> str:
    """An access token of a user."""
    async with client(isolated_api.app, isolated_api.keys["admin"]) as admin:
        made = await admin.post("/api/v1/users", json={"name": NAME, "password": PASSWORD})
        assert made.status_code == 201, made.text
        given = await admin.post(SIGN_IN, json={"username": NAME, "password": PASSWORD})
        assert given.status_code in (200, 201), given.text
    access_token: str = given.json()["access_token"]
    return access_token


def decoded(part: str) -> dict[str, Any]:
    """A header or a payload."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def encoded(value: dict[str, Any] | bytes) -> str:
    """The same as a part of a token."""
    content = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: dict[str, Any], payload: dict[str, Any], key: bytes) -> str:
    """A token that somebody signed with a key of their own."""
    content = f"{encoded(header)}.{encoded(payload)}"
    return f"{content}.{encoded(hmac.new(key, content.encode(), hashlib.sha256).digest())}"


def forged(token: str) -> Iterator[tuple[str, str]]:
    """Tokens that must not be taken, with what is wrong."""
    head, body, signature = token.split(".")
    header, payload = decoded(head), decoded(body)
    for name in ("none", "None", "NONE", "nOnE", ""):
        for end in ("", ".", f".{signature}"):
            yield f"alg {name!r}", f"{encoded(header | {'alg': name})}.{body}{end}"
    for key in (b"", b"secret", b"holdfast", b"null", head.encode()):
        yield f"signed with {key!r}", signed({"alg": "HS256", "typ": "JWT"}, payload, key)
        yield f"signed with {key!r} under the header", signed(header | {"alg": "HS256"}, payload, key)
    for kid in ("../../../../dev/null", "/dev/null", "' UNION SELECT 'a' --", "http://evil.example/key", "0", ""):
        yield f"kid {kid}", signed(header | {"alg": "HS256", "kid": kid}, payload, b"")
        yield f"kid {kid} of the old signature", f"{encoded(header | {'kid': kid})}.{body}.{signature}"
    own = {"kty": "oct", "k": encoded(b"mine")}
    for extra in ({"jwk": own}, {"jku": "http://evil.example/keys"}, {"x5u": "http://evil.example/c"}, {"crit": ["x"]}):
        yield f"header {extra}", signed(header | {"alg": "HS256"} | extra, payload, b"mine")
        yield f"header {extra} of the old signature", f"{encoded(header | extra)}.{body}.{signature}"
    for claim, value in (
        *(
            ("sub", "admin"),
            ("aud", "other"),
            ("aud", []),
            ("iss", "other"),
            ("exp", 1),
            ("exp", 9e99),
            ("exp", "never"),
        ),
        *(("nbf", 9_999_999_999), ("role", "admin"), ("roles", ["admin"]), ("iat", 9_999_999_999)),
    ):
        yield f"{claim} {value}", f"{head}.{encoded(payload | {claim: value})}.{signature}"
    without = {name: value for name, value in payload.items() if name != "exp"}
    yield "no end", f"{head}.{encoded(without)}.{signature}"
    yield "no signature", f"{head}.{body}."
    yield "half a signature", f"{head}.{body}.{signature[: len(signature) // 2]}"
    yield "another signature", f"{head}.{body}.{encoded(bytes(32))}"
    yield "two parts", f"{head}.{body}"
    yield "four parts", f"{token}.{signature}"
    yield "in another alphabet", token.replace("-", "+").replace("_", "/") + "="
    yield "twice", f"{token} {token}"
    yield "nothing", ".."


async def test_only_the_token_itself_is_taken(isolated_api: IsolatedApi, token: str) -> None:
    """Every other one gets 401, as a wrong key does; none is a fault of the server."""
    async with client(isolated_api.app, token) as true:
        assert (await true.get("/api/v1/me")).status_code == 200
    tried = 0
    for wrong, made in forged(token):
        if made == token:
            continue
        tried += 1
        async with client(isolated_api.app, made) as other:
            answer = await other.get("/api/v1/me")
        assert answer.status_code in (401, 429), (wrong, answer.status_code, answer.text)
    assert tried > 50


async def test_a_token_is_no_refresh_token(isolated_api: IsolatedApi, token: str) -> None:
    """Nor the other way round."""
    async with client(isolated_api.app, token) as caller:
        assert (await caller.post("/api/v1/auth/refresh", json={"refresh_token": token})).status_code in (400, 401)
        given = await caller.post(SIGN_IN, json={"username": NAME, "password": PASSWORD})
    refresh = given.json()["refresh_token"]
    async with client(isolated_api.app, refresh) as caller:
        assert (await caller.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("place", ["query", "cookie", "basic"])
async def test_a_token_is_taken_from_its_header_only(isolated_api: IsolatedApi, token: str, place: str) -> None:
    """What a browser sends by itself, or a log keeps, is no sign-in."""
    sent: dict[str, Any] = {
        "query": {"params": {"access_token": token, "token": token, "key": token}},
        "cookie": {"headers": {"Cookie": f"access_token={token}; token={token}; session={token}"}},
        "basic": {"headers": {"Authorization": "Basic " + base64.b64encode(f":{token}".encode()).decode()}},
    }[place]
    transport = httpx.ASGITransport(isolated_api.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast") as caller:
        assert (await caller.get("/api/v1/me", **sent)).status_code == 401
