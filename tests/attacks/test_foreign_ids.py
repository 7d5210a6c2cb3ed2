"""What the caller may not see cannot be told from what does not exist, by status, body or headers."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import httpx
import pytest

from activities.contracts.documents import Chunking
from tests.api.http.test_access import MAY, Grants, IsolatedApi, isolated_api

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

#: Routes that address something by name or id, and have no rule of their own for who sees it.
ROUTES = [
    route
    for route in MAY
    if re.search(r"{\w+}", route)
    and not re.search(r"WS |/audit/|/reconcile/|/reindex-all/|many_id|/users/|/groups/|/grants/", route)
]

#: Parts of an answer that are new each time.
CHANGING = ("date", "x-request-id")


def shown(answer: httpx.Response, id: str) -> tuple[int, str, dict[str, str]]:
    """An answer without the id that was asked for."""
    headers = {name: value for name, value in answer.headers.items() if name not in CHANGING}
    return answer.status_code, answer.text.replace(id, "{id}"), headers | {"content-length": ""}


def unknown_like(id: str) -> str:
    """An id of the same form that nothing has."""
    return uuid.uuid4().hex if re.fullmatch(r"[0-9a-f]{32}", id) else f"unknown-{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("route", ROUTES)
async def test_a_foreign_id_is_an_unknown_id(isolated_api: IsolatedApi, route: str) -> None:
    """Of a knowledge base in which the caller has no role, and of another user's questions and conversations."""
    (parameter,) = re.findall(r"{(\w+)}", route)
    before_access, before_ids = isolated_api.app.state.access, dict(isolated_api.ids["contributor"])
    theirs = isolated_api.ids["reader"] | {}
    theirs["id"] = theirs["conversation" if "/conversations/" in route else "question"]
    answers = []
    try:
        isolated_api.app.state.access = Grants(isolated_api.catalog, {})
        for id in (theirs[parameter], unknown_like(theirs[parameter])):
            isolated_api.ids["contributor"] = before_ids | {parameter: id}
            answers.append(shown(await isolated_api.call("contributor", route), id))
    finally:
        isolated_api.app.state.access = before_access
        isolated_api.ids["contributor"] = before_ids
    assert answers[0][0] == 404, answers[0]
    assert answers[0] == answers[1]


NIGHTLY = {"name": "n", "every_minutes": 5}
MINE = "/api/v1/knowledge-bases/{mine}"

#: Requests with a name or an id in their query or body: ``{theirs}``, of a knowledge base that the caller may not see.
ELSEWHERE: list[tuple[str, str, str, dict[str, Any] | None]] = [
    ("kb", "GET", "/api/v1/schedules?kb={theirs}", None),
    ("kb", "GET", "/api/v1/webhooks?kb={theirs}", None),
    ("kb", "GET", "/api/v1/conversations?kb={theirs}", None),
    ("kb", "GET", "/api/v1/lookup?kind=document&text=leave&kb={theirs}", None),
    ("kb", "POST", "/api/v1/schedules", NIGHTLY | {"kind": "reindex", "knowledge_base": "{theirs}"}),
    ("kb", "POST", "/api/v1/webhooks", {"url": "https://93.184.216.34/", "knowledge_base": "{theirs}"}),
    ("kb", "POST", "/api/v1/keys", {"role": "reader", "knowledge_bases": ["{theirs}"]}),
    ("kb", "POST", "/v1/chat/completions", {"model": "{theirs}", "messages": [{"role": "user", "content": "Leave?"}]}),
    ("document", "POST", f"{MINE}/search", {"query": "leave", "documents": ["{theirs}"]}),
    ("document", "POST", f"{MINE}/questions", {"question": "Leave?", "documents": ["{theirs}"]}),
    ("document", "GET", MINE + "/documents?id={theirs}", None),
    ("batch", "GET", MINE + "/documents?batch={theirs}", None),
    ("batch", "POST", MINE + "/documents?batch={theirs}", {}),
    ("source", "GET", MINE + "/documents?source={theirs}", None),
    (
        "source", "POST", "/api/v1/schedules",
        NIGHTLY | {"kind": "sync", "knowledge_base": "{mine}", "options": {"source_id": "{theirs}"}},
    ),
    ("conversation", "POST", f"{MINE}/questions", {"question": "Q?", "conversation_id": "{theirs}"}),
]  # fmt: skip


async def test_an_id_in_a_body_is_checked_like_one_in_a_path(isolated_api: IsolatedApi) -> None:
    """What a manager of one knowledge base names of another one is answered like what does not exist."""
    app, ids = isolated_api.app, isolated_api.ids["reader"]
    mine = await isolated_api.catalog.knowledge_bases.create(f"mine-{uuid.uuid4().hex[:8]}", "", "", Chunking(), "ann")
    name, password = f"mia-{uuid.uuid4().hex[:8]}", "correct horse battery staple 9"  # the password of a test
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", timeout=30) as client:
        admin = {"Authorization": f"Bearer {isolated_api.keys['admin']}"}
        made = await client.post("/api/v1/users", json={"name": name, "password": password}, headers=admin)
        assert made.status_code == 201, made.text
        await isolated_api.catalog.grants.set(mine.id, "user", name, "manager", "ann")
        token = (await client.post("/api/v1/auth/token", json={"username": name, "password": password})).json()
        client.headers["Authorization"] = f"Bearer {token['access_token']}"
        theirs = {
            "kb": ids["kb"], "document": ids["document_id"], "batch": ids["batch_id"], "source": ids["source_id"],
            "conversation": ids["conversation"],
        }  # fmt: skip
        for kind, method, path, body in ELSEWHERE:
            answers = []
            for id in (theirs[kind], unknown_like(theirs[kind])):
                url = path.replace("{mine}", mine.name).replace("{theirs}", id)
                content = json.dumps(body).replace("{mine}", mine.name).replace("{theirs}", id)
                sent: dict[str, Any] = {"content": content, "headers": {"Content-Type": "application/json"}}
                if body == {}:
                    sent = {"files": {"files": ("leave.txt", b"Five days.")}}
                answer = await client.request(method, url, **sent if body is not None else {})
                answers.append(shown(answer, id))
            assert answers[0] == answers[1], (method, path)
            status, text, _ = answers[0]
            assert status in (400, 404) or (status == 200 and '"items":[]' in text), (method, path, status, text)
