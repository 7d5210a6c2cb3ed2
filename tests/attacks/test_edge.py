"""What a browser, a foreign site or an impatient client can make of the answers: headers, names, origins and rates."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from litestar import Litestar
from websockets.asyncio.client import connect as open_socket

from activities.errors import SettingsError, TooManyRequests
from activities.settings import ApiSettings, Settings, load
from activities.stores.catalog.migrate import upgrade
from api.app import create_app, server_options
from api.http import connections
from api.http.headers import DATA_POLICY, PAGE_POLICY, SECURITY_HEADERS, is_known, known_names
from api.http.ranges import attachment
from api.http.rates import Buckets
from tests.api.http.test_access import IsolatedApi, isolated_api, settings_in, started
from tests.ports import free_port

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

#: Pages, files, data, errors of the router, of access, of decoding, and what nobody may see.
ANSWERS = [
    ("GET", "/"),
    ("GET", "/web/app.js"),
    ("GET", "/web/nothing.js"),
    ("GET", "/schema"),
    ("GET", "/schema/openapi.json"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/nowhere"),
    ("PUT", "/api/v1/formats"),
    ("OPTIONS", "/api/v1/formats"),
    ("GET", "/api/v1/formats"),
    ("GET", "/api/v1/documents/{document_id}"),
    ("GET", "/api/v1/documents/{document_id}/content"),
    ("GET", "/api/v1/documents/{document_id}/events"),
    ("GET", "/api/v1/documents/none"),
    ("GET", "/api/v1/knowledge-bases?limit=x"),
    ("GET", "/api/v1/conversations/{conversation}/export"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/none"),
    ("GET", "/metrics"),
]


def client(app: Litestar, key: str = "", **more: str) -> httpx.AsyncClient:
    """A client of the application in this process."""
    headers = ({"Authorization": f"Bearer {key}"} if key else {}) | more
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers, timeout=30)


@asynccontextmanager
async def application(folder: Path, **more: str) -> AsyncIterator[Litestar]:
    """The started application under further settings."""
    await upgrade(settings_in(folder))
    environ = {"HOLDFAST_DATA": str(folder), "HOLDFAST_TEMPORAL_ADDRESS": "127.0.0.1:1"}
    app = create_app(
        load(environ | {"HOLDFAST_MILVUS_URI": "http://127.0.0.1:1", "HOLDFAST_API_ALLOWED_HOSTS": "*"} | more)
    )
    async with started(app):
        yield app


# --- headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_key", [True, False])
@pytest.mark.parametrize(("method", "path"), ANSWERS)
async def test_every_answer_has_strict_headers(
    isolated_api: IsolatedApi, method: str, path: str, with_key: bool
) -> None:
    """Once each; only the pages may run scripts, and only what is the same for everybody may be kept."""
    key = isolated_api.keys["admin"] if with_key else ""
    async with client(isolated_api.app, key) as caller:
        answer = await caller.request(method, path.format_map(isolated_api.ids["admin"]))
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers.get_list(name) == [value], path
    (policy,) = answer.headers.get_list("content-security-policy")
    (cached,) = answer.headers.get_list("cache-control")
    if path in ("/", "/schema"):
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy.replace("style-src 'self' 'unsafe-inline'", "") or path == "/schema"
    else:
        assert policy == DATA_POLICY
    shared = path in ("/", "/web/app.js")
    assert cached == ("no-cache" if shared else "no-store")
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(answer.headers)


async def test_no_page_needs_a_script_of_its_own(isolated_api: IsolatedApi) -> None:
    """The policies forbid them, so a page with one would not work."""
    async with client(isolated_api.app) as caller:
        for path in ("/", "/schema"):
            text = (await caller.get(path)).text
            assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", text) == [], path
            assert not re.search(r"\son\w+\s*=|javascript:|https?://(?!www\.w3\.org/)", text), path
    assert "unsafe" not in PAGE_POLICY


@pytest.mark.parametrize(
    "name",
    [
        'a".html', "a\\.html", "a;filename=b.exe", "报告.pdf", "a%0d%0aSet-Cookie: x=y", "résumé'.svg", " ",
        "a\u202egpj",
        "'; filename*=UTF-8''b.exe",
    ],
)  # fmt: skip
def test_a_name_stays_in_its_header(name: str) -> None:
    """As two parameters, of characters that end neither."""
    header = attachment(name)
    match = re.fullmatch(r"attachment; filename=\"([\w .()+-]+)\"; filename\*=UTF-8''([\w.~%-]+)", header, re.ASCII)
    assert match
    assert match[2] == quote(name, safe="")


async def test_an_original_never_runs_here(isolated_api: IsolatedApi) -> None:
    """Whatever it is: a file to store, of unknown type, in an origin of its own."""
    async with client(isolated_api.app, isolated_api.keys["reader"]) as caller:
        answer = await caller.get("/api/v1/documents/{document_id}/content".format_map(isolated_api.ids["reader"]))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"].split("; ")
    assert answer.headers["x-content-type-options"] == "nosniff"


# --- names and origins -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8700", True), ("[::1]:8700", True), ("localhost", True), ("LOCALHOST.:8700", True),
        ("kb.example.org", True), ("KB.example.org:443", True), ("app.localhost:1", True), ("10.1.2.3", True),
        ("evil.example", False), ("kb.example.org.evil.example", False), ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False), ("127.0.0.1@evil.example", False), ("[::1", False), ("", False),
        ("kb.example.org/", False), ("kb.example.org:8700:1", False), ("\u0661", False), ("0x7f.1", False),
    ],
)  # fmt: skip
async def test_only_its_own_names_are_answered(tmp_path: Path, host: str, known: bool) -> None:
    """A page whose name was made to point here (DNS rebinding) reads nothing."""
    names = known_names(Settings(api=ApiSettings(allowed_hosts="other, kb.example.org")))
    assert is_known(host, names) == known
    app = create_app(load({"HOLDFAST_DATA": str(tmp_path), "HOLDFAST_API_ALLOWED_HOSTS": "kb.example.org"}))
    async with client(app) as caller:
        answer = await caller.get("/health/live", headers=[(b"Host", host.encode())])
    assert answer.status_code == (200 if known else 421)
    if not known:
        assert answer.json()["code"] == "unknown-host"
        assert answer.headers["content-security-policy"] == DATA_POLICY


async def test_a_socket_has_the_names_of_requests(isolated_api: IsolatedApi) -> None:
    """Refused before it is accepted."""
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    key = isolated_api.keys["admin"].encode()
    headers = [(b"host", b"evil.example"), (b"authorization", b"Bearer " + key)]
    path = "/api/v1/documents/{document_id}/ws".format_map(isolated_api.ids["admin"])
    await isolated_api.app(
        {"type": "websocket", "path": path, "headers": headers, "query_string": b"", "subprotocols": []},  # type: ignore[arg-type, typeddict-item]
        receive,  # type: ignore[arg-type]
        send,  # type: ignore[arg-type]
    )
    assert [message["type"] for message in sent] == ["websocket.close"]  # type: ignore[index]


async def test_other_sites_are_told_nothing(isolated_api: IsolatedApi) -> None:
    """Without the setting no origin is allowed, not even asked for."""
    async with client(isolated_api.app, isolated_api.keys["admin"], Origin="https://portal.example.org") as caller:
        for method in ("GET", "OPTIONS"):
            answer = await caller.request(method, "/api/v1/me", headers={"Access-Control-Request-Method": "GET"})
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_the_origins_of_the_setting_may_call(tmp_path: Path) -> None:
    """Exactly they: neither a part of them nor one with more behind it; cookies are never taken."""
    allowed = "https://portal.example.org, http://localhost:3000"
    async with application(tmp_path, HOLDFAST_API_CORS_ORIGINS=allowed) as app, client(app) as caller:
        for origin, known in (
            ("https://portal.example.org", True),
            ("http://localhost:3000", True),
            ("http://portal.example.org", False),
            ("https://portal.example.org.evil.example", False),
            ("https://portalXexample.org", False),
            ("https://portal.example.org:8443", False),
            ("null", False),
        ):
            answer = await caller.get("/health/live", headers={"Origin": origin})
            assert answer.headers.get("access-control-allow-origin") == (origin if known else None), origin
            asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
            answer = await caller.options("/api/v1/formats", headers={"Origin": origin} | asked)
            assert answer.headers.get("access-control-allow-origin") == (origin if known else None), origin
            assert answer.headers.get("access-control-allow-credentials") in (None, "false")


@pytest.mark.parametrize("value", ["*", "https://*.example.org", "portal.example.org", "https://a.test/path", "null"])
def test_an_origin_is_exact(value: str) -> None:
    """No pattern, no path, nothing without its scheme."""
    with pytest.raises(SettingsError):
        load({"HOLDFAST_API_CORS_ORIGINS": value})


# --- rates -----------------------------------------------------------------------------------------


def test_a_bucket_fills_again() -> None:
    """At once as much as a minute's; then as fast as that; each caller for itself."""
    now = [0.0]
    buckets = Buckets(60, clock=lambda: now[0])
    for _ in range(60):
        buckets.take("ann")
    with pytest.raises(TooManyRequests) as refused:
        buckets.take("ann")
    assert refused.value.reason.params["seconds"] == "1"
    buckets.take("ben")
    now[0] = 1.0
    buckets.take("ann")
    with pytest.raises(TooManyRequests):
        buckets.take("ann")
    now[0] = 10_000.0
    for _ in range(60):
        buckets.take("ann")
    with pytest.raises(TooManyRequests):
        buckets.take("ann")


