"""A knowledge base that follows a source, on a Temporal server of its own: what syncs begin is only noted.

No document is indexed and none is purged, so that a sync can be watched by itself, in seconds.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.batches import BatchToIngest
from activities.contracts.deletion import DeleteJob
from activities.contracts.documents import Chunking
from activities.contracts.queues import Queue
from activities.runtime.interceptor import ActivityEdge
from activities.runtime.temporal import connect
from activities.settings import Settings, SyncSettings, TemporalSettings, load
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Document, KnowledgeBase
from activities.stores.catalog.source_records import NewSource, Source, Sync
from activities.sync.start import start_sync
from activities.sync.steps import SyncActivities
from tests.conftest import assert_eventually
from workflows.sync import SyncKnowledgeBase


@workflow.defn(name="IngestBatch")
class NotedBatch:
    """A batch that indexes nothing."""

    @workflow.run
    async def run(self, job: BatchToIngest) -> None:
        """Ends at once."""

    @workflow.signal
    def more(self) -> None:
        """Has no effect."""


@workflow.defn(name="DeleteDocument")
class NotedDeletion:
    """A deletion that removes nothing."""

    @workflow.run
    async def run(self, job: DeleteJob) -> None:
        """Ends at once."""


class Following:
    """The knowledge base and its source, in the folder ``root`` unless it has another ``location``."""

    def __init__(self, client: Client, settings: Settings, root: Path) -> None:
        self.client, self.settings, self.root = client, settings, root
        self.catalog, self.blobs = Catalog(settings.catalog_url), Blobs(settings.blobs_url)
        self.kb: KnowledgeBase
        self.source: Source

    async def open(self, location: str | None = None, **fields: Any) -> None:
        """Make the knowledge base and the source."""
        await upgrade(self.settings)
        self.kb = await self.catalog.knowledge_bases.create(f"kb-{uuid.uuid4().hex[:8]}", "", "", Chunking(), "ann")
        source = NewSource(
            knowledge_base_id=self.kb.id,
            name="handbook",
            kind="folder" if location is None else "s3",
            location=location or str(self.root),
            include=[],
            exclude=[],
            max_delete_share=0.2,
            tags=["synced"],
        )
        self.source = await self.catalog.sources.create(msgspec.structs.replace(source, **fields), "ann")

    def write(self, name: str, text: str, at: float = 1e9) -> None:
        """Write a file that was last changed long ago."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (at, at))

    async def start(self, **options: Any) -> Sync:
        """Start a sync."""
        return await start_sync(self.catalog, self.client, self.source.id, "ann", **options)

    async def reaches(self, sync: Sync, *states: str) -> Sync:
        """Wait until a sync is in one of these states."""

        async def check() -> Sync | None:
            found = await self.catalog.syncs.get(sync.id)
            assert found.state != "failed" or "failed" in states, found
            return found if found.state in states else None

        return await assert_eventually(check, step=0.05)

    async def sync(self, **options: Any) -> Sync:
        """Sync to the end."""
        return await self.reaches(await self.start(**options), "ready")

    async def documents(self) -> dict[str, Document]:
        """The documents by name."""
        return {each.name: each for each in await self.catalog.documents.page(self.kb.id, None, None, 10_000)}

    async def signal(self, sync: Sync, name: str) -> None:
        """Send a signal to its run."""
        workflow_id = f"sync/{sync.source_id}/{sync.occurrence}"
        await self.client.get_workflow_handle(workflow_id).signal(name, "ann")


@asynccontextmanager
async def following(
    temporal: TemporalSettings, folder: Path, location: str | None = None, buckets: str = "", **fields: Any
) -> AsyncIterator[Following]:
    """A knowledge base that follows a folder, or ``location``, with workers for its syncs."""
    root = folder / "docs"
    root.mkdir(exist_ok=True)
    settings = msgspec.structs.replace(
        load({"HOLDFAST_DATA": str(folder / "data")}),
        temporal=temporal,
        sync=SyncSettings(folders=str(folder), buckets=buckets),
    )
    client = await connect(temporal)
    found = Following(client, settings, root)
    await found.open(location, **fields)
    activities = SyncActivities(found.blobs, found.catalog, settings)
    shared: dict[str, Any] = {"interceptors": [ActivityEdge()]}
    async with AsyncExitStack() as workers:
        await workers.enter_async_context(
            Worker(
                client,
                task_queue=Queue.WORKFLOWS,
                workflows=[SyncKnowledgeBase, NotedBatch, NotedDeletion],
                workflow_runner=UnsandboxedWorkflowRunner(),
                **shared,
            )
        )
        steps = [activities.list_source, activities.compare_source, activities.apply_changes]
        for queue, some in ((Queue.CPU, steps), (Queue.STORE, [activities.record_sync])):
            await workers.enter_async_context(Worker(client, task_queue=queue, activities=some, **shared))
        yield found
    await found.catalog.close()
