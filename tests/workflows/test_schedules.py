"""Schedules through the whole platform: what they start, what they record, and the retention that asks first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from temporalio.client import Client

from activities.contracts.schedules import RECONCILE_SCHEDULE
from activities.runtime import schedules as timers
from activities.stores.catalog.tables import VersionRow, new_id
from tests.conftest import Platform, assert_eventually, ready
from tests.stores.catalog.conftest import sql
from tests.workflows.test_replay import replayer

LATER = {"cron": "0 2 1 1 *", "time_zone": "Europe/Berlin"}


async def made(api: httpx.AsyncClient, kb: str, kind: str, **given: Any) -> str:
    """A new schedule that does not fire by itself while the test runs; its name."""
    name = f"test-{new_id()[-12:]}"
    body = {"name": name, "kind": kind, "knowledge_base": kb, **LATER, **given}
    response = await api.post("/schedules", json=body)
    assert response.status_code == 201, response.text
    return name


async def last_is(api: httpx.AsyncClient, name: str, state: str, seconds: float = 60) -> dict[str, Any]:
    """Wait until the latest run of a schedule has a state; the run."""

    async def check() -> dict[str, Any] | None:
        last: dict[str, Any] | None = (await api.get(f"/schedules/{name}")).json()["last"]
        return last if last is not None and last["state"] == state else None

    return await assert_eventually(check, seconds)


async def run(api: httpx.AsyncClient, name: str) -> None:
    """Start a run now."""
    response = await api.post(f"/schedules/{name}/run")
    assert response.status_code == 202, response.text


async def aged(platform: Platform, document: dict[str, Any], days: int) -> None:
    """Date a document's upload back."""
    at = datetime.now(UTC) - timedelta(days=days)
    uploaded = update(VersionRow).values(created_at=at).where(VersionRow.document_id == document["id"])
    await sql(platform.settings, uploaded)


async def test_a_retention_asks_before_it_deletes_much(
    platform: Platform, api: httpx.AsyncClient, temporal: Client, kb: str
) -> None:
    """It waits to be confirmed, deletes as DELETE does, and its runs read like a log; another is skipped meanwhile."""
    texts = [(f"{number}.txt", f"Text {number} is short.".encode()) for number in range(4)]
    documents = await ready(api, kb, *texts)
    for document in documents[:2]:
        await aged(platform, document, 400)
    preview = (await api.post(f"/knowledge-bases/{kb}/retention-preview", json={"days": 365})).json()
    assert (preview["expired"], preview["documents"], preview["allowed"]) == (2, 4, False)
    assert {item["name"] for item in preview["items"]} == {document["name"] for document in documents[:2]}

    name = await made(api, kb, "retention", options={"days": 365}, paused=True)
    await run(api, name)
    waiting = await last_is(api, name, "waiting")
    assert "2 of 4" in waiting["reason"]
    assert (await api.post(f"/schedules/{name}/run")).json()["code"] == "schedule-runs"
    assert (await api.post(f"/schedules/{name}/confirm", json={"documents": 1})).status_code == 400
    assert (await api.get(f"/documents/{documents[0]['id']}")).status_code == 200
    assert (await api.post(f"/schedules/{name}/confirm")).status_code == 202
    ended = await last_is(api, name, "ready")
    counts = {"documents": 4, "expired": 2, "deleted": 2, "unfinished": 0}
    assert {count: ended["counts"].get(count, 0) for count in counts} == counts
    for document, status in zip(documents, (404, 404, 200, 200), strict=True):
        assert (await api.get(f"/documents/{document['id']}")).status_code == status
    assert (await api.post(f"/schedules/{name}/confirm")).json()["code"] == "wrong-state"

    found = (await api.get("/audit/events", params={"kb": kb, "limit": 1000})).json()["items"]
    actions = {event["action"] for event in found}
    assert {"schedule.create", "schedule.run", "schedule.confirm", "schedule.ran", "document.delete"} <= actions
    for workflow_id in (ended["workflow_id"], ended["job_workflow_id"]):
        await replayer(temporal).replay_workflow(await temporal.get_workflow_handle(workflow_id).fetch_history())
    assert (await api.delete(f"/schedules/{name}")).status_code == 204
    assert (await api.get(f"/schedules/{name}")).status_code == 404
    assert await timers.describe(temporal, name) is None