async def test_wrong_keys_are_slowed_down_and_right_ones_are_not(tmp_path: Path) -> None:
    """429 with Retry-After for an address that comes with wrong keys, while its neighbour's key works."""
    async with application(tmp_path, HOLDFAST_API_REFUSALS_PER_MINUTE="3") as app:
        key = await app.state.stores.catalog.api_keys.create("ann", "reader")
        async with client(app, "holdfast_wrong") as wrong, client(app) as without, client(app, key) as right:
            statuses = [(await each.get("/api/v1/me")).status_code for each in (wrong, wrong, without, wrong, without)]
            assert statuses == [401, 401, 401, 429, 429]
            refused = await wrong.get("/api/v1/me")
            assert refused.json()["code"] == "too-many-requests"
            assert int(refused.headers["retry-after"]) >= 1
            assert (await right.get("/api/v1/me")).status_code == 200


async def test_a_key_has_its_rate(tmp_path: Path) -> None:
    """Another key of the same address has its own."""
    async with application(tmp_path, HOLDFAST_API_REQUESTS_PER_MINUTE="2") as app:
        keys = app.state.stores.catalog.api_keys
        async with (
            client(app, await keys.create("ann", "reader")) as ann,
            client(app, await keys.create("ann", "reader")) as other,
        ):
            assert [(await ann.get("/api/v1/me")).status_code for _ in range(3)] == [200, 200, 429]
            assert (await other.get("/api/v1/me")).status_code == 200


