"""Routes of webhooks: what is added, shown, changed and refused; a secret is shown once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from activities.contracts.documents import Chunking
from activities.contracts.webhooks import EVENT_TYPES
from activities.stores.catalog.webhooks.records import NewEndpoint
from tests.api.http.test_access import DELIVERY, WEBHOOK, IsolatedApi, isolated_api

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

URL = "https://93.184.216.34/hook"


async def call(api: IsolatedApi, role: str, method: str, path: str, **more: Any) -> httpx.Response:
    """One request by a role; ``path`` is below ``/api/v1``."""
    headers = {"Authorization": f"Bearer {api.keys[role]}"} | more.pop("headers", {})
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", timeout=30) as client:
        return await client.request(method, f"/api/v1{path}", headers=headers, **more)


async def added(api: IsolatedApi, role: str = "manager", **body: Any) -> dict[str, Any]:
    """A new webhook of the knowledge base, with its secret."""
    sent = {"url": URL, "knowledge_base": api.ids[role]["kb"], **body}
    answer = await call(api, role, "POST", "/webhooks", json=sent)
    assert answer.status_code == 201, answer.text
    webhook: dict[str, Any] = answer.json()
    return webhook


async def test_a_secret_is_shown_once(isolated_api: IsolatedApi) -> None:
    """When the webhook is added, and when the secret is replaced; nowhere else."""
    webhook = await added(isolated_api, events=["batch.finished"], description="chat")
    path = f"/webhooks/{webhook['id']}"
    assert webhook["secret"].startswith("whsec_")
    assert (webhook["events"], webhook["state"], webhook["created_by"]) == (["batch.finished"], "enabled", "manager")
    rotated = (await call(isolated_api, "manager", "POST", f"{path}/rotate-secret")).json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != webhook["secret"]
    assert rotated["previous_secret_until"] is not None
    sent = await call(isolated_api, "manager", "POST", f"{path}/test")
    assert (sent.status_code, sent.json()["state"], sent.json()["type"]) == (202, "pending", "webhook.test")
    audit = await call(isolated_api, "admin", "GET", "/audit/events?limit=100")
    assert "webhook.create" in audit.text
    others = [
        await call(isolated_api, "manager", "GET", address) for address in (path, "/webhooks", f"{path}/deliveries")
    ]
    others += [await call(isolated_api, "manager", "PATCH", path, json={"description": "x"}), sent, audit]
    for answer in others:
        assert answer.status_code < 300
        assert "secret" not in answer.text.replace("previous_secret_until", "").replace("rotate-secret", "")
        assert "whsec" not in answer.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"url": "http://93.184.216.34/"}, "https"),
        ({"url": "https://127.0.0.1/"}, "no public"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "no public"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "no public"),
        ({"url": "https://ada:hunter2@93.184.216.34/"}, "user"),
        ({"url": "nonsense"}, "not an address"),
        ({"url": "https://93.184.216.34/" + "x" * 2048}, "length"),
        ({"url": URL, "events": ["document.read"]}, "allowed values"),
        ({"url": URL, "events": ["sync.finished"] * (len(EVENT_TYPES) + 1)}, "length"),
        ({"url": URL, "secret": "whsec_mine"}, "no field"),
        ({}, "url"),
    ],
)
async def test_bad_input_adds_nothing(isolated_api: IsolatedApi, body: dict[str, Any], words: str) -> None:
    """A clear error in the caller's language; the same holds for a change."""
    before = (await call(isolated_api, "admin", "GET", "/webhooks?limit=1000")).json()
    sent = {"knowledge_base": isolated_api.ids["manager"]["kb"], **body}
    answer = await call(isolated_api, "manager", "POST", "/webhooks", json=sent)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert "hunter2" not in answer.text
    if body:
        path = WEBHOOK.format_map(isolated_api.ids["manager"]).removeprefix("/api/v1")
        assert (await call(isolated_api, "manager", "PATCH", path, json=body)).status_code == 400
    assert (await call(isolated_api, "admin", "GET", "/webhooks?limit=1000")).json() == before