@pytest.mark.endurance
async def test_a_scheduled_reindex_is_one_of_the_knowledge_base(api: httpx.AsyncClient, kb: str) -> None:
    """It has its record; while another one goes on it is skipped, and a canceled run cancels it."""
    await ready(api, kb, ("a.txt", b"Leave is five days."))
    name, other = (
        await made(api, kb, "reindex", options={"max_tokens": 64, "approve": True}),
        await made(api, kb, "reindex"),
    )
    await run(api, name)

    async def waits() -> dict[str, Any] | None:
        found = (await api.get(f"/knowledge-bases/{kb}/reindexes")).json()["items"]
        return found[0] if found and found[0]["stage"] == "approve" else None

    reindex = await assert_eventually(waits, 60)
    assert reindex["chunking"]["max_tokens"] == 64
    assert reindex["workflow_id"] == (await last_is(api, name, "running"))["job_workflow_id"]
    await run(api, other)
    assert "being re-indexed already" in (await last_is(api, other, "skipped"))["reason"]
    assert (await api.post(f"/schedules/{name}/cancel")).status_code == 202
    await last_is(api, name, "canceled")
    assert (await api.get(f"/reindexes/{reindex['id']}")).json()["state"] == "canceled"
    await run(api, other)
    await last_is(api, other, "ready")
    listed = (await api.get("/schedules", params={"kb": kb})).json()["items"]
    assert {each["name"]: each["last"]["state"] for each in listed} == {name: "canceled", other: "ready"}


async def test_a_schedule_is_changed_paused_and_run_for_the_past(
    api: httpx.AsyncClient, temporal: Client, kb: str
) -> None:
    """Temporal has what the catalogue has; next times are on the schedule's clocks."""
    name = await made(api, kb, "retention", options={"days": 3650}, note="Works council")
    info = (await api.get(f"/schedules/{name}")).json()
    assert [at[4:] for at in info["next"]] == ["-01-01T02:00:00+01:00"] * 5
    assert info["options"]["days"] == 3650
    changed = await api.patch(f"/schedules/{name}", json={"every_minutes": 60, "options": {"tag": " Old  Minutes "}})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["when"], changed.json()["cron"]) == ("every hour", None)
    assert changed.json()["options"] == {"days": 3650, "tag": "old minutes"}
    paused = (await api.post(f"/schedules/{name}/pause", json={"note": "audit"})).json()
    assert (paused["paused"], paused["note"], paused["next"]) == (True, "audit", [])
    described = await timers.describe(temporal, name)
    assert described is not None
    assert (described.schedule.state.paused, described.schedule.state.note) == (True, "audit")
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    past = {"start": (hour - timedelta(minutes=61)).isoformat(), "end": (hour - timedelta(seconds=1)).isoformat()}
    assert (await api.post(f"/schedules/{name}/backfill", json=past)).json() == {"name": name, "runs": 1}
    ran = await last_is(api, name, "ready")
    assert ran["occurrence"] == f"{name}-{hour - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert (await api.post(f"/schedules/{name}/resume")).json()["paused"] is False
    for bad in ({"start": past["end"], "end": past["start"]}, {"start": "2026-01-01T00:00:00Z", "end": past["end"]}):
        assert (await api.post(f"/schedules/{name}/backfill", json=bad)).status_code == 400


async def test_the_schedule_of_a_setting_is_listed(api: httpx.AsyncClient) -> None:
    """It can be paused and resumed, and neither changed nor deleted."""
    items = {each["name"]: each for each in (await api.get("/schedules")).json()["items"]}
    found = items[RECONCILE_SCHEDULE]
    assert (found["kind"], found["managed_by"]) == ("reconcile", "HOLDFAST_RECONCILE_MINUTES")
    assert (await api.post("/schedules/reconcile/pause", json={"note": "quiet"})).json()["paused"]
    assert not (await api.post("/schedules/reconcile/resume")).json()["paused"]
    for response in (await api.delete("/schedules/reconcile"), await api.patch("/schedules/reconcile", json={})):
        assert (response.status_code, response.json()["code"]) == (409, "managed-by-setting")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cron": "25:99"}, "five fields"),
        ({"cron": "0 0 31 2 *"}, "never comes"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"every_minutes": 0}, "`every_minutes`"),
        ({"every_minutes": 5}, "not both"),
        ({"kind": "party"}, "party"),
        ({"options": {"max_tokens": 64}}, "max_tokens"),
        ({"options": {"days": "many"}}, "`options`"),
        ({"options": {}}, "days"),
        ({"name": "Bad Name"}, "`name`"),
        ({"knowledge_base": "nowhere"}, "nowhere"),
    ],
)
async def test_a_wrong_schedule_is_refused(api: httpx.AsyncClient, kb: str, given: dict[str, Any], said: str) -> None:
    """With what is wrong, and nothing is made."""
    body = {"name": "wrong", "kind": "retention", "knowledge_base": kb, **LATER, "options": {"days": 30}} | given
    response = await api.post("/schedules", json=body)
    assert response.status_code in (400, 404), response.text
    assert said in response.json()["detail"]
    assert (await api.get("/schedules/wrong")).status_code == 404
