"""What the caller may not see cannot be told from what does not exist, by status, body or headers."""

from __future__ import annotations

import re
import uuid

import httpx
import pytest

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
