"""Runs on a real Temporal server, an empty catalogue and a folder of blobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.ids import CHANGE_DOCUMENTS
from activities.contracts.search_attributes import attributes
from activities.runtime.temporal import connect
from activities.settings import Settings, TemporalSettings, load
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.tables import new_id
from tests.conftest import assert_eventually

T = TypeVar("T")

#: The identity of the other client, as Temporal's CLI gives itself one.
EVE = "temporal-cli:eve@laptop"


@workflow.defn(name=CHANGE_DOCUMENTS)
class Waits:
    """Stands for any of our workflows: it waits until it is told to end."""

    def __init__(self) -> None:
        self._ended = False

    @workflow.signal
    def end(self) -> None:
        """End."""
        self._ended = True

    @workflow.signal
    def pause(self, actor: str) -> None:
        """Anything."""

    @workflow.update
    async def retry(self, actor: str) -> None:
        """Anything."""

    @workflow.run
    async def run(self) -> None:
        """Wait."""
        await workflow.wait_condition(lambda: self._ended)


class World:
    """The server with a worker; ``ours`` is a client as Holdfast's processes have it, ``eves`` that of another."""

    def __init__(self, ours: Client, eves: Client, settings: Settings, queue: str) -> None:
        self.ours, self.eves, self.settings, self.queue = ours, eves, settings, queue
        self.catalog, self.blobs = Catalog(settings.catalog_url), Blobs(settings.blobs_url)

    async def started(self, client: Client | None = None, kb: str | None = None) -> WorkflowHandle[Any, Any]:
        """A run of ``Waits``, which has begun to wait."""
        id = f"bulk/{new_id()}"
        handle = await (client or self.ours).start_workflow(
            Waits.run, id=id, task_queue=self.queue, search_attributes=attributes(kb, "ann")
        )
        await self.ours.get_workflow_handle(id).signal("pause", "ann")
        await self.ours.get_workflow_handle(id).execute_update("retry", "ann")
        return self.ours.get_workflow_handle(id, first_execution_run_id=handle.first_execution_run_id)

    async def call(self, activity: Callable[[Any], Awaitable[T]], input: Any) -> T:
        """Run an activity in this process."""
        return await ActivityEnvironment(client=self.ours).run(activity, input)  # type: ignore[no-any-return]

    async def listed(self, handle: WorkflowHandle[Any, Any]) -> None:
        """Wait until Temporal lists the run."""

        async def found() -> bool:
            return handle.id in {run.id async for run in self.ours.list_workflows()}

        await assert_eventually(found)

    async def closed(self, *handles: WorkflowHandle[Any, Any]) -> None:
        """Wait until Temporal lists the runs as closed."""
        ids = {handle.id for handle in handles}

        async def listed() -> bool:
            query = "ExecutionStatus != 'Running'"
            return ids <= {run.id async for run in self.ours.list_workflows(query)}

        await assert_eventually(listed)


@pytest.fixture
async def world(temporal_server: TemporalSettings, tmp_path: Path) -> AsyncIterator[World]:
    """An empty catalogue beside the server that the module shares."""
    ours = await connect(temporal_server)
    eves = await Client.connect(temporal_server.address, identity=EVE, data_converter=ours.data_converter)
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    world = World(ours, eves, settings, new_id())
    runner = UnsandboxedWorkflowRunner()
    async with Worker(
        ours, task_queue=world.queue, workflows=[Waits], workflow_runner=runner, graceful_shutdown_timeout=timedelta(0)
    ):
        yield world
    await world.catalog.close()
