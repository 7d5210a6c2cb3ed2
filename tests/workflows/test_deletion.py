"""Deletions: of what is still being indexed, at once and many; and of what is not deleted in the catalogue."""

from __future__ import annotations

import asyncio
import os
import time
import uuid

import httpx
from temporalio.client import Client, WorkflowFailureError

from activities.contracts.deletion import DeleteJob, DeleteKnowledgeBaseJob
from activities.contracts.ids import DELETE_DOCUMENT, DELETE_KNOWLEDGE_BASE
from activities.contracts.queues import Queue
from activities.runtime.failures import reason_of
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.milvus import Milvus
from tests.conftest import WAIT_SECONDS, Platform, assert_eventually, finished, ready, upload
from tests.documents import long_text
from workflows.contracts import DeleteReceipt
from workflows.deletion import DeleteDocument

DELETIONS, ROUNDS = int(os.environ.get("DELETIONS", "6")), int(os.environ.get("DELETION_ROUNDS", "1"))
"""Documents that are deleted at once, more than the ``store`` queue has slots, and how often."""

LEAVE = "Employees may carry over five days of unused annual leave into the next year."


def big() -> bytes:
    """A document that takes some seconds and resembles no other."""
    return uuid.uuid4().hex.encode() + b"\n\n" + long_text(130_000)


async def cancel_reason(temporal: Client, workflow_id: str) -> str:
    """The reason that a run's history gives for its cancellation."""
    history = await temporal.get_workflow_handle(workflow_id).fetch_history()
    (requested,) = [
        event.workflow_execution_cancel_requested_event_attributes
        for event in history.events
        if event.HasField("workflow_execution_cancel_requested_event_attributes")
    ]
    return requested.cause


async def test_more_running_documents_than_slots_are_deleted_at_once(
    api: httpx.AsyncClient, platform: Platform, temporal: Client, kb: str
) -> None:
    """No deletion waits for a slot that another one holds; work of another knowledge base goes on meanwhile."""
    assert platform.settings.worker.store_slots < DELETIONS
    other = f"test-{uuid.uuid4().hex[:12]}"
    await api.post("/knowledge-bases", json={"name": other})
    for _ in range(ROUNDS):
        uploads = [await upload(api, kb, (f"{n}.txt", big())) for n in range(DELETIONS)]  # one by one: each its own run
        documents = [document for (document,) in uploads]

        async def some_run(ids: list[str] = [each["id"] for each in documents]) -> bool:  # noqa: B006
            states = [(await api.get(f"/documents/{id}")).json()["state"] for id in ids]
            assert "ready" not in states, "the documents are too short for this machine"
            return states.count("running") >= min(4, DELETIONS)

        await assert_eventually(some_run, step=0.1)
        began = time.monotonic()
        answers = await asyncio.gather(*(api.delete(f"/documents/{each['id']}") for each in documents))
        (beside,) = await upload(api, other, (f"{uuid.uuid4().hex}.txt", LEAVE.encode()))
        runs = [temporal.get_workflow_handle_for(DeleteDocument.run, each.json()["workflow_id"]) for each in answers]
        results = asyncio.gather(*(run.result() for run in runs))
        receipts: list[DeleteReceipt] = await asyncio.wait_for(results, WAIT_SECONDS)
        took = time.monotonic() - began
        assert {receipt.rows_after for receipt in receipts} == {0}
        assert (await finished(api, beside["id"]))["state"] == "ready"
        print(f"{DELETIONS} deletions of running documents: {took:.1f} s")
        stopped = [each["workflow_id"] for each in documents]
        reasons = set()
        for id in stopped:
            run = await temporal.get_workflow_handle(id).describe()
            if run.raw_description.workflow_extended_info.cancel_requested:
                reasons.add(await cancel_reason(temporal, id))
        assert reasons == {"by admin, who deleted it"}
    await api.delete(f"/knowledge-bases/{other}")


async def test_what_is_not_deleted_stays_whoever_starts_its_deletion(
    api: httpx.AsyncClient, platform: Platform, temporal: Client, kb: str
) -> None:
    """A deletion that was started around the API ends with a reason, stops no run and removes nothing."""
    (document,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    (indexing,) = await upload(api, kb, ("big.txt", big()))
    catalog, milvus = Catalog(platform.settings.catalog_url), Milvus(platform.settings.milvus)
    blobs = Blobs(platform.settings.blobs_url)
    record = await catalog.knowledge_bases.get(kb)
    names = {"knowledge_base_id": record.id, "knowledge_base": kb, "actor": "eve"}
    for run, job, name in (
        (DELETE_KNOWLEDGE_BASE, DeleteKnowledgeBaseJob(**names), kb),
        (DELETE_DOCUMENT, DeleteJob(**names, document_id=document["id"], document_name="leave.txt"), "leave.txt"),
    ):
        try:
            await temporal.execute_workflow(run, job, id=f"by-hand/{uuid.uuid4().hex}", task_queue=Queue.WORKFLOWS)
        except WorkflowFailureError as exc:
            reason = reason_of(exc.cause)
        assert (reason.code, reason.params) == ("still-in-use", {"name": name})
    assert (await finished(api, indexing["id"]))["state"] == "ready"
    collection = (await catalog.knowledge_bases.generation(record.id)).collection
    assert await milvus.count(collection, document["id"]) == document["chunks"]
    (version,) = await catalog.documents.blobs(document["id"])
    assert version.chunks_key is not None
    assert await blobs.exists(version.chunks_key)
    await milvus.close()
    await catalog.close()


async def test_a_superseded_run_is_canceled_with_its_reason(api: httpx.AsyncClient, temporal: Client, kb: str) -> None:
    """The Temporal UI shows who uploaded the newer version."""
    (first,) = await upload(api, kb, ("a.txt", big()))

    async def runs() -> bool:
        return bool((await api.get(f"/documents/{first['id']}")).json()["state"] == "running")

    await assert_eventually(runs, step=0.1)
    (second,) = await upload(api, kb, ("a.txt", LEAVE.encode()))
    assert (await finished(api, second["id"]))["state"] == "ready"
    reason = await cancel_reason(temporal, first["workflow_id"])
    assert "by admin, who uploaded version 2" in reason
