"""Runs for auditors: archived ones are listed, read, downloaded and replayed; what was changed is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from activities.contracts.ids import TYPES
from activities.errors import InvalidRequest
from activities.histories import export, listing
from activities.settings import TemporalSettings
from activities.stores.blob_keys import run_history_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.runs.records import ArchivedRun, RunFilter
from api.audit.runs.reader import RunReader
from api.audit.runs.views import views_info
from tests.activities.histories.conftest import World, world
from tests.api.http.test_access import IsolatedApi, isolated_api
from tests.api.http.test_bodies import send
from tests.workflows.test_replay import HISTORIES
from workflows.client.jobs import Jobs
from workflows.client.replay import difference
from workflows.definitions import WORKFLOWS

__all__ = ["isolated_api", "world"]  # fixtures

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]

#: One saved history of each type.
OF_TYPES = {path.stem.split("-")[0]: path for path in reversed(HISTORIES)}

RUNS = "/api/v1/audit/runs"


def events_of(path: Path) -> list[HistoryEvent]:
    """The events of a saved history."""
    return list(WorkflowHistory.from_json(path.stem, path.read_text()).events)


async def archive(api: IsolatedApi, type: str, events: Sequence[HistoryEvent], **fields: Any) -> ArchivedRun:
    """Store and record a history as ArchiveHistories does."""
    data, run_id, now = export.pack(events), str(uuid4()), datetime.now(UTC)
    run = ArchivedRun(
        run_id=run_id, workflow_id=f"{type}/{run_id}", type=type, knowledge_base="handbook", document_id=None,
        actor=fields.get("actor", "ann"), stage="ready", started_at=now, status="completed", closed_at=now,
        events=len(events), bytes=len(data), blob_key=run_history_key(now, type, run_id),
        sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    await Blobs(api.app.state.settings.blobs_url).put(run.blob_key, data)
    await api.catalog.run_archive.record([run])
    return run


async def get(api: IsolatedApi, path: str, method: str = "GET", **request: Any) -> httpx.Response:
    """The answer to an auditor."""
    headers = {"Authorization": f"Bearer {api.keys['auditor']}"}
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast", timeout=30) as client:
        return await client.request(method, path, headers=headers, **request)


@pytest.mark.parametrize("type", [workflow.__name__ for workflow in WORKFLOWS])
async def test_an_archived_run_replays(isolated_api: IsolatedApi, type: str) -> None:
    """Of each type, without Temporal."""
    run = await archive(isolated_api, type, events_of(OF_TYPES[type]))
    answer = (await get(isolated_api, f"{RUNS}/{run.run_id}/replay", "POST")).json()
    assert (answer["replays"], answer["difference"], answer["archived"]) == (True, None, True)
    assert answer["events"] == run.events


async def test_a_run_of_other_code_does_not_replay(isolated_api: IsolatedApi) -> None:
    """The answer says what differs; the question is in the trail."""
    events = events_of(OF_TYPES["DeleteDocument"])
    for event in events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            event.activity_task_scheduled_event_attributes.activity_type.name = "bury"
    run = await archive(isolated_api, "DeleteDocument", events)
    answer = (await get(isolated_api, f"{RUNS}/{run.run_id}/replay", "POST")).json()
    assert not answer["replays"]
    assert "bury" in answer["difference"]
    (noted, *_) = await isolated_api.catalog.audit.page(None, 1, action="run.replay")
    assert noted.detail == {"run": run.run_id, "replays": False}


async def test_a_run_is_shown_without_its_payloads(isolated_api: IsolatedApi) -> None:
    """Its events by name and identity, and the hash of its file; the download is that file."""
    run = await archive(isolated_api, "DeleteDocument", events_of(OF_TYPES["DeleteDocument"]))
    shown = (await get(isolated_api, f"{RUNS}/{run.run_id}")).json()
    assert (shown["sha256"], shown["events"], shown["state"]) == (run.sha256, run.events, "completed")
    assert "purge_rows" in {event["name"] for event in shown["history"]}
    assert set(shown["history"][0]) == {"id", "at", "type", "name", "identity"}
    file = await get(isolated_api, f"{RUNS}/{run.run_id}/history")
    assert hashlib.sha256(file.content).hexdigest() == run.sha256
    actions = [event.action for event in await isolated_api.catalog.audit.page(None, 2, action="run")]
    assert actions == ["run.download", "run.read"]


async def test_a_changed_history_is_refused(isolated_api: IsolatedApi) -> None:
    """To read, to download and to replay; the audit trail has the hash."""
    events = events_of(OF_TYPES["DeleteDocument"])
    run = await archive(isolated_api, "DeleteDocument", events)
    blobs = Blobs(isolated_api.app.state.settings.blobs_url)
    await blobs.put(run.blob_key, export.pack(events[:-1]))
    for method, path in (("GET", ""), ("GET", "/history"), ("POST", "/replay")):
        answer = await get(isolated_api, f"{RUNS}/{run.run_id}{path}", method)
        assert (answer.status_code, answer.json()["code"]) == (410, "history-tampered")
    await blobs.delete(run.blob_key)
    assert (await get(isolated_api, f"{RUNS}/{run.run_id}")).json()["code"] == "history-lost"


async def test_archived_runs_are_listed_by_what_they_are(isolated_api: IsolatedApi) -> None:
    """Page by page, the latest first. A knowledge base that never was is an error, a foreign cursor too."""
    runs = [await archive(isolated_api, "Reconcile", events_of(OF_TYPES["Reconcile"]), actor="eve") for _ in range(3)]
    found: list[str] = []
    cursor = "a.0.-"
    while cursor:
        page = (await get(isolated_api, RUNS, params={"cursor": cursor, "limit": 2, "actor": "eve"})).json()
        found += [run["run_id"] for run in page["items"]]
        cursor = page["next_cursor"]
    assert found == [run.run_id for run in reversed(runs)]
    chosen = {"cursor": "a.0.-", "workflow": runs[0].workflow_id, "kb": "handbook", "type": "Reconcile"}
    (one,) = (await get(isolated_api, RUNS, params=chosen)).json()["items"]
    assert one["run_id"] == runs[0].run_id
    assert (await get(isolated_api, RUNS, params={"kb": "handbok"})).status_code == 404
    for foreign in ("x", "t.%", "a.999999999999999999.x", "a.1"):
        assert (await get(isolated_api, RUNS, params={"cursor": foreign})).status_code == 400, foreign
    assert (await get(isolated_api, f"{RUNS}/nothing")).status_code == 404


async def test_views_are_queries_of_temporals_ui(isolated_api: IsolatedApi) -> None:
    """In the reader's language; operators see them too."""
    answer = await send(isolated_api, "GET /api/v1/audit/views", headers={"Accept-Language": "zh"})
    views = {view["name"]: view for view in answer.json()["items"]}
    assert views["failed_uploads"]["title"] == "失败的上传"
    for view in views.values():
        assert parse_qs(urlsplit(view["url"]).query) == {"query": [view["query"]]}
        assert view["url"].startswith(answer.json()["runs_url"])


