"""The codec endpoint: an auditor reads what runs hold, others do not, and browsers only from the Temporal UI."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import WorkflowSerializationContext

from activities.runtime.converter import converter_for, data_converter
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from api.app import create_app
from api.codec.browsers import COOKIE
from api.codec.schemas import MAX_PAYLOADS
from tests.api.http.test_access import settings_in, started

UI = "http://127.0.0.1:8233"
TEXT = "Herons may be invoiced twice."

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]


class Endpoint:
    """The API with keys for payloads and one API key of each role."""

    def __init__(self, client: httpx.AsyncClient, catalog: Catalog, keys: dict[str, str], file: Path) -> None:
        self.client, self.catalog, self.keys, self.file = client, catalog, keys, file

    async def payload(self, workflow: str = "ingest/1", namespace: str = "default") -> dict[str, Any]:
        """An encrypted payload, as the server's JSON has it."""
        converter = converter_for(str(self.file), namespace)
        context = WorkflowSerializationContext(namespace, workflow)
        return as_json((await converter.with_context(context).encode([TEXT]))[0])

    async def decode(self, *payloads: dict[str, Any], role: str | None = "auditor", **headers: str) -> httpx.Response:
        """The answer for these payloads."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            sent["Authorization"] = f"Bearer {self.keys[role]}"
        return await self.client.post("/codec/decode", json={"payloads": list(payloads)}, headers=sent)

    async def read(self) -> list[tuple[str, str]]:
        """Who read which runs, by the audit trail."""
        events = await self.catalog.audit.page(None, 100, action="run.read")
        return [(event.actor, event.detail["workflow"]) for event in events]


def as_json(payload: Payload) -> dict[str, Any]:
    """The payload as protobuf's JSON."""
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(payload.data).decode()}


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[Endpoint]:
    """A started API on an own catalogue."""
    file = tmp_path / "payload.keys"
    file.write_text(f"first {base64.b64encode(os.urandom(32)).decode()}\n")
    settings = settings_in(tmp_path)
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    keys = {role: await catalog.api_keys.create(role, role) for role in ("auditor", "admin", "manager", "operator")}
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with started(app), httpx.AsyncClient(transport=transport, base_url="http://holdfast") as client:
        yield Endpoint(client, catalog, keys, file)
    await catalog.close()


async def test_an_auditor_reads_what_a_run_holds(endpoint: Endpoint) -> None:
    """Encrypted payloads come back as values, others as they are, and the reading is recorded once a minute."""
    (plain,) = await data_converter.encode(["in clear"])
    for _ in range(2):
        answer = await endpoint.decode(await endpoint.payload(), as_json(plain), X_Namespace="default")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        found = [base64.b64decode(each["data"]).decode() for each in answer.json()["payloads"]]
        assert found == [f'"{TEXT}"', '"in clear"']
        assert answer.json()["payloads"][1] == as_json(plain)
    await endpoint.decode(await endpoint.payload("answer/7"), role="admin")
    assert await endpoint.read() == [("admin", "answer/7"), ("auditor", "ingest/1")]


async def test_nobody_else_does(endpoint: Endpoint) -> None:
    """No key: 401; another role: 403; and nothing of it in the answer."""
    for role, status in ((None, 401), ("manager", 403), ("operator", 403)):
        answer = await endpoint.decode(await endpoint.payload(), role=role)
        assert answer.status_code == status
        assert "Heron" not in answer.text
    assert await endpoint.read() == []


async def test_what_cannot_be_read_is_an_error(endpoint: Endpoint) -> None:
    """Changed payloads, unknown keys, other namespaces, and more than a place in a run can have."""
    payload = await endpoint.payload()
    moved = payload | {"metadata": payload["metadata"] | {"encryption-workflow": base64.b64encode(b"x").decode()}}
    unknown = payload | {"metadata": payload["metadata"] | {"encryption-key-id": base64.b64encode(b"lost").decode()}}
    for broken in (payload | {"data": "AAAA"}, moved, unknown, await endpoint.payload(namespace="other")):
        answer = await endpoint.decode(broken)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request"), answer.text
    assert "lost" in (await endpoint.decode(unknown)).json()["detail"]
    assert (await endpoint.decode(payload, X_Namespace="other")).status_code == 400
    assert (await endpoint.decode(*[{}] * (MAX_PAYLOADS + 1))).status_code == 400
    assert (await endpoint.decode({"data": "not base64"})).status_code == 400
    assert await endpoint.read() == []


