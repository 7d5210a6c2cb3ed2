"""The HTTP API's edges: keys, bad input, names, pages, ranges, the API reference, metrics."""

from __future__ import annotations

import re
import secrets

import httpx
import pytest

from activities.readers.formats import readable
from api.stack.ports import WORKERS
from tests.conftest import METRICS_TOKEN, Platform, ready, upload
from tests.test_texts import HAN

LEAVE = "Employees may carry over five days of unused annual leave."

OPEN = ["/", "/web/app.js", "/health/live", "/health/ready", "/schema", "/schema/openapi.json"]


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic YWRtaW46YWRtaW4=", "bearer holdfast_x"])
async def test_nothing_is_served_without_a_valid_key(platform: Platform, header: str | None) -> None:
    """Every path of the schema but those to sign in answers 401 as problem+json, and so do the metrics."""
    headers = {"Authorization": header} if header else {}
    async with httpx.AsyncClient(base_url=platform.url, headers=headers, trust_env=False, timeout=30) as client:
        schema = (await client.get("/schema/openapi.json")).json()
        described = [(path, *each) for path, methods in schema["paths"].items() for each in methods.items()]
        public = {path for path, _, operation in described if operation.get("security") == [{}]}
        assert all(path.startswith(("/api/v1/auth/", "/health/")) for path in public)
        paths = [(path, method) for path, method, _ in described if path not in public]
        assert len(paths) > 15
        for path, method in [*paths, ("/metrics", "get")]:
            if path in OPEN:
                continue
            answer = await client.request(method, path.replace("{kb}", "x").replace("{document_id}", "x"))
            assert answer.status_code == 401, (method, path)
            if path.startswith("/v1/"):
                assert answer.json()["error"]["code"] == "invalid_api_key"
                continue
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("path", OPEN)
async def test_routes_without_stored_data_need_no_key(platform: Platform, path: str) -> None:
    """The page, its files, the API reference and the health checks."""
    async with httpx.AsyncClient(base_url=platform.url, trust_env=False, timeout=30) as client:
        assert (await client.get(path)).status_code == 200


async def test_the_page_may_run_only_its_own_files(platform: Platform) -> None:
    """The content security policy is sent, and the API reference needs no other host."""
    async with httpx.AsyncClient(base_url=platform.url, trust_env=False) as client:
        policy = (await client.get("/")).headers["content-security-policy"]
        assert {"default-src 'none'", "script-src 'self'"} <= {each.strip() for each in policy.split(";")}
        reference = (await client.get("/schema")).text
        assert "cdn" not in reference
        assert (await client.get("/schema-assets/swagger-ui-bundle.js")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/knowledge-bases/nope"),
        ("DELETE", "/knowledge-bases/nope"),
        ("GET", "/knowledge-bases/nope/documents"),
        ("GET", "/documents/nope"),
        ("GET", "/documents/nope/status"),
        ("GET", "/documents/nope/events"),
        ("GET", "/documents/nope/chunks"),
        ("GET", "/documents/nope/content"),
        ("DELETE", "/documents/nope"),
        ("GET", "/questions/nope"),
        ("GET", "/questions/nope/events"),
        ("GET", "/nowhere"),
    ],
)
async def test_an_unknown_id_is_not_found(api: httpx.AsyncClient, method: str, path: str) -> None:
    """404 as problem+json with a code and a sentence."""
    answer = await api.request(method, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not-found"
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "Upper"},
        {"name": "-x"},
        {"name": "a" * 64},
        {"name": "../etc"},
        {"name": "ok", "colour": "red"},
        {"name": "ok", "chunking": {"max_tokens": 1}},
        {"name": 7},
    ],
)
async def test_a_bad_knowledge_base_is_refused(api: httpx.AsyncClient, body: dict[str, object]) -> None:
    """400 names the invalid field; nothing is created."""
    answer = await api.post("/knowledge-bases", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid-request"
    assert (await api.get("/knowledge-bases/ok")).status_code == 404


async def test_a_name_is_taken_once(api: httpx.AsyncClient, kb: str) -> None:
    """409 for a second knowledge base with that name, in the language of the request."""
    answer = await api.post("/knowledge-bases", json={"name": kb}, headers={"Accept-Language": "zh-CN,zh"})
    assert answer.status_code == 409
    assert "已存在" in answer.json()["detail"]


async def test_a_knowledge_base_is_shown_changed_and_deleted(api: httpx.AsyncClient) -> None:
    """Its whole life, with documents counted by state."""
    name = f"life-{secrets.token_hex(4)}"
    created = (await api.post("/knowledge-bases", json={"name": name, "title": "Leben"})).json()
    assert created["documents"] == {"total": 0}
    await ready(api, name, ("leave.txt", LEAVE.encode()))
    changed = (await api.patch(f"/knowledge-bases/{name}", json={"description": "All rules"})).json()
    assert (changed["title"], changed["description"]) == ("Leben", "All rules")
    assert changed["documents"] == {"total": 1, "ready": 1}
    listed = (await api.get("/knowledge-bases?limit=1000")).json()["items"]
    assert name in [item["name"] for item in listed]
    assert (await api.delete(f"/knowledge-bases/{name}")).status_code == 202
    assert (await api.get(f"/knowledge-bases/{name}")).status_code == 404
    assert (await api.post("/knowledge-bases", json={"name": name})).status_code == 201  # the name is free again
    await api.delete(f"/knowledge-bases/{name}")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("C:\\Users\\me\\plan.txt", "plan.txt"),
        ("/abs/./x/../plan.txt", "abs/x/plan.txt"),
        ("规章 制度.txt", "规章 制度.txt"),
    ],
)
async def test_names_never_leave_the_folder(api: httpx.AsyncClient, kb: str, sent: str, kept: str) -> None:
    """A name is only a name: path segments such as `..` are dropped, and the document works like any other."""
    (document,) = await ready(api, kb, (sent, LEAVE.encode()))
    assert document["name"] == kept