@asynccontextmanager
async def served(app: Litestar, settings: Settings) -> AsyncIterator[int]:
    """The application on a port, as in production."""
    port = free_port()
    options = server_options(settings) | {"timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", **options))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await serving


async def test_an_address_has_so_many_connections(tmp_path: Path) -> None:
    """One more is told 429 and closed; when one ends, another may come."""
    environ = {"HOLDFAST_DATA": str(tmp_path), "HOLDFAST_API_CONNECTIONS_PER_ADDRESS": "2"}
    settings = load(environ)
    async with served(create_app(settings), settings) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: 5" in answer
        writer.close()
        held.pop()[1].close()
        while connections.OPEN["127.0.0.1"] > 1:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"server:" not in answer.lower()
        for _, open_writer in [*held, (reader, writer)]:
            open_writer.close()


async def test_sockets_are_counted_and_show_no_banner(isolated_api: IsolatedApi) -> None:
    """Among the connections of their address, and no longer when they have ended."""
    settings: Settings = isolated_api.app.state.settings
    path = "/api/v1/documents/{document_id}/ws".format_map(isolated_api.ids["admin"])
    key = isolated_api.keys["admin"]
    async with served(isolated_api.app, settings) as port:
        before = connections.OPEN["127.0.0.1"]
        url = f"ws://127.0.0.1:{port}{path}"
        async with open_socket(url, subprotocols=["holdfast", f"holdfast.key.{key}"], proxy=None) as socket:  # type: ignore[list-item]
            assert socket.response is not None
            assert "server" not in {name.lower() for name in socket.response.headers}
            assert socket.subprotocol == "holdfast"
            assert connections.OPEN["127.0.0.1"] == before + 1
        while connections.OPEN["127.0.0.1"] > before:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("trusted", "address"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.9")])
async def test_only_a_named_proxy_says_who_calls(tmp_path: Path, trusted: str, address: str) -> None:
    """Anybody could claim another address otherwise, in the audit trail too."""
    seen: list[str] = []
    settings = load({"HOLDFAST_DATA": str(tmp_path), "HOLDFAST_API_TRUSTED_PROXIES": trusted})
    app = create_app(settings)
    before = app.asgi_handler

    async def noting(scope, receive, send):  # type: ignore[no-untyped-def]
        seen.append(scope["client"][0])
        await before(scope, receive, send)

    app.asgi_handler = noting
    async with served(app, settings) as port, httpx.AsyncClient(trust_env=False) as caller:
        headers = {"X-Forwarded-For": "203.0.113.9"}
        assert (await caller.get(f"http://127.0.0.1:{port}/health/live", headers=headers)).status_code == 200
    assert seen == [address]
