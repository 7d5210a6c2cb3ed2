"""What an auditor sees of a run on the platform: described, archived, replayed, and what was done to it by others."""

from __future__ import annotations

from typing import Any

import httpx
from temporalio.client import Client

from activities.contracts.ids import archive_id
from activities.contracts.queues import Queue
from activities.stores.catalog.tables import new_id
from tests.conftest import Platform, assert_eventually, ready
from workflows.archive import ArchiveHistories
from workflows.client.schedules import ARCHIVE
from workflows.contracts import ArchiveJob

EVE = "temporal-cli:eve@laptop"


async def test_a_run_is_told_archived_and_replayed(
    platform: Platform, api: httpx.AsyncClient, kb: str, temporal: Client
) -> None:
    """A run that somebody terminates with Temporal's CLI is in the trail after one Reconcile; its history replays."""
    (document,) = await ready(api, kb, ("leave.txt", b"Five days of unused leave can be carried over."))
    described = await temporal.get_workflow_handle(document["workflow_id"]).describe()
    assert f"`/api/v1/documents/{document['id']}`" in str(await described.static_details())
    eve = await Client.connect(platform.settings.temporal.address, identity=EVE)
    run = await eve.start_workflow("ArchiveHistories", id=archive_id(new_id()), task_queue="nobody-serves-it")
    await run.terminate(reason="by hand")

    async def told() -> list[dict[str, Any]]:
        started = (await api.post("/reconcile")).json()

        async def ended() -> bool:
            state = (await api.get(f"/reconcile/{started['id']}")).json()["state"]
            return state in ("ready", "failed", "canceled")

        await assert_eventually(ended)
        events = (await api.get("/audit/events", params={"actor": "temporal"})).json()["items"]
        return [event for event in events if event["detail"]["workflow"] == run.id]

    async def both() -> list[dict[str, Any]] | None:
        events = await told()
        return events if len(events) == 2 else None

    events = await assert_eventually(both)  # Temporal lists the end of a run a moment later
    assert {event["action"] for event in events} == {"run.started_outside", "run.terminated_outside"}
    assert {event["detail"]["identity"] for event in events} == {EVE}

    await temporal.execute_workflow(
        ArchiveHistories.run, ArchiveJob(), id=archive_id(new_id()), task_queue=Queue.WORKFLOWS
    )
    params = {"workflow": document["workflow_id"], "kb": kb}
    (found,) = (await api.get("/audit/runs", params=params | {"cursor": "a.0.-"})).json()["items"]
    assert (found["archived"], found["stage"], found["actor"]) == (True, "ready", "admin")
    assert (await api.post(f"/audit/runs/{found['run_id']}/replay")).json()["replays"]
    shown = (await api.get(f"/audit/runs/{found['run_id']}")).json()
    assert shown["sha256"]
    assert all(event["identity"] is None or event["identity"].startswith("holdfast:") for event in shown["history"])
    assert (await temporal.get_schedule_handle(ARCHIVE).describe()).id == ARCHIVE
