"""Control of one document: pause, resume, cancel and retry reach the run at any stage and keep finished work."""

from __future__ import annotations

import hashlib
import itertools
import time
from typing import Any

import httpx
import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.milvus import Milvus
from tests.conftest import Platform, assert_eventually, events, finished, ready, steps_of, upload
from tests.documents import long_text
from workflows.contracts import IngestResult

LEAVE = "Employees may carry over five days of unused annual leave into the next year."
_lengths = itertools.count(70_000)


def fresh_text() -> bytes:
    """A new text that is chunked in a step of its own and takes the model some seconds, as no test has embedded it."""
    return long_text(next(_lengths))


async def embedding(api: httpx.AsyncClient, document_id: str, done: int = 1) -> dict[str, Any]:
    """Wait until the model has embedded some of a document."""

    async def check() -> dict[str, Any] | None:
        state: dict[str, Any] = (await api.get(f"/documents/{document_id}/status")).json()
        assert state["state"] not in ("ready", "failed"), state
        return state if state["stage"] == "embed" and state["done"] >= done else None

    return await assert_eventually(check)


async def state_is(api: httpx.AsyncClient, document_id: str, *states: str) -> dict[str, Any]:
    """Wait until the document's record is in one of the states."""

    async def check() -> dict[str, Any] | None:
        document: dict[str, Any] = (await api.get(f"/documents/{document_id}")).json()
        return document if document["state"] in states else None

    return await assert_eventually(check)


async def rows(platform: Platform, document_id: str) -> int:
    """Rows of a document in the vector store."""
    catalog = Catalog(platform.settings.catalog_url)
    milvus = Milvus(platform.settings.milvus)
    try:
        document = await catalog.documents.get(document_id)
        generation = await catalog.knowledge_bases.generation(document.knowledge_base_id)
        try:
            return await milvus.count(generation.collection, document_id)
        except KeyError:
            return 0
    finally:
        await milvus.close()
        await catalog.close()


async def test_a_paused_document_holds_and_goes_on_where_it_was(
    api: httpx.AsyncClient, kb: str, temporal: Client
) -> None:
    """Pause stops the activity within seconds; finished embeddings are not repeated."""
    (document,) = await upload(api, kb, ("long.txt", fresh_text()))
    await embedding(api, document["id"], 64)
    assert (await api.post(f"/documents/{document['id']}/pause")).status_code == 202
    await state_is(api, document["id"], "paused")
    status = (await api.get(f"/documents/{document['id']}/status")).json()
    assert (status["state"], status["stage"]) == ("paused", "embed")
    listed = (await api.get(f"/knowledge-bases/{kb}/documents", params={"state": "paused"})).json()["items"]
    assert [item["id"] for item in listed] == [document["id"]]
    assert (await api.post(f"/documents/{document['id']}/resume")).status_code == 202
    assert (await finished(api, document["id"]))["state"] == "ready"
    result: IngestResult = await temporal.get_workflow_handle(
        document["workflow_id"], result_type=IngestResult
    ).result()
    assert 0 < result.embedded < result.chunks
    assert result.embedded + result.reused == result.chunks


async def test_cancel_stops_within_two_seconds_and_leaves_nothing(
    api: httpx.AsyncClient, platform: Platform, kb: str
) -> None:
    """Canceled during embedding: state `canceled`, no rows, and the same file can be uploaded again."""
    (document,) = await upload(api, kb, ("long.txt", fresh_text()))
    await embedding(api, document["id"], 1)
    asked = time.monotonic()
    assert (await api.post(f"/documents/{document['id']}/cancel")).status_code == 202
    canceled = await state_is(api, document["id"], "canceled", "ready")
    print(f"canceled {time.monotonic() - asked:.2f} s after it was asked for")
    assert (canceled["state"], canceled["reason_code"]) == ("canceled", "canceled")
    assert await rows(platform, document["id"]) == 0
    (again,) = await upload(api, kb, ("long.txt", LEAVE.encode()))
    assert (await finished(api, again["id"]))["state"] == "ready"


