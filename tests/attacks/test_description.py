"""The OpenAPI description tells the truth: no request that is made of it, or not quite, gets another answer."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx
import pytest

from api.http.access import PUBLIC, declaration
from api.http.described import DESCRIPTION, ERRORS, SIGN_IN_PREFIX
from tests.api.http.test_access import LEAVE, MAY, IsolatedApi, handlers, isolated_api
from tests.attacks.fuzzing import Findings, probe, probe_in_process
from tests.conftest import ready

__all__ = ["isolated_api"]  # a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning"),
]


def told_the_truth(findings: Findings) -> None:
    """No answer differs from the description; the figures are shown with `-rP`."""
    print(findings.calls, dict(sorted(findings.statuses.items())))
    assert findings.lies == [], "\n".join(findings.lies)


@pytest.mark.parametrize("role", ["admin", None])
async def test_no_answer_differs_from_the_description(isolated_api: IsolatedApi, role: str | None) -> None:
    """Two requests of each operation; `make endurance` sends thousands."""
    findings = await probe_in_process(isolated_api, role, 1)
    told_the_truth(findings)
    assert findings.calls > len(MAY)


@pytest.mark.endurance
@pytest.mark.parametrize(("role", "number"), [("admin", 12), ("reader", 6), ("operator", 4), (None, 4)])
async def test_no_answer_differs_in_thousands(isolated_api: IsolatedApi, role: str | None, number: int) -> None:
    """By roles that may do all, little and something else, and without a key: 5,000 requests together."""
    findings = await probe_in_process(isolated_api, role, number)
    told_the_truth(findings)
    assert findings.calls > 1.5 * number * len(MAY)


@pytest.mark.endurance
async def test_no_answer_of_the_whole_platform_differs(api: httpx.AsyncClient, kb: str) -> None:
    """With everything that an answer needs."""
    (document,) = await ready(api, kb, ("leave.txt", LEAVE))
    root = httpx.URL(str(api.base_url)).copy_with(path="/")
    async with httpx.AsyncClient(base_url=root, headers=api.headers, timeout=60, trust_env=False) as client:
        described: dict[str, Any] = (await client.get("/schema/openapi.json")).json()
        for path in ("/api/v1/reconcile", "/api/v1/reindex-all"):  # for other tests' knowledge bases too
            described["paths"].pop(path)
        ids = {"kb": kb, "model": kb, "document_id": document["id"], "question": "0" * 32, "conversation": "0" * 32}
        told_the_truth(await probe(client, described, ids, 8))


def test_every_route_is_described(isolated_api: IsolatedApi) -> None:
    """With an example of each error that it has, and whether it needs a key."""
    described = isolated_api.app.openapi_schema.to_schema()
    for route, handler in handlers(isolated_api.app):
        method, path = route.split(" ")
        if method in ("WS", "ASGI", "HE") or path not in described["paths"]:
            continue
        operation = described["paths"][path].get(method.lower())
        if operation is None:
            continue
        needs_key = "security" not in operation
        assert needs_key == (declaration(handler) != PUBLIC), route
        signs_in = path.startswith(SIGN_IN_PREFIX) and method == "POST"
        assert ("401" in operation["responses"]) == (needs_key or signs_in), route
        for status, response in operation["responses"].items():
            if int(status) in ERRORS and not (path == "/health/ready" and status == "503"):
                (content,) = response["content"].values()
                (example,) = content["examples"].values()
                assert example["value"].get("status", int(status)) == int(status), route


def test_streams_and_sockets_are_described(isolated_api: IsolatedApi) -> None:
    """With their events; a socket, which OpenAPI does not know, in words."""
    described = isolated_api.app.openapi_schema.to_schema()
    streams = [path for path in described["paths"] if path.endswith("/events") and "/audit/" not in path]
    for path in streams:
        (content,) = described["paths"][path]["get"]["responses"]["200"]["content"].items()
        assert content[0] == "text/event-stream"
        (example,) = content[1]["examples"].values()
        assert json.loads(example["value"]["data"])
    sockets = [route.split(" ")[1] for route in MAY if route.startswith("WS ")]
    assert len(streams) == len([route for route in MAY if route.endswith("/events") and "/audit/" not in route])
    assert all(path in DESCRIPTION for path in sockets)


async def test_an_unknown_field_is_not_described_as_allowed(isolated_api: IsolatedApi) -> None:
    """It is refused, so that a misspelt one is not ignored."""
    schemas = isolated_api.app.openapi_schema.to_schema()["components"]["schemas"]
    strict = [name for name, schema in schemas.items() if schema.get("additionalProperties") is False]
    assert any("SearchRequest" in name for name in strict)
    headers = {"Authorization": f"Bearer {isolated_api.keys['admin']}"}
    transport = httpx.ASGITransport(isolated_api.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", headers=headers) as client:
        body = {"name": f"kb-{secrets.token_hex(4)}", "titel": "misspelt"}
        assert (await client.post("/api/v1/knowledge-bases", json=body)).status_code == 400