async def test_no_record_no_answer(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the catalogue does not take the event, nothing is shown."""
    await endpoint.catalog.api_keys.find(endpoint.keys["auditor"])
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(str(endpoint.file.with_name("catalog.db"))) as database:
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'no space'); END"
        )
    answer = await endpoint.decode(await endpoint.payload())
    assert answer.status_code >= 500
    assert base64.b64encode(TEXT.encode())[:20].decode() not in answer.text


async def test_only_the_page_of_the_temporal_ui_may_ask(endpoint: Endpoint) -> None:
    """A preflight, an answer and an error say so to the UI's origin, and to no other."""
    for origin, allowed in ((UI, True), ("https://evil.example", False), ("null", False), (UI + "0", False)):
        preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answers = [
            await endpoint.client.options("/codec/decode", headers=preflight),
            await endpoint.decode(await endpoint.payload(), Origin=origin),
            await endpoint.decode(await endpoint.payload(), role="manager", Origin=origin),
            await endpoint.decode(await endpoint.payload(), role=None, Origin=origin),
        ]
        assert [answer.status_code for answer in answers] == [204, 200, 403, 401]
        for answer in answers:
            assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
            assert answer.headers["vary"] == "Origin"
        asked = answers[0].headers.get("access-control-allow-headers", "")
        assert ("authorization" in asked) == ("x-namespace" in asked) == allowed
    other = await endpoint.client.options("/api/v1/formats", headers={"Origin": UI})
    assert "access-control-allow-origin" not in other.headers


async def test_a_browser_keeps_the_key_for_the_ui_alone(endpoint: Endpoint) -> None:
    """The cookie is for the codec endpoint, not for scripts, and counts only for requests of the UI's page."""
    begun = await endpoint.client.post(
        "/codec/session", headers={"Authorization": f"Bearer {endpoint.keys['auditor']}"}
    )
    assert begun.status_code == 204
    said = begun.headers["set-cookie"].lower()
    assert all(part in said for part in ("httponly", "samesite=strict", "path=/codec", "max-age=28800"))
    cookie = {"Cookie": f"{COOKIE}={endpoint.keys['auditor']}"}
    assert (await endpoint.decode(await endpoint.payload(), role=None, Origin=UI, **cookie)).status_code == 200
    assert (await endpoint.decode(await endpoint.payload(), role=None, **cookie)).status_code == 401
    foreign = await endpoint.decode(await endpoint.payload(), role=None, Origin="https://evil.example", **cookie)
    assert foreign.status_code == 401
    elsewhere = await endpoint.client.get("/api/v1/audit/events", headers=cookie | {"Origin": UI})
    assert elsewhere.status_code == 401
    ended = await endpoint.client.delete("/codec/session", headers=cookie)
    assert (ended.status_code, "max-age=0" in ended.headers["set-cookie"].lower()) == (204, True)


async def test_protobufs_own_json_is_understood(endpoint: Endpoint) -> None:
    """What Temporal's Go server and SDKs write."""
    from google.protobuf.json_format import MessageToJson, Parse  # noqa: PLC0415

    converter = converter_for(str(endpoint.file), "default")
    payloads = Payloads(payloads=await converter.encode([TEXT, None, b"\x00\xff"]))
    answer = await endpoint.client.post(
        "/codec/decode?preserveStorageRefs=true",
        content=MessageToJson(payloads),
        headers={"Authorization": f"Bearer {endpoint.keys['auditor']}", "Content-Type": "application/json"},
    )
    found = Parse(answer.text, Payloads())
    assert await data_converter.decode(found.payloads) == [TEXT, None, b"\x00\xff"]
