"""`GET /api/v1/lookup` and `GET /api/v1/me`: only what the caller may read is ever named."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from activities.stores.catalog.records import KnowledgeBase, Principal
from activities.stores.catalog.roles import ROLES, KnowledgeBaseRole
from api.http.access import Access
from tests.api.http.test_access import IsolatedApi, isolated_api

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]


async def get(isolated_api: IsolatedApi, role: str, path: str, **params: Any) -> httpx.Response:
    """One request by one role."""
    transport = httpx.ASGITransport(isolated_api.app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {isolated_api.keys[role]}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers) as client:
        return await client.get(f"/api/v1/{path}", params=params)


@pytest.mark.parametrize(
    ("kind", "text", "parameter"),
    [
        ("document", "leave.txt", "document_id"),
        ("document", "leave", "document_id"),
        ("batch", "scans", "batch_id"),
        ("reindex", "handbook", "reindex_id"),
        ("conversation", "How much", "conversation"),
    ],
)
async def test_a_name_or_its_beginning_is_found(
    isolated_api: IsolatedApi, kind: str, text: str, parameter: str
) -> None:
    """By all who read the knowledge base, with and without its name; the beginning of the id finds the same."""
    id = isolated_api.ids["reader"][parameter]
    for asked in ({"text": text}, {"text": text, "kb": "handbook"}, {"text": id}, {"text": id[:-1]}):
        answer = await get(isolated_api, "reader", "lookup", kind=kind, **asked)
        assert id in [item["id"] for item in answer.json()["items"]], answer.text
    assert answer.json()["items"][0]["knowledge_base"] == "handbook"


async def test_a_question_is_named_for_its_asker_only(isolated_api: IsolatedApi) -> None:
    """An auditor finds it without its text, which is read in its record; others do not find it."""
    id = isolated_api.ids["reader"]["question"]
    for role in ROLES:
        answer = await get(isolated_api, role, "lookup", kind="question", text=id)
        names = [item["name"] for item in answer.json()["items"]]
        assert names == {"reader": ["How much leave?"], "auditor": [""], "admin": [""]}.get(role, []), role


async def test_a_knowledge_base_that_is_not_readable_is_not_searched(
    isolated_api: IsolatedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a name it is a 404, without one there is nothing in it."""

    async def none(self: Access, principal: Principal, knowledge_base: KnowledgeBase) -> KnowledgeBaseRole | None:
        return None

    monkeypatch.setattr(Access, "role_in", none)
    ids = isolated_api.ids["reader"]
    for kind, parameter in (
        ("document", "document_id"), ("batch", "batch_id"), ("reindex", "reindex_id"),
        ("conversation", "conversation"), ("question", "question"),
    ):  # fmt: skip
        answer = await get(isolated_api, "reader", "lookup", kind=kind, text=ids[parameter])
        assert (answer.status_code, answer.json()["items"]) == (200, [])
        named = await get(isolated_api, "reader", "lookup", kind=kind, text=ids[parameter], kb="handbook")
        assert (named.status_code, named.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "params",
    [
        {"kind": "document"},
        {"kind": "document", "text": ""},
        {"kind": "document", "text": "x" * 256},
        {"kind": "document", "text": "a\0b"},
        {"kind": "key", "text": "a"},
        {"kind": "document", "text": "a", "limit": 51},
    ],
)
async def test_a_lookup_has_limits(isolated_api: IsolatedApi, params: dict[str, Any]) -> None:
    """An unknown kind, and a text or a limit out of range, are bad requests."""
    answer = await get(isolated_api, "reader", "lookup", **params)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "invalid-request"


async def test_a_key_says_as_whom_it_acts(isolated_api: IsolatedApi) -> None:
    """Subject and role, never the key."""
    for role in ROLES:
        answer = await get(isolated_api, role, "me")
        assert (answer.json()["subject"], answer.json()["role"]) == (role, role)
        assert isolated_api.keys[role] not in answer.text
