"""Control actions name their actor: in the run's history and details, and in the audit trail."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from temporalio.api.common.v1 import Payloads
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from activities.contracts.ids import batch_workflow_id, question_id
from tests.api.conversations.test_conversations import client_of
from tests.conftest import Platform, assert_eventually, finished, upload
from tests.workflows.test_batches import batch_is, send
from tests.workflows.test_control import embedding, fresh_text, state_is
from tests.workflows.test_replay import replayer


@pytest.fixture
async def ada(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an operator with her own key."""
    async with client_of(platform, "ada", "admin") as client:
        yield client


async def trail(api: httpx.AsyncClient, kb: str, action: str, object_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Actor, action and detail of the events of an object, oldest first, without uploads and reads."""
    found = (await api.get("/audit/events", params={"kb": kb, "action": action, "limit": 1000})).json()["items"]
    return [
        (each["actor"], each["action"], each["detail"])
        for each in reversed(found)
        if each["object_id"] == object_id
        and each["action"] not in ("document.upload", "batch.create", "question.ask")
        and not each["action"].endswith(".read")
    ]


async def details(run: WorkflowHandle[Any, Any]) -> str:
    """The latest line of the run's details in Temporal's UI, without its time."""
    return re.sub(r"^- \S+ \S+ ", "", (await log(run)).splitlines()[-1])


async def log(run: WorkflowHandle[Any, Any]) -> str:
    """The run's current details in Temporal's UI: a line for each stage and control."""
    metadata: WorkflowMetadata = await run.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return metadata.current_details


async def told(temporal: Client, run: WorkflowHandle[Any, Any]) -> list[tuple[str, str]]:
    """Name and arguments of every signal and update of the history; the reason of a cancel request."""
    found = []
    async for event in run.fetch_history_events():
        if event.HasField("workflow_execution_signaled_event_attributes"):
            signal = event.workflow_execution_signaled_event_attributes
            found.append((signal.signal_name, await _values(temporal, signal.input)))
        elif event.HasField("workflow_execution_update_accepted_event_attributes"):
            update = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
            found.append((update.name, await _values(temporal, update.args)))
        elif event.HasField("workflow_execution_cancel_requested_event_attributes"):
            found.append(("cancel", event.workflow_execution_cancel_requested_event_attributes.cause))
    return found


async def _values(temporal: Client, sent: Payloads) -> str:
    """The arguments as JSON."""
    codec = temporal.data_converter.payload_codec
    assert codec is not None
    return ",".join(each.data.decode() for each in await codec.decode(sent.payloads))


async def test_a_document_names_the_actor_of_its_control(ada: httpx.AsyncClient, kb: str, temporal: Client) -> None:
    """Pause, resume, retry and cancel: arguments, details, and one audit event each; the histories replay."""
    (document,) = await upload(ada, kb, ("long.txt", fresh_text()))
    path, run = f"/documents/{document['id']}", temporal.get_workflow_handle(document["workflow_id"])
    await embedding(ada, document["id"])
    assert (await ada.post(f"{path}/pause")).status_code == 202
    await state_is(ada, document["id"], "paused")
    assert await details(run) == "Paused by ada in stage embed"
    assert (await ada.post(f"{path}/resume")).status_code == 202
    await state_is(ada, document["id"], "running")
    assert "Resumed by ada" in await log(run)
    assert (await ada.post(f"{path}/retry", json={"from_step": "chunk"})).status_code == 202
    await embedding(ada, document["id"])
    assert "Sent back to chunk by ada" in await log(run)
    assert (await ada.post(f"{path}/cancel")).status_code == 202
    await state_is(ada, document["id"], "canceled")
    with pytest.raises(WorkflowFailureError):  # it is canceled at once; its run ends a moment later
        await run.result()
    assert await details(run) == "Canceled by ada after stage embed"
    await replayer(temporal).replay_workflow(await run.fetch_history())
    said = [("pause", '"ada"'), ("resume", '"ada"'), ("retry", '"chunk","ada"'), ("cancel", "by ada")]
    assert await told(temporal, run) == said
    assert (await ada.post(f"{path}/cancel")).status_code == 202  # repeated: nothing happens, and nothing is recorded
    assert (await ada.post(f"{path}/retry")).status_code == 202
    assert await trail(ada, kb, "document", document["id"]) == [
        ("ada", "document.pause", {"version": 1}),
        ("ada", "document.resume", {"version": 1}),
        ("ada", "document.retry", {"version": 1, "from_step": "chunk"}),
        ("ada", "document.cancel", {"version": 1}),
        ("ada", "document.retry", {"version": 1}),
    ]
    await ada.post(f"{path}/cancel")


async def test_a_batch_names_the_actor_of_its_control(ada: httpx.AsyncClient, kb: str, temporal: Client) -> None:
    """Documents that are paused with it name the same actor; close and retry are recorded too."""
    batch = (await ada.post(f"/knowledge-bases/{kb}/batches", json={"parallelism": 1})).json()
    path, run = f"/batches/{batch['id']}", temporal.get_workflow_handle(batch_workflow_id(batch["id"]))
    sent = await send(ada, kb, [(f"long-{n}.txt", fresh_text()) for n in range(3)], batch=batch["id"])
    documents = [each["id"] for each in sent["documents"]]
    await batch_is(ada, batch["id"], "running")
    assert (await ada.post(f"{path}/set-parallelism", json={"parallelism": 2})).status_code == 202
    assert (await ada.post(f"{path}/close")).status_code == 202

    async def one_embeds() -> str | None:
        states = [(await ada.get(f"/documents/{id}/status")).json() for id in documents]
        return next((id for id, state in zip(documents, states, strict=True) if state["stage"] == "embed"), None)

    document = await assert_eventually(one_embeds)
    assert "2 at once, set by ada" in await log(run)
    assert (await ada.post(f"{path}/pause")).status_code == 202
    await batch_is(ada, batch["id"], "paused")
    assert await details(run) == "Paused by ada in stage ingest"
    await state_is(ada, document, "paused")
    workflow_id = next(each["workflow_id"] for each in sent["documents"] if each["id"] == document)
    assert ("pause", '"ada"') in await told(temporal, temporal.get_workflow_handle(workflow_id))
    assert (await ada.post(f"{path}/resume")).status_code == 202
    await batch_is(ada, batch["id"], "running")
    assert (await ada.post(f"{path}/cancel")).status_code == 202
    await batch_is(ada, batch["id"], "canceled")
    assert await details(run) == "Canceled by ada after stage ingest"
    await replayer(temporal).replay_workflow(await run.fetch_history())
    controls = [("set_parallelism", '2,"ada"'), ("pause", '"ada"'), ("resume", '"ada"'), ("cancel", '"ada"')]
    assert [each for each in await told(temporal, run) if each[0] != "more"] == controls
    assert (await ada.post(f"{path}/retry-failed")).status_code == 202
    assert ("retry_failed", '"ada"') in await told(temporal, run)
    assert (await ada.post(f"{path}/cancel")).status_code in (202, 409)
    assert (await trail(ada, kb, "batch", batch["id"]))[:6] == [
        ("ada", "batch.set-parallelism", {"parallelism": 2}),
        ("ada", "batch.close", {}),
        ("ada", "batch.pause", {}),
        ("ada", "batch.resume", {}),
        ("ada", "batch.cancel", {}),
        ("ada", "batch.retry-failed", {}),
    ]


async def test_closing_an_empty_batch_is_audited(ada: httpx.AsyncClient, kb: str) -> None:
    """Although the batch is removed then."""
    batch = (await ada.post(f"/knowledge-bases/{kb}/batches", json={})).json()
    assert (await ada.post(f"/batches/{batch['id']}/close")).status_code == 202
    assert await trail(ada, kb, "batch", batch["id"]) == [("ada", "batch.close", {"documents": 0})]


async def test_a_question_names_who_canceled_it(ada: httpx.AsyncClient, kb: str, temporal: Client) -> None:
    """While it waits for a paused document; a second cancel is not recorded."""
    (document,) = await upload(ada, kb, ("long.txt", fresh_text()))
    await embedding(ada, document["id"])
    await ada.post(f"/documents/{document['id']}/pause")
    body = {"question": "How many days of leave are there?", "wait_for_index": True}
    asked = (await ada.post(f"/knowledge-bases/{kb}/questions", json=body)).json()
    for _ in range(2):
        assert (await ada.post(f"/questions/{asked['id']}/cancel")).status_code == 202

        async def canceled() -> bool:
            return bool((await ada.get(f"/questions/{asked['id']}")).json()["state"] == "canceled")

        await assert_eventually(canceled)
    run = temporal.get_workflow_handle(question_id(asked["id"]))
    assert [each for each in await told(temporal, run) if each[0] == "cancel"] == [("cancel", "by ada")]
    assert await details(run) == "Canceled by ada after stage wait_for_index"
    assert await trail(ada, kb, "question", asked["id"]) == [("ada", "question.cancel", {})]
    await ada.post(f"/documents/{document['id']}/cancel")
    assert (await finished(ada, document["id"]))["state"] == "canceled"