async def test_runs_are_found_where_they_are(world: World) -> None:
    """Running ones in Temporal, by its list and by their id; a view's query is one that Temporal takes."""
    handle = await world.started()
    run_id = str(handle.first_execution_run_id)
    reader = RunReader(world.catalog, world.blobs, Jobs(world.ours))
    await world.listed(handle)
    found = await reader.find(run_id)
    assert (found.state, found.archived, found.run.workflow_id) == ("running", None, handle.id)
    assert await reader.events(found) == list((await handle.fetch_history()).events)
    assert export.unpack(await reader.file(found)) == await reader.events(found)
    listed, _ = await reader.page(RunFilter(workflow_id=handle.id), None, 10)
    assert [each.run.run_id for each in listed] == [run_id]
    with pytest.raises(InvalidRequest):
        await reader.page(RunFilter(), "t.AAAA", 10)
    for view in views_info(TemporalSettings(), "en").items:
        await listing.page(world.ours, view.query, size=1)


def test_all_types_are_known() -> None:
    """The types by name are those of the classes."""
    assert sorted(TYPES) == sorted(workflow.__name__ for workflow in WORKFLOWS)


async def test_an_unknown_type_does_not_replay(world: World) -> None:
    """It is not an error: the answer says so."""
    text = json.loads(OF_TYPES["Reconcile"].read_text())
    text["events"][0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"] = "Elsewhere"
    events = WorkflowHistory.from_json("x", text).events
    assert "Elsewhere" in str(await difference(world.ours, "x", events))
