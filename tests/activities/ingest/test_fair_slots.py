"""Files that take their whole time, twice as many as there are slots: another user's short text is read meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHandle
from temporalio.common import Priority
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.ingest import Chunked, ChunkInput, Parsed, ParseInput
from activities.contracts.queues import fairness_key
from activities.ingest.parse import ParseActivities
from activities.runtime.interceptor import ActivityEdge
from activities.runtime.lanes import Lane
from activities.runtime.temporal import connect
from activities.sandbox import runner
from activities.settings import ParseSettings, TemporalSettings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from tests.hostile import SLOW

SLOTS = 4


@workflow.defn
class Read:
    """Reads one document for a user."""

    @workflow.run
    async def run(self, input: ParseInput, user: str) -> Parsed:
        parsed: Parsed = await workflow.execute_activity(
            "parse",
            input,
            result_type=Parsed,
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(seconds=10),
            priority=Priority(priority_key=2, fairness_key=fairness_key("kb", user)),
        )
        return parsed


async def never_asked(input: ChunkInput) -> Chunked:
    """Stands for the chunk step."""
    raise AssertionError(input)


@pytest.fixture(scope="module")
def fork_server() -> Iterator[None]:
    """Closes the fork server after the module."""
    yield
    runner.close()


@pytest.mark.usefixtures("fork_server")
async def test_a_short_text_is_read_beside_files_that_fill_all_slots(
    temporal_server: TemporalSettings, tmp_path: Path
) -> None:
    """Its user waits for none of them."""
    client, blobs, queue = await connect(temporal_server), Blobs(tmp_path.as_uri()), uuid.uuid4().hex

    async def start(name: str, content: bytes, user: str) -> WorkflowHandle[Read, Parsed]:
        sha256 = hashlib.sha256(content).hexdigest()
        await blobs.put(original_key(sha256), content)
        input = ParseInput(sha256=sha256, document_name=name, bytes=len(content))
        return await client.start_workflow(Read.run, args=[input, user], id=f"{queue}-{name}", task_queue=queue)

    parsing = ParseActivities(blobs, ParseSettings(), never_asked, never_asked, Lane(SLOTS))
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Read],
        activities=[parsing.parse],
        max_concurrent_activities=SLOTS,
        interceptors=[ActivityEdge()],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=timedelta(seconds=1),
        default_heartbeat_throttle_interval=timedelta(seconds=1),
    ):
        content = SLOW["macros.org"]()
        slow = [await start(f"{number}.org", content + b"\n" * number, "ann") for number in range(2 * SLOTS)]
        for number in range(3):
            text = await start(f"{number}.txt", b"A short text of thirty bytes. " + bytes([48 + number]), "bob")
            assert (await text.result()).elements == 1
        running = [(await each.describe()).close_time is None for each in slow]
        for each in slow:
            await each.cancel()
        await asyncio.gather(*(each.result() for each in slow), return_exceptions=True)
    assert running.count(True) >= 2 * SLOTS - 2
