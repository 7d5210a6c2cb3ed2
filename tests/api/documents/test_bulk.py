"""The list's parameters and changes of many documents, by the API without its dependencies."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from activities.contracts.bulk import BulkRequested
from tests.api.http.test_access import IsolatedApi, isolated_api

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

BULK, LIST = "/api/v1/knowledge-bases/handbook/documents/bulk", "/api/v1/knowledge-bases/handbook/documents"


async def request(
    api: IsolatedApi, role: str, method: str, path: str, language: str = "en", **sent: Any
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {api.keys[role]}", "Accept-Language": language}
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers) as client:
        return await client.request(method, path, **sent)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"action": "delete"}, "give either `ids` or `filter`"),
        ({"action": "delete", "ids": ["a"], "filter": {}}, "give either `ids` or `filter`"),
        ({"action": "delete", "ids": []}, "`ids`"),
        ({"action": "tag", "filter": {}}, "`tag` is needed to tag or untag, and for nothing else"),
        ({"action": "delete", "filter": {}, "tag": "x"}, "`tag` is needed"),
        ({"action": "tag", "filter": {}, "tag": "a\u0001"}, "a tag contains control characters"),
        ({"action": "forget", "filter": {}}, "`action`"),
        ({"action": "delete", "filter": {"name": "x"}}, "there is no field"),
        ({"action": "delete", "filter": {"state": "lost"}}, "lost"),
        ({"action": "delete", "ids": ["a"] * 10_001}, "`ids`"),
    ],
)
async def test_a_request_that_is_wrong_says_what_is(
    isolated_api: IsolatedApi, body: dict[str, Any], detail: str
) -> None:
    """And changes nothing."""
    before = await isolated_api.catalog.bulk_changes.page("", None, 99)
    answer = await request(isolated_api, "admin", "POST", BULK, json=body)
    assert answer.status_code == 400
    assert detail in answer.json()["detail"]
    assert await isolated_api.catalog.bulk_changes.page("", None, 99) == before


async def test_each_action_needs_its_role(isolated_api: IsolatedApi) -> None:
    """Deleting many needs the role of deleting one; operators retry, and nothing else."""
    may = {
        "delete": {"manager", "admin"},
        "retry": {"contributor", "manager", "admin", "operator"},
        "tag": {"contributor", "manager", "admin"},
        "untag": {"contributor", "manager", "admin"},
    }
    for action, roles in may.items():
        tag = {"tag": "x"} if "tag" in action else {}
        for role in ("reader", "contributor", "manager", "operator", "auditor", "admin"):
            answer = await request(isolated_api, role, "POST", BULK, json={"action": action, "filter": {}} | tag)
            assert answer.status_code == (503 if role in roles else 403), (action, role)  # Temporal does not respond


async def test_a_change_is_read_in_the_language_of_its_reader(isolated_api: IsolatedApi) -> None:
    """What failed, with the name and the reason; and in the list of changes."""
    catalog = isolated_api.catalog
    kb = await catalog.knowledge_bases.get("handbook")
    wanted = BulkRequested(knowledge_base_id=kb.id, action="untag", tag="hr", ids=["nothing"], actor="ann")
    change = await catalog.bulk_changes.create(wanted)
    while not (await catalog.bulk_changes.step(change.id, 9)).ended:
        pass
    path = f"/api/v1/bulk-changes/{change.id}"
    english = (await request(isolated_api, "reader", "GET", path)).json()
    chinese = (await request(isolated_api, "reader", "GET", path, "zh")).json()
    assert (english["state"], english["total"], english["done"], english["failed"]) == ("ready", 1, 1, 1)
    assert "There is no document" in english["failures"][0]["reason"]
    assert "文档" in chinese["failures"][0]["reason"]
    listed = (await request(isolated_api, "reader", "GET", BULK)).json()["items"]
    assert change.id in [each["id"] for each in listed]
    missing = await request(isolated_api, "reader", "GET", "/api/v1/bulk-changes/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


async def test_a_change_is_canceled_once(isolated_api: IsolatedApi) -> None:
    """Those who may start one may cancel it; what it has changed by then is told, and it is over."""
    catalog = isolated_api.catalog
    kb = await catalog.knowledge_bases.get("handbook")
    wanted = BulkRequested(knowledge_base_id=kb.id, action="untag", tag="hr", ids=["nothing"], actor="ann")
    path = f"/api/v1/bulk-changes/{(await catalog.bulk_changes.create(wanted)).id}/cancel"
    assert (await request(isolated_api, "reader", "POST", path)).status_code == 403
    answer = await request(isolated_api, "contributor", "POST", path)
    assert (answer.status_code, answer.json()["state"], answer.json()["canceled_by"]) == (
        200,
        "canceled",
        "contributor",
    )
    assert (answer.json()["changed"], answer.json()["total"]) == (0, 1)
    again = await request(isolated_api, "contributor", "POST", path)
    assert (again.status_code, again.json()["code"]) == (409, "wrong-state")


async def test_the_list_takes_its_parameters(isolated_api: IsolatedApi) -> None:
    """Filter, order and counts; the plain list is what it was."""
    found = (await request(isolated_api, "reader", "GET", LIST)).json()
    assert ([each["name"] for each in found["items"]], found["counts"]) == (["leave.txt"], None)
    query = {"search": "LEAVE", "state": "failed", "sort": "name", "order": "desc", "counts": "true"}
    found = (await request(isolated_api, "reader", "GET", LIST, params=query)).json()
    assert (found["items"], found["counts"]) == ([], {"total": 1, "canceled": 1})
    query = {"search": "  ", "source": "ann", "sort": "updated_at", "limit": "1"}
    found = (await request(isolated_api, "reader", "GET", LIST, params=query)).json()
    assert [each["name"] for each in found["items"]] == ["leave.txt"]
    query["cursor"] = found["next_cursor"]
    assert (await request(isolated_api, "reader", "GET", LIST, params=query)).json()["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "size"},
        {"order": "up"},
        {"state": "lost"},
        {"search": "x" * 256},
        {"tag": "x" * 65},
        {"sort": "name", "cursor": "0" * 32},
        {"counts": "perhaps"},
    ],
)
async def test_a_parameter_that_is_wrong_is_refused(isolated_api: IsolatedApi, query: dict[str, str]) -> None:
    """With 400, never ignored."""
    answer = await request(isolated_api, "reader", "GET", LIST, params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")
