"""Changes of many documents through the whole platform."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.contracts.bulk import BulkInput, BulkJob, BulkSlice
from activities.contracts.queues import Queue
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from tests.conftest import assert_eventually, finished, ready, upload
from workflows.bulk import ChangeDocuments


async def changed(api: httpx.AsyncClient, kb: str, **asked: Any) -> dict[str, Any]:
    """Ask for a change, and wait for its end."""
    answer = await api.post(f"/knowledge-bases/{kb}/documents/bulk", json=asked)
    assert answer.status_code == 202, answer.text

    async def ended() -> dict[str, Any] | None:
        info: dict[str, Any] = (await api.get(answer.json()["status_url"].removeprefix("/api/v1"))).json()
        return info if info["finished_at"] else None

    return await assert_eventually(ended)


async def test_many_documents_are_tagged_retried_and_deleted(api: httpx.AsyncClient, temporal: Client, kb: str) -> None:
    """Each change says what it came to; deleted documents are gone from searches, and their data from the stores."""
    documents = await ready(api, kb, *((f"tide-{n}.txt", f"High water at {n}.".encode()) for n in range(3)))
    (empty,) = await upload(api, kb, ("empty.txt", b""))
    assert (await finished(api, empty["id"]))["state"] == "failed"

    tagged = await changed(api, kb, action="tag", tag="Sea", filter={"search": "TIDE"}, expected=3)
    assert (tagged["state"], tagged["changed"], tagged["failed"]) == ("ready", 3, 0)
    assert (await api.get(f"/documents/{documents[0]['id']}")).json()["tags"] == ["sea"]

    retried = await changed(api, kb, action="retry", filter={"state": "failed"})
    assert (retried["changed"], retried["unchanged"]) == (1, 0)

    deleted = await changed(api, kb, action="delete", ids=[each["id"] for each in documents])
    assert (deleted["stage"], deleted["changed"], deleted["state"]) == ("purge", 3, "ready")
    page = (await api.get(f"/knowledge-bases/{kb}/documents", params={"counts": "true"})).json()
    assert ([each["id"] for each in page["items"]], page["counts"]["total"]) == ([empty["id"]], 1)
    run = await temporal.get_workflow_handle(deleted["workflow_id"]).describe()
    assert await run.static_summary() == f"Delete: 3 documents of {kb}, by admin"
    for each in documents:
        removed = await temporal.get_workflow_handle(f"delete/{each['id']}").result()
        assert removed["rows_after"] == 0


async def test_a_canceled_change_says_so(temporal_server: TemporalSettings) -> None:
    """Its run ends as canceled, after the data of what was deleted are removed."""
    steps: list[str] = []

    @activity.defn(name="change_documents")
    async def change(input: BulkInput) -> BulkSlice:
        steps.append("change")
        return BulkSlice(ended=True, done=2, canceled_by="bob")

    @activity.defn(name="purge_documents")
    async def purge(input: BulkInput) -> BulkSlice:
        steps.append("purge")
        return BulkSlice(ended=True)

    client = await connect(temporal_server)
    job = BulkJob(
        bulk_id="b", knowledge_base_id="k", knowledge_base="hr", action="delete", actor="ann", documents=5
    )  # fmt: skip
    async with (
        Worker(client, task_queue=Queue.WORKFLOWS, workflows=[ChangeDocuments]),
        Worker(client, task_queue=Queue.STORE, activities=[change, purge]),
    ):
        run = await client.start_workflow(
            ChangeDocuments.run, job, id=f"bulk/{uuid4().hex}", task_queue=Queue.WORKFLOWS
        )
        assert (await run.result()).documents == 2
        assert (await run.query(ChangeDocuments.state)).state == "canceled"
    assert steps == ["change", "purge"]