@pytest.mark.parametrize("name", ["文" * 300, "..", "a\x00b.txt"])
async def test_an_impossible_name_is_refused_as_a_whole(api: httpx.AsyncClient, kb: str, name: str) -> None:
    """400 with the reason, and no file of that request is accepted."""
    body = (
        "--x\r\n"
        'Content-Disposition: form-data; name="files"; filename="fine.txt"\r\n\r\nfine\r\n'
        "--x\r\n"
        f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n\r\nbad\r\n'
        "--x--\r\n"
    )
    answer = await api.post(
        f"/knowledge-bases/{kb}/documents",
        content=body.encode(),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 400, answer.text
    assert (await api.get(f"/knowledge-bases/{kb}/documents")).json()["items"] == []


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/json", "text/plain"])
async def test_an_upload_without_files_is_refused(api: httpx.AsyncClient, kb: str, content_type: str) -> None:
    """400 as problem+json, whatever body came instead."""
    answer = await api.post(
        f"/knowledge-bases/{kb}/documents", content=b"--x--\r\n", headers={"Content-Type": content_type}
    )
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        {"query": ""},
        {"query": "  "},
        {"query": "x" * 100_000},
        {"query": "x", "limit": 0},
        {"query": "x", "mode": "magic"},
        {"query": "x", "filter": {"colour": "red"}},
        {"query": "x", "filter": {"pages": {"first": 1}}},
        {"query": "x", "filter": {"pages": {"from": 0}}},
        {"query": "x", "filter": {"uploaded": {"since": "yesterday"}}},
        {"query": "x", "filter": {"uploaded": {"until": "9999-12-31"}}},
        {"query": "x", "filter": {"tags": "hr"}},
        {"query": "x", "filter": {"tags": ["  "]}},
        {"query": "x", "filter": {"tags": ["a\u0000b"]}},
        {"query": "x", "filter": {"name": ""}},
        {"query": "x", "filter": {"name": "x" * 256}},
        {"query": "x", "documents": "all"},
        {},
    ],
)
async def test_a_bad_search_is_refused(api: httpx.AsyncClient, kb: str, body: dict[str, object]) -> None:
    """400 with a sentence in the language of the request; never an empty result."""
    answer = await api.post(f"/knowledge-bases/{kb}/search", json=body)
    assert answer.status_code == 400
    assert not HAN.search(answer.json()["detail"])
    chinese = await api.post(f"/knowledge-bases/{kb}/search", json=body, headers={"Accept-Language": "zh-CN"})
    assert chinese.status_code == 400
    assert HAN.search(chinese.json()["detail"].removeprefix("请求无效："))


async def test_a_broken_last_event_id_is_refused(api: httpx.AsyncClient, kb: str) -> None:
    """400 instead of a stream from a wrong position."""
    asked = (await api.post(f"/knowledge-bases/{kb}/questions", json={"question": "What?"})).json()
    path = f"/questions/{asked['id']}/events"
    assert (await api.get(path, headers={"Last-Event-ID": "no-number"})).status_code == 400
    assert (await api.get(path)).status_code == 200


