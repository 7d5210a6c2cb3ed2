"""The typed client: what comes back is a wire type, and the JSON as it came."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from api.client.client import Api, Target
from api.client.problems import Problem
from api.documents.schemas import DocumentInfo
from api.knowledge_bases.schemas import KnowledgeBaseInfo
from tests.api.cli.fake_api import FakeApi, serving, whole


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    with serving() as fake:
        yield fake


async def test_an_answer_is_a_wire_type_and_its_json(fake: FakeApi) -> None:
    """A field that a later API has is passed over, and still there in the JSON."""
    body = whole(KnowledgeBaseInfo, name="a/b", documents={"total": 1, "ready": 1}) | {"from_the_future": True}
    fake.on("GET /api/v1/knowledge-bases/a%2Fb", body)
    async with Api(Target(fake.url)) as api:
        answer = await api.knowledge_bases.get("a/b")
    assert isinstance(answer.value, KnowledgeBaseInfo)
    assert (answer.value.name, answer.value.documents["ready"]) == ("a/b", 1)
    assert answer.json == body


async def test_what_is_no_answer_of_the_api_is_a_problem(fake: FakeApi) -> None:
    """It is said where it was, when it is looked at: who only prints the JSON does not mind."""
    fake.on("GET /api/v1/documents/d1", {"id": 7})
    async with Api(Target(fake.url)) as api:
        answer = await api.documents.get("d1")
        assert answer.json == {"id": 7}
        with pytest.raises(Problem) as caught:
            _ = answer.value
    assert (caught.value.code, caught.value.params["url"]) == ("not-holdfast", f"{fake.url}/api/v1/documents/d1")


async def test_a_list_is_read_over_its_pages(fake: FakeApi) -> None:
    """Each item is an answer; what was not given is not sent."""
    path = "GET /api/v1/knowledge-bases/hr/documents"
    fake.on(path, {"items": [whole(DocumentInfo, id="d1")], "next_cursor": "d1"})
    fake.on(f"{path}?cursor=d1", {"items": [whole(DocumentInfo, id="d2")], "next_cursor": None})
    async with Api(Target(fake.url)) as api:
        found = [document.value.id async for document in api.documents.all("hr")]
    assert found == ["d1", "d2"]


@pytest.mark.parametrize("module", ["api.client.client", "api.evaluation.runner"])
def test_the_client_loads_nothing_of_the_server(module: str) -> None:
    """Whoever asks the API over HTTP does not wait for its server's libraries."""
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    packages = {name.split(".")[0] for name in loaded}
    assert not packages & {"litestar", "sqlalchemy", "temporalio", "pymilvus", "tritonclient", "grpc", "numpy"}
