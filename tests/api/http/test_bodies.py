"""What clients may send: absurd bodies, queries and headers are refused with 4xx, on every route, before any work."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from api.http.bodies import JSON_MAX_BODY_BYTES, OPENAI_MAX_BODY_BYTES
from tests.api.http.test_access import BODIES, KB, MAY, IsolatedApi, isolated_api

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

UPLOAD = f"POST {KB}/documents"

LISTS = [
    "GET /api/v1/knowledge-bases",
    f"GET {KB}/documents",
    f"GET {KB}/batches",
    "GET /api/v1/documents/{document_id}/chunks",
    "GET /api/v1/conversations",
    "GET /api/v1/audit/events",
    "GET /api/v1/audit/export",
]

#: Values that no list has as a cursor, a limit or a time, and that databases or ``int`` do not take.
ABSURD = ["-5", "9" * 5000, "9" * 25, "²", "1e9", "x" * 10_000, "\ud7ff\U0010ffff", "9999-99-99", "-9999-01-01"]


async def send(api: IsolatedApi, route: str, **more: Any) -> httpx.Response:
    """One request by the administrator; an exception of the application is a 500."""
    method, path = route.split(" ")
    headers = {"Authorization": f"Bearer {api.keys['admin']}", "Content-Type": "application/json"}
    headers |= more.pop("headers", {})
    ids = api.ids["admin"]
    ids = ids | {"id": ids["conversation" if "/conversations/" in path else "question"]}
    address = more.pop("path", None) or path.format_map(ids)
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", timeout=30) as client:
        return await client.request(method, address, headers=headers, **more)


async def refused(api: IsolatedApi, route: str, status: int = 400, **more: Any) -> None:
    """The request gets this status, and nothing is logged as an error."""
    with capture_logs() as logged:
        answer = await send(api, route, **more)
    assert answer.status_code == status, (route, answer.status_code, answer.text[:300])
    assert [each for each in logged if each["log_level"] == "error"] == []


def filled(route: str, api: IsolatedApi) -> dict[str, Any]:
    """A valid body of the route."""
    text = json.dumps(BODIES[route]).replace("{kb}", api.ids["admin"]["kb"]).replace("{fresh}", "fresh")
    body: dict[str, Any] = json.loads(text)
    return body


@pytest.mark.parametrize("route", BODIES)
async def test_bodies_are_bounded(isolated_api: IsolatedApi, route: str) -> None:
    """413 for one that is too long, and 400 for one that is nested without end or holds NUL."""
    limit = OPENAI_MAX_BODY_BYTES if " /v1/" in route or "/codec/" in route else JSON_MAX_BODY_BYTES
    await refused(isolated_api, route, 413, content=b" " * (limit + 1))
    await refused(isolated_api, route, content=b'{"a":' + b"[" * 100_000)
    field = next(iter(BODIES[route]))
    await refused(isolated_api, route, content=b'{"' + field.encode() + b'":' + b"[" * 100_000)
    for name, value in filled(route, isolated_api).items():
        if isinstance(value, str):
            await refused(isolated_api, route, content=json.dumps(filled(route, isolated_api) | {name: "a\0b"}))


@pytest.mark.parametrize("route", BODIES)
async def test_bodies_are_utf_8(isolated_api: IsolatedApi, route: str) -> None:
    """In values, in names and in fields that no route has."""
    field = next(iter(BODIES[route])).encode()
    for content in (b'{"' + field + b'":"\xff\xfe"}', b'{"\xff":1}', b'{"unknown":"\xed\xa0\x80"}'):
        await refused(isolated_api, route, content=content)
    for language, said in (("en", "it is not valid JSON"), ("zh", "不是有效的 JSON")):
        answer = await send(isolated_api, route, content=content, headers={"Accept-Language": language})
        error = answer.json()["error"] if " /v1/" in route else answer.json()
        assert said in error["message" if " /v1/" in route else "detail"]
        assert error["code"].replace("_", "-") == "invalid-request"


async def test_an_upload_may_be_longer(isolated_api: IsolatedApi) -> None:
    """The limit of JSON is not that of files: the body is read, and only Temporal is missing."""
    files = {"files": ("a.txt", b"a" * (JSON_MAX_BODY_BYTES + 1))}
    answer = await isolated_api.call("admin", UPLOAD)
    assert answer.status_code == 503
    headers = {"Authorization": f"Bearer {isolated_api.keys['admin']}"}
    transport = httpx.ASGITransport(isolated_api.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast") as client:
        path = UPLOAD.split(" ")[1].format_map(isolated_api.ids["admin"])
        assert (await client.post(path, files=files, headers=headers)).status_code == 503


@pytest.mark.parametrize(("text", "status"), [("a\\u0000b", 201), ("a\0b", 400)])
async def test_an_escaped_backslash_is_not_nul(isolated_api: IsolatedApi, text: str, status: int) -> None:
    """``\\\\u0000`` in JSON is a text of six characters."""
    body = {"name": f"kb-{status}", "title": text}
    assert (await send(isolated_api, "POST /api/v1/knowledge-bases", json=body)).status_code == status


@pytest.mark.parametrize("route", [route for route in MAY if not route.startswith("WS")])
async def test_no_address_holds_nul(isolated_api: IsolatedApi, route: str) -> None:
    """Neither in an id nor in a query."""
    path = route.split(" ")[1]
    content = json.dumps(filled(route, isolated_api)) if route in BODIES else b""
    await refused(isolated_api, route, params={"cursor": "a\0b"}, content=content)
    if "{" in path:
        await refused(isolated_api, route, path=re.sub(r"{\w+}", "a%00b", path), content=content)


@pytest.mark.parametrize("route", [route for route in MAY if not route.startswith("WS") and " /api/" in route])
async def test_a_mistyped_parameter_is_refused(isolated_api: IsolatedApi, route: str) -> None:
    """It would be a filter that is left out: the answer names it, and those that there are."""
    content = json.dumps(filled(route, isolated_api)) if route in BODIES else b""
    await refused(isolated_api, route, params={"limt": "5"}, content=content)
    answer = await send(isolated_api, "GET /api/v1/schedules", params={"knowledge_base": "a"})
    assert "there is no parameter `knowledge_base`; those of this address: `kb`" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/web/%00", "/schema-assets/a%00b", "/schema/%00"])
async def test_files_have_no_nul(isolated_api: IsolatedApi, path: str) -> None:
    """Also without a key."""
    await refused(isolated_api, f"GET {path}", path=path)


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("route", LISTS)
async def test_absurd_queries_are_refused(isolated_api: IsolatedApi, route: str, value: str) -> None:
    """No value of a query is an error of ours."""
    for name in ("cursor", "limit", "since", "until", "state", "kb", "batch", "actor", "action"):
        with capture_logs() as logged:
            answer = await send(isolated_api, route, params={name: value})
        assert answer.status_code < 500, (route, name, value[:20], answer.text[:300])
        assert [each for each in logged if each["log_level"] == "error"] == []
    assert (await send(isolated_api, route, params={"limit": "-5"})).status_code in (200, 400)


async def test_a_negative_cursor_of_passages_is_refused(isolated_api: IsolatedApi) -> None:
    """It counts passages."""
    await refused(isolated_api, "GET /api/v1/documents/{document_id}/chunks", params={"cursor": "-5"})


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("bytes=0-" + "9" * 5000, 206),
        ("bytes=" + "9" * 5000 + "-", 416),
        ("bytes=-" + "9" * 5000, 206),
        ("bytes=" + "0" * 5000 + "5-", 206),
        ("bytes=" + "9" * 5000 + "-" + "9" * 5000, 416),
    ],
)
async def test_a_range_may_have_any_number(isolated_api: IsolatedApi, sent: str, status: int) -> None:
    """Beyond the end is beyond the end, however many digits say so."""
    await refused(isolated_api, "GET /api/v1/documents/{document_id}/content", status, headers={"Range": sent})


@pytest.mark.parametrize(("length", "status"), [(200, 503), (201, 400), (20_000, 400)])
async def test_a_long_idempotency_key_is_refused(isolated_api: IsolatedApi, length: int, status: int) -> None:
    """Before anything is read or accepted; a shorter one gets as far as Temporal, which is missing here."""
    headers = {"Authorization": f"Bearer {isolated_api.keys['admin']}", "Idempotency-Key": "k" * length}
    transport = httpx.ASGITransport(isolated_api.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast") as client:
        path = UPLOAD.split(" ")[1].format_map(isolated_api.ids["admin"])
        answer = await client.post(path, files={"files": ("a.txt", b"Five days.")}, headers=headers)
    assert answer.status_code == status, answer.text