async def test_lists_come_in_pages(api: httpx.AsyncClient, kb: str) -> None:
    """Following `next_cursor` visits all documents, each once; it is null at the end."""
    await upload(api, kb, *[(f"{n}.txt", f"{LEAVE} {n}".encode()) for n in range(5)])
    names: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/knowledge-bases/{kb}/documents?limit=2{cursor}")).json()
        names += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(names) == [f"{n}.txt" for n in range(5)]


@pytest.mark.parametrize(
    ("range_header", "status", "content"),
    [
        (None, 200, b"0123456789"),
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=0-99", 206, b"0123456789"),
        ("bytes=50-60", 416, b""),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
async def test_the_original_bytes_come_back(
    api: httpx.AsyncClient, kb: str, range_header: str | None, status: int, content: bytes
) -> None:
    """Whole or a range, always as a download that no browser runs."""
    (document,) = await upload(api, kb, ("digits.txt", b"0123456789"))
    headers = {"Range": range_header} if range_header else {}
    answer = await api.get(f"/documents/{document['id']}/content", headers=headers)
    assert (answer.status_code, answer.content) == (status, content)
    if status != 416:
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_metrics_are_served_to_a_key(platform: Platform, api: httpx.AsyncClient) -> None:
    """Requests are counted by route."""
    await api.get("/knowledge-bases")
    await api.get("/knowledge-bases", headers={"Authorization": "Bearer wrong"})
    await api.get(f"{platform.url}/no-such-path-{secrets.token_hex(4)}")
    answer = await api.get(f"{platform.url}/metrics")
    assert answer.status_code == 200
    for path, status in (("/api/v1/knowledge-bases", 200), ("/api/v1/knowledge-bases", 401), ("other", 404)):
        counted = f'holdfast_requests_total{{method="GET",path="{path}",status_code="{status}"}}'
        assert counted in answer.text
    assert "no-such-path" not in answer.text


async def test_the_token_for_metrics_reads_metrics_only(platform: Platform) -> None:
    """On every other path it is a wrong key; the ports of workers are closed without it."""
    token = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    first = platform.settings.metrics.port
    workers = [f"http://127.0.0.1:{first + number}/metrics" for number in range(len(WORKERS))]
    async with httpx.AsyncClient(base_url=platform.url, timeout=30, trust_env=False) as client:
        for address in ("/metrics", *workers):
            for headers, status in ((token, 200), ({}, 401), ({"Authorization": f"Bearer {platform.key}x"}, 401)):
                assert (await client.get(address, headers=headers)).status_code == status, address
        assert (await client.post("/metrics", headers=token)).status_code == 405
        schema = (await client.get("/schema/openapi.json")).json()
        closed = {path: methods["get"] for path, methods in schema["paths"].items() if "get" in methods}
        for path in [path for path, operation in closed.items() if operation.get("security") != [{}]]:
            answer = await client.get(re.sub(r"\{[^}]*\}", "x", path), headers=token)
            assert answer.status_code == 401, path


async def test_no_key_is_in_any_log(platform: Platform, api: httpx.AsyncClient) -> None:
    """Neither a valid key nor a wrong one is logged."""
    tried = f"holdfast_{secrets.token_urlsafe(24)}"
    await api.get("/knowledge-bases", headers={"Authorization": f"Bearer {tried}"})
    logs = [path.read_text(errors="replace") for path in (platform.settings.data_dir / "logs").glob("*.log")]
    assert logs
    for text in logs:
        assert platform.key not in text
        assert tried not in text


async def test_the_data_folder_keeps_its_secret(platform: Platform) -> None:
    """Only the owner may read `local.env`."""
    assert (platform.settings.data_dir / "local.env").stat().st_mode & 0o077 == 0


async def test_formats_are_listed_for_people(api: httpx.AsyncClient) -> None:
    """The formats of the code, with titles in the client's language."""
    answer = (await api.get("/formats")).json()
    assert answer["next_cursor"] is None
    assert [item["name"] for item in answer["items"]] == [item.name for item in readable()]
    sheet = next(item for item in answer["items"] if item["name"] == "xlsx")
    assert sheet["title"] == "Excel workbook"
    assert sheet["extensions"] == [".xlsx", ".xlsm", ".xltx", ".xltm"]
    assert sheet["media_type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    chinese = (await api.get("/formats", headers={"Accept-Language": "zh-CN"})).json()
    assert next(item for item in chinese["items"] if item["name"] == "xlsx")["title"] == "Excel 工作簿"