async def test_cancel_of_a_new_version_keeps_the_former_one_live(api: httpx.AsyncClient, kb: str) -> None:
    """Search continues to show it."""
    (first,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    (second,) = await upload(api, kb, ("leave.txt", fresh_text()))
    await embedding(api, second["id"])
    await api.post(f"/documents/{second['id']}/cancel")
    canceled = await state_is(api, second["id"], "canceled")
    assert canceled["live_version"] == first["version"]
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": "annual leave"})).json()["hits"]
    assert {hit["version"] for hit in hits} == {1}


async def test_a_failed_document_is_tried_again(api: httpx.AsyncClient, kb: str) -> None:
    """Retry starts a new run of the same version; an unreadable file fails again, with the reason."""
    (document,) = await upload(api, kb, ("empty.txt", b""))
    await finished(api, document["id"])
    again = await api.post(f"/documents/{document['id']}/retry")
    assert again.status_code == 202
    assert (again.json()["state"], again.json()["version"]) == ("queued", 1)
    failed = await finished(api, document["id"])
    assert (failed["state"], failed["reason_code"]) == ("failed", "empty")


async def test_a_retry_of_a_canceled_document_reuses_its_work(
    api: httpx.AsyncClient, kb: str, temporal: Client
) -> None:
    """The new run reuses the embedded parts of the canceled one."""
    (document,) = await upload(api, kb, ("long.txt", fresh_text()))
    await embedding(api, document["id"], 64)
    await api.post(f"/documents/{document['id']}/cancel")
    await state_is(api, document["id"], "canceled")
    assert (await api.post(f"/documents/{document['id']}/retry")).status_code == 202
    assert (await finished(api, document["id"]))["state"] == "ready"
    result: IngestResult = await temporal.get_workflow_handle(
        document["workflow_id"], result_type=IngestResult
    ).result()
    assert result.reused >= 64


async def test_a_running_document_goes_back_to_a_step(api: httpx.AsyncClient, kb: str, temporal: Client) -> None:
    """A retry from a step repeats that step and all later ones."""
    (document,) = await upload(api, kb, ("long.txt", fresh_text()))
    await embedding(api, document["id"])
    retried = await api.post(f"/documents/{document['id']}/retry", json={"from_step": "parse"})
    assert retried.status_code == 202, retried.text
    assert (await finished(api, document["id"]))["state"] == "ready"
    steps = await steps_of(temporal, document["workflow_id"])
    assert steps == ["parse", "chunk", "embed", "parse", "chunk", "embed", "index", "publish"]


async def test_a_newer_version_stops_the_older_run(api: httpx.AsyncClient, kb: str, temporal: Client) -> None:
    """A new upload while the first is being indexed ends the first run; only the second version is ever live."""
    (first,) = await upload(api, kb, ("handbook.txt", fresh_text()))
    await embedding(api, first["id"])
    (second,) = await upload(api, kb, ("handbook.txt", LEAVE.encode()))
    assert (second["id"], second["version"]) == (first["id"], 2)
    assert (await finished(api, second["id"]))["live_version"] == 2

    async def stopped() -> bool:
        description = await temporal.get_workflow_handle(first["workflow_id"]).describe()
        return description.status is WorkflowExecutionStatus.CANCELED

    await assert_eventually(stopped)


async def test_deleting_while_indexing_leaves_nothing(
    api: httpx.AsyncClient, kb: str, platform: Platform, temporal: Client
) -> None:
    """The run is stopped before anything is purged; the receipt counts no rows afterwards."""
    text = fresh_text()
    (document,) = await upload(api, kb, ("long.txt", text))
    await embedding(api, document["id"], 64)
    deleted = (await api.delete(f"/documents/{document['id']}")).json()
    receipt = await temporal.get_workflow_handle(deleted["workflow_id"]).result()
    assert receipt["rows_after"] == 0
    description = await temporal.get_workflow_handle(document["workflow_id"]).describe()
    assert description.status is not WorkflowExecutionStatus.RUNNING
    catalog = Catalog(platform.settings.catalog_url)
    assert await catalog.documents.blobs(document["id"]) == []
    await catalog.close()
    sha256 = hashlib.sha256(text).hexdigest()
    blobs = Blobs(platform.settings.blobs_url)
    keys = [key for folder in ("originals", "parsed") for key in await blobs.list(folder)]
    assert not [key for key in keys if sha256 in key]


@pytest.mark.parametrize("action", ["pause", "resume", "retry"])
async def test_a_ready_document_cannot_be_controlled(api: httpx.AsyncClient, kb: str, action: str) -> None:
    """409 with a reason, and nothing changes."""
    (document,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    refused = await api.post(f"/documents/{document['id']}/{action}")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong-state")
    assert (await api.get(f"/documents/{document['id']}")).json()["state"] == "ready"


async def test_an_unknown_step_is_refused(api: httpx.AsyncClient, kb: str) -> None:
    """Valid steps are those of the contract."""
    (document,) = await upload(api, kb, ("empty.txt", b""))
    await finished(api, document["id"])
    assert (await api.post(f"/documents/{document['id']}/retry", json={"from_step": "bake"})).status_code == 400


async def test_events_show_a_pause(api: httpx.AsyncClient, kb: str) -> None:
    """The stream shows `paused` and continues to the end after the resume."""
    (document,) = await upload(api, kb, ("long.txt", fresh_text()))
    await embedding(api, document["id"])
    await api.post(f"/documents/{document['id']}/pause")
    await state_is(api, document["id"], "paused")
    await api.post(f"/documents/{document['id']}/resume")
    seen = [state["state"] for _, state in await events(api, document["events_url"])]
    assert seen[-1] == "ready"