async def test_a_refusal_is_told_in_chinese(isolated_api: IsolatedApi) -> None:
    """As all errors are."""
    sent = {"url": "https://10.0.0.1/", "knowledge_base": isolated_api.ids["manager"]["kb"]}
    answer = await call(isolated_api, "manager", "POST", "/webhooks", json=sent, headers={"Accept-Language": "zh"})
    assert "公网" in answer.json()["detail"]


async def test_a_webhook_of_the_platform_is_for_operators(isolated_api: IsolatedApi) -> None:
    """A manager neither adds one nor sees one, nor one of a knowledge base that is not there."""
    refused = await call(isolated_api, "manager", "POST", "/webhooks", json={"url": URL})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    unknown = await call(isolated_api, "manager", "POST", "/webhooks", json={"url": URL, "knowledge_base": "none"})
    assert unknown.status_code == 404
    made = await call(isolated_api, "operator", "POST", "/webhooks", json={"url": URL})
    path = f"/webhooks/{made.json()['id']}"
    delivery = (await call(isolated_api, "operator", "POST", f"{path}/test")).json()["id"]
    for role, status in (("manager", 404), ("operator", 200), ("admin", 200)):
        assert (await call(isolated_api, role, "GET", path)).status_code == status
        listed = (await call(isolated_api, role, "GET", "/webhooks")).json()["items"]
        assert (made.json()["id"] in [each["id"] for each in listed]) == (status == 200)
    for method, address in (("DELETE", path), ("PATCH", path), ("POST", f"/webhooks/deliveries/{delivery}/retry")):
        body = {"json": {"description": "x"}} if method == "PATCH" else {}
        assert (await call(isolated_api, "manager", method, address, **body)).status_code == 404
    assert (await call(isolated_api, "operator", "DELETE", path)).status_code == 204
    assert (await call(isolated_api, "operator", "GET", path)).status_code == 404


async def test_lists_are_of_a_knowledge_base_or_all(isolated_api: IsolatedApi) -> None:
    """By pages; who manages nothing gets an empty list."""
    catalog = isolated_api.catalog
    other = await catalog.knowledge_bases.create("elsewhere", "", "", Chunking(), "ann")
    ids = [
        (await catalog.webhooks.create(NewEndpoint(knowledge_base_id=other.id, url=URL), "whsec_", "ann")).id
        for _ in range(3)
    ]
    first = (await call(isolated_api, "manager", "GET", "/webhooks?kb=elsewhere&limit=2")).json()
    rest = (
        await call(isolated_api, "manager", "GET", f"/webhooks?kb=elsewhere&limit=2&cursor={first['next_cursor']}")
    ).json()
    assert [each["id"] for each in (*first["items"], *rest["items"])] == ids[::-1]
    assert rest["next_cursor"] is None
    assert {each["knowledge_base"] for each in first["items"]} == {"elsewhere"}
    assert (await call(isolated_api, "reader", "GET", "/webhooks")).json()["items"] == []
    assert (await call(isolated_api, "reader", "GET", "/webhooks?kb=elsewhere")).status_code == 403


async def test_a_disabled_webhook_sends_nothing(isolated_api: IsolatedApi) -> None:
    """Neither a test nor an old event, until it is enabled."""
    ids = isolated_api.ids["admin"]
    path, retry = (route.format_map(ids).removeprefix("/api/v1") for route in (WEBHOOK, f"{DELIVERY}/retry"))
    off = (await call(isolated_api, "admin", "PATCH", path, json={"disabled": True})).json()
    assert (off["state"], off["disabled_cause"]) == ("disabled", "user")
    for address in (f"{path}/test", retry):
        answer = await call(isolated_api, "admin", "POST", address)
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong-state")
    on = (await call(isolated_api, "admin", "PATCH", path, json={"disabled": False})).json()
    assert (on["state"], on["disabled_at"]) == ("enabled", None)
    again = await call(isolated_api, "admin", "POST", retry)
    assert (again.status_code, again.json()["state"]) == (202, "pending")
