"""Conversations, feedback and the audit trail through the whole platform."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.contracts.ids import question_id
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from tests.conftest import Platform, ask, assert_eventually, events, ready

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
TRAVEL = "Travel costs are refunded within ten working days after the trip has ended."
QUESTION = "How many days of unused leave can be carried over?"


@asynccontextmanager
async def client_of(platform: Platform, subject: str, role: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with its own key for a subject and a role."""
    catalog = Catalog(platform.settings.catalog_url)
    key = await catalog.api_keys.create(subject, role)
    await catalog.close()
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=f"{platform.url}/api/v1", headers=headers, timeout=60, trust_env=False
    ) as client:
        yield client


@pytest.fixture
async def bob(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another reader."""
    async with client_of(platform, "bob", "reader") as client:
        yield client


@pytest.fixture
async def auditor(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an auditor."""
    async with client_of(platform, "vera", "auditor") as client:
        yield client


@pytest.fixture
async def handbook(api: httpx.AsyncClient, kb: str) -> str:
    """A knowledge base with two texts."""
    await ready(api, kb, ("leave [old].txt", LEAVE.encode()), ("travel.txt", TRAVEL.encode()))
    return kb


async def answered(api: httpx.AsyncClient, kb: str, question: str, **fields: Any) -> dict[str, Any]:
    """Ask a question and wait for its answer; the accepted question."""
    accepted = await api.post(f"/knowledge-bases/{kb}/questions", json={"question": question, **fields})
    assert accepted.status_code == 202, accepted.text
    await events(api, accepted.json()["events_url"])
    found: dict[str, Any] = accepted.json()
    return found


# --- conversations ---------------------------------------------------------------------------------


async def test_the_life_of_a_conversation(api: httpx.AsyncClient, handbook: str, temporal: Client) -> None:
    """It begins with a question, continues, is listed, renamed and deleted; then neither it nor its questions exist."""
    first = await answered(api, handbook, QUESTION)
    id = first["conversation_id"]
    second = await answered(api, handbook, "And when are travel costs refunded?", conversation_id=id)
    (listed,) = (await api.get("/conversations", params={"kb": handbook})).json()["items"]
    assert (listed["id"], listed["title"], listed["questions"]) == (id, QUESTION, 2)
    whole = (await api.get(f"/conversations/{id}")).json()
    assert [turn["id"] for turn in whole["turns"]] == [first["id"], second["id"]]
    assert "five days" in whole["turns"][0]["answer"]
    assert {**whole, "turns": None} == {**listed, "turns": None}
    renamed = await api.patch(f"/conversations/{id}", json={"title": "  Leave  "})
    assert renamed.json() == listed | {"title": "Leave"}
    deleted = await api.delete(f"/conversations/{id}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for path in (f"/conversations/{id}", f"/questions/{first['id']}", f"/questions/{second['id']}/events"):
        assert (await api.get(path)).status_code == 404
    assert (await api.delete(f"/conversations/{id}")).status_code == 404
    assert (await api.get("/conversations", params={"kb": handbook})).json()["items"] == []


async def test_only_its_owner_sees_a_conversation(
    api: httpx.AsyncClient, bob: httpx.AsyncClient, handbook: str
) -> None:
    """For others it does not exist, with all that it has; also for an administrator who does not own it."""
    accepted = await answered(bob, handbook, QUESTION)
    id, question = accepted["conversation_id"], accepted["id"]
    assert (await bob.get("/conversations", params={"limit": 1})).json()["items"][0]["id"] == id
    assert id not in [each["id"] for each in (await api.get("/conversations?limit=1000")).json()["items"]]
    for method, path, body in (
        ("GET", f"/conversations/{id}", None),
        ("GET", f"/conversations/{id}/export", None),
        ("PATCH", f"/conversations/{id}", {"title": "Mine"}),
        ("DELETE", f"/conversations/{id}", None),
        ("GET", f"/questions/{question}", None),
        ("GET", f"/questions/{question}/events", None),
        ("POST", f"/questions/{question}/cancel", None),
        ("POST", f"/questions/{question}/feedback", {"rating": "up"}),
        ("POST", f"/knowledge-bases/{handbook}/questions", {"question": "And?", "conversation_id": id}),
    ):
        answer = await api.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path
    assert (await bob.get(f"/conversations/{id}")).status_code == 200


async def test_deleting_leaves_no_words_anywhere(
    api: httpx.AsyncClient, handbook: str, platform: Platform, temporal: Client
) -> None:
    """Catalogue, blobs and Temporal lose question and answer; the trail keeps the fact that there was one."""
    accepted = await answered(api, handbook, QUESTION)
    blobs = Blobs(platform.settings.blobs_url)
    assert await blobs.list(f"questions/{accepted['id']}")
    await api.delete(f"/conversations/{accepted['conversation_id']}")
    assert await blobs.list(f"questions/{accepted['id']}") == []
    record = (await api.get(f"/audit/questions/{accepted['id']}")).json()
    assert (record["question"], record["answer"], record["citations"]) == ("", None, [])
    assert (record["actor"], record["deleted_by"], record["state"]) == ("admin", "admin", "ready")
    assert record["sources"][0]["chunk_id"]

    async def forgotten() -> bool:
        try:
            await temporal.get_workflow_handle(question_id(accepted["id"])).describe()
        except RPCError:
            return True
        return False

    await assert_eventually(forgotten)  # Temporal deletes asynchronously


async def test_a_question_under_way_ends_with_its_conversation(
    api: httpx.AsyncClient, handbook: str, platform: Platform
) -> None:
    """Its run is ended and records nothing afterwards."""
    worker = platform.pid_of("worker-interactive")
    os.kill(worker, signal.SIGSTOP)
    try:
        accepted = (await api.post(f"/knowledge-bases/{handbook}/questions", json={"question": QUESTION})).json()
        assert (await api.delete(f"/conversations/{accepted['conversation_id']}")).status_code == 204
    finally:
        os.kill(worker, signal.SIGCONT)
    await ask(api, handbook, "When are travel costs refunded?")  # by now the worker has finished the canceled work
    record = (await api.get(f"/audit/questions/{accepted['id']}")).json()
    assert (record["state"], record["question"], record["answer"]) == ("canceled", "", None)


async def test_a_conversation_is_exported_with_its_sources(api: httpx.AsyncClient, handbook: str) -> None:
    """JSON is what the API shows; Markdown is for people, in their language, and no name becomes markup."""
    accepted = await answered(api, handbook, QUESTION)
    path = f"/conversations/{accepted['conversation_id']}"
    exported = await api.get(f"{path}/export", params={"format": "json"})
    assert exported.json() == (await api.get(path)).json()
    assert exported.headers["content-disposition"] == f'attachment; filename="conversation-{path[-32:]}.json"'
    text = (await api.get(f"{path}/export", params={"format": "markdown"})).text
    assert text.startswith(f"# {QUESTION}\n")
    assert f"> {QUESTION}" in text
    assert "**Sources**" in text
    assert f"* [1] leave \\[old\\].txt · version 1: “{LEAVE}”" in text
    chinese = (await api.get(f"{path}/export", headers={"Accept-Language": "zh"})).text
    assert "**来源**" in chinese
    assert (await api.get(f"{path}/export", params={"format": "docx"})).status_code == 400


@pytest.mark.parametrize("body", [{}, {"title": ""}, {"title": "  "}, {"title": "a" * 201}, {"title": "a", "x": 1}])
async def test_a_bad_title_is_refused(api: httpx.AsyncClient, handbook: str, body: dict[str, Any]) -> None:
    """400, and the old title stays."""
    accepted = await answered(api, handbook, QUESTION)
    path = f"/conversations/{accepted['conversation_id']}"
    assert (await api.patch(path, json=body)).status_code == 400
    assert (await api.get(path)).json()["title"] == QUESTION


async def test_a_cursor_of_another_list_is_refused(api: httpx.AsyncClient) -> None:
    """400 with a reason."""
    answer = await api.get("/conversations", params={"cursor": "' OR 1=1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")


# --- feedback --------------------------------------------------------------------------------------


async def test_feedback_is_kept_and_replaced(api: httpx.AsyncClient, auditor: httpx.AsyncClient, handbook: str) -> None:
    """The latest counts; both are in the trail, with actor and time."""
    question = (await answered(api, handbook, QUESTION))["id"]
    assert (await api.get(f"/questions/{question}")).json()["feedback"] is None
    down = await api.post(f"/questions/{question}/feedback", json={"rating": "down", "comment": "Wrong page "})
    assert (down.status_code, down.json()["feedback"]) == (200, {"rating": "down", "comment": "Wrong page"})
    await api.post(f"/questions/{question}/feedback", json={"rating": "up"})
    assert (await api.get(f"/questions/{question}")).json()["feedback"] == {"rating": "up", "comment": None}
    told = (await auditor.get("/audit/events", params={"action": "question.feedback", "kb": handbook})).json()["items"]
    assert [(each["actor"], each["object_id"], each["detail"]) for each in told] == [
        ("admin", question, {"rating": "up"}),
        ("admin", question, {"rating": "down"}),
    ]
    for body in ({}, {"rating": "fine"}, {"rating": "up", "stars": 5}, {"rating": "up", "comment": "a" * 4001}):
        assert (await api.post(f"/questions/{question}/feedback", json=body)).status_code == 400


# --- audit -----------------------------------------------------------------------------------------


async def test_the_trail_is_for_auditors(
    api: httpx.AsyncClient, bob: httpx.AsyncClient, auditor: httpx.AsyncClient, handbook: str
) -> None:
    """Others get 403 for the trail, and 404 for the record of another user's question."""
    question = (await answered(api, handbook, QUESTION))["id"]
    for path in ("/audit/events", "/audit/export"):
        refused = await bob.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (await auditor.get(path)).status_code == (await api.get(path)).status_code == 200
    assert (await bob.get(f"/audit/questions/{question}")).status_code == 404
    own = (await answered(bob, handbook, "When are travel costs refunded?"))["id"]
    assert (await bob.get(f"/audit/questions/{own}")).json()["actor"] == "bob"


async def test_the_record_of_a_question_is_complete(
    auditor: httpx.AsyncClient, bob: httpx.AsyncClient, handbook: str
) -> None:
    """It has every recorded field, also for readers other than the asker; reading it is in the trail."""
    question = (await answered(bob, handbook, QUESTION))["id"]
    shown = (await bob.get(f"/questions/{question}")).json()
    record = (await auditor.get(f"/audit/questions/{question}")).json()
    for field in ("id", "question", "answer", "citations", "sources", "actor", "mode", "found", "created_at"):
        assert record[field] == shown[field], field
    assert (record["knowledge_base"], record["deleted_at"]) == (handbook, None)
    assert 0 < record["similarity"] <= 1.001
    (read,) = (await auditor.get("/audit/events", params={"action": "audit.read", "limit": 1})).json()["items"]
    assert (read["actor"], read["object_id"]) == ("vera", question)
    assert (await auditor.get(f"/audit/questions/{'0' * 32}")).status_code == 404


async def test_events_come_in_pages_and_as_lines(auditor: httpx.AsyncClient, bob: httpx.AsyncClient, kb: str) -> None:
    """Pages are newest first, lines oldest first; filters apply to both; a bad date is refused."""
    for number in range(3):
        await ask(bob, kb, f"Question {number}?")
    chosen = {"kb": kb, "actor": "bob", "action": "question.ask"}
    first = (await auditor.get("/audit/events", params={**chosen, "limit": 2})).json()
    rest = (await auditor.get("/audit/events", params={**chosen, "cursor": first["next_cursor"]})).json()
    paged = first["items"] + rest["items"]
    assert [each["action"] for each in paged] == ["question.ask"] * 3
    exported = await auditor.get("/audit/export", params=chosen)
    assert exported.headers["content-type"].startswith("application/jsonl")
    assert [json.loads(line) for line in exported.text.splitlines()] == paged[::-1]
    since = {**chosen, "since": paged[0]["at"]}
    assert (await auditor.get("/audit/events", params=since)).json()["items"] == paged[:1]
    assert (await auditor.get("/audit/events", params={"since": "yesterday"})).status_code == 400
