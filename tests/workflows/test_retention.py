"""A retention by itself, with activities and deletions of the test: windows, long lists, cancels, confirmations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.deletion import DeleteJob
from activities.contracts.queues import Queue
from activities.contracts.retention import (
    Expired,
    ExpiredDocument,
    ExpiredInput,
    ExpiredPage,
    Unpublished,
    UnpublishExpiredInput,
)
from activities.contracts.schedules import RecordScheduledInput, RetentionOptions
from activities.runtime.failures import reason_of
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from activities.stores.catalog.tables import new_id, now
from tests.conftest import assert_eventually
from workflows import retention
from workflows.contracts import DeleteReceipt, JobState, RetentionJob, RetentionReceipt
from workflows.retention import ApplyRetention

REPLACED, BROKEN = "3", "4"


@workflow.defn(name="DeleteDocument")
class Deletion:
    """Deletes nothing; one document cannot be purged."""

    @workflow.run
    async def run(self, job: DeleteJob) -> DeleteReceipt:
        if job.document_id.endswith(f"-{BROKEN}"):
            raise ApplicationError("broken")
        return DeleteReceipt(rows_before=2, rows_after=0, blobs=1)


class Shelf:
    """Activities on documents ``0`` … ``count``, of a knowledge base with ``total``; ``gate`` holds deletions up."""

    def __init__(self, count: int, total: int = 1000) -> None:
        self.ids, self.total = [f"{new_id()}-{number}" for number in range(count)], total
        self.gone: list[str] = []
        self.records: list[RecordScheduledInput] = []
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def activities(self) -> Sequence[Any]:
        return [self.count_expired, self.list_expired, self.unpublish_expired, self.record_scheduled]

    @activity.defn(name="count_expired")
    async def count_expired(self, input: ExpiredInput) -> Expired:
        return Expired(documents=self.total, matching=self.total, expired=len(self.ids))

    @activity.defn(name="list_expired")
    async def list_expired(self, input: ExpiredInput) -> ExpiredPage:
        start = int(input.after or 0)
        page = self.ids[start : start + input.limit]
        documents = [ExpiredDocument(document_id=id, name=id, uploaded_at=now()) for id in page]
        return ExpiredPage(documents=documents, next=str(start + len(page)) if len(page) == input.limit else None)

    @activity.defn(name="unpublish_expired")
    async def unpublish_expired(self, input: UnpublishExpiredInput) -> Unpublished:
        await self.gate.wait()
        ids = [id for id in input.document_ids if not id.endswith(f"-{REPLACED}")]
        self.gone += ids
        jobs = [
            DeleteJob(knowledge_base_id="k", knowledge_base="hr", document_id=id, document_name=id, actor="ann")
            for id in ids
        ]
        return Unpublished(deletions=jobs)

    @activity.defn(name="record_scheduled")
    async def record_scheduled(self, input: RecordScheduledInput) -> None:
        self.records.append(input)


@pytest.fixture
async def client(temporal_server: TemporalSettings) -> Client:
    """A client of a server without the platform."""
    return await connect(temporal_server)


@asynccontextmanager
async def running(client: Client, shelf: Shelf) -> AsyncIterator[WorkflowHandle[ApplyRetention, RetentionReceipt]]:
    """A retention of a shelf, and workers for it."""
    workflows = Worker(
        client, task_queue=Queue.WORKFLOWS, workflows=[ApplyRetention, Deletion],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )  # fmt: skip
    async with workflows, Worker(client, task_queue=Queue.STORE, activities=shelf.activities):
        job = RetentionJob(
            record_id="r", schedule="clean", knowledge_base_id="k", knowledge_base="hr", cutoff=now(),
            options=RetentionOptions(days=1, max_share=0.5), actor="ann",
        )  # fmt: skip
        id = f"retention/{new_id()}"
        yield await client.start_workflow(ApplyRetention.run, job, id=id, task_queue=Queue.WORKFLOWS)


async def reaches(handle: WorkflowHandle[Any, Any], state: str) -> JobState:
    """Wait until the retention is in a state."""

    async def check() -> JobState | None:
        found = await handle.query("state", result_type=JobState)
        return found if found.state == state else None

    return await assert_eventually(check)


async def test_a_long_list_is_deleted_over_several_runs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt counts them all: what was replaced stays, and what could not be purged is named."""
    for name, value in {"PAGE": 4, "WINDOW": 2, "DOCUMENTS_OF_A_RUN": 4}.items():
        monkeypatch.setattr(retention, name, value)
    shelf = Shelf(10)
    async with running(client, shelf) as handle:
        receipt = await handle.result()
        first = await client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id).describe()
    assert first.status is not None
    assert first.status.name == "CONTINUED_AS_NEW"
    assert receipt == RetentionReceipt(documents=1000, expired=10, deleted=8, rows=16, unfinished=1)
    assert shelf.gone == [id for id in shelf.ids if not id.endswith(f"-{REPLACED}")]
    assert shelf.records == []


async def test_a_cancel_ends_it_after_its_window(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken out of search is purged to the end, and nothing else is touched; also by Temporal's own cancel."""
    monkeypatch.setattr(retention, "WINDOW", 2)
    for by_signal in (True, False):
        shelf = Shelf(6)
        shelf.gate.clear()
        async with running(client, shelf) as handle:

            async def deletes(handle: WorkflowHandle[Any, Any] = handle) -> bool:
                return (await handle.query("state", result_type=JobState)).stage == "delete"

            await assert_eventually(deletes)
            await (handle.signal("cancel", "bob") if by_signal else handle.cancel())
            shelf.gate.set()
            with pytest.raises(WorkflowFailureError) as caught:
                await handle.result()
        assert reason_of(caught.value.cause).code == "canceled"
        assert shelf.gone in ([], shelf.ids[:2])


async def test_too_much_waits_for_a_confirmation(client: Client) -> None:
    """That covers as many; one that comes with the count is not lost."""
    shelf = Shelf(3, total=4)
    async with running(client, shelf) as handle:
        waiting = await reaches(handle, "waiting")
        assert (waiting.stage, waiting.total) == ("confirm", 3)
        assert shelf.gone == []
        await handle.signal("confirm", args=[2, "bob"])
        await handle.signal("confirm", args=[3, "bob"])
        receipt = await handle.result()
    assert (receipt.deleted, receipt.confirmed_by) == (3, "bob")
    assert [record.state for record in shelf.records] == ["waiting", "running"]
    assert shelf.records[0].reason is not None
    assert "3 of 4" in shelf.records[0].reason.render()


async def test_what_nobody_confirms_fails(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time, with the same reason, and nothing deleted."""
    monkeypatch.setattr(retention, "CONFIRM_WITHIN", timedelta(seconds=0.1))
    shelf = Shelf(3, total=4)
    async with running(client, shelf) as handle:
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    assert reason_of(caught.value.cause).code == "would-delete-too-much"
    assert shelf.gone == []
