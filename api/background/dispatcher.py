"""Transactional outbox relay: starts a workflow for every accepted document and batch that has none yet.

Uploads are accepted without waiting for Temporal. Runs start right after, from the catalogue, so that nothing is lost
if this process or Temporal dies in between: the next poll finds every version without a run. Starts are idempotent,
so any number of processes may run a dispatcher.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from activities.contracts.ingest import DocumentToIngest
from activities.contracts.stages import ACTIVE
from activities.errors import DependencyError
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch
from workflows.client.jobs import Jobs
from workflows.contracts import BatchJob, IngestJob

#: Seconds between polls without a hint; every upload of this process sends a hint.
POLL_SECONDS = 5.0

#: Seconds between retries while a dependency is down.
RETRY_SECONDS = 1.0

#: Seconds between a hint and the poll, so that uploads in progress are answered first.
HINT_DELAY_SECONDS = 0.1

#: Runs started per poll, and how many of them concurrently.
GROUP, AT_ONCE = 100, 8

log = structlog.get_logger()


class Dispatcher:
    """Starts runs until it is canceled; ``hint`` triggers a poll."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs
        self._hinted = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._hinted_batches: set[str] = set()

    def hint(self, batch_id: str | None = None) -> None:
        """Trigger a poll after documents were accepted, in batch ``batch_id`` if given."""
        if batch_id is not None:
            self._hinted_batches.add(batch_id)
        self._hinted.set()

    async def run(self) -> None:
        """Poll and start runs, at each hint and at intervals, until canceled."""
        while True:
            try:
                while await self.once():
                    pass
                pause = POLL_SECONDS
            except DependencyError as exc:
                log.warning("runs are not started", reason=str(exc))
                pause = RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._hinted.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(HINT_DELAY_SECONDS)

    async def once(self) -> bool:
        """Start one group of runs; True if there may be more."""
        self._hinted.clear()
        hinted = set(self._hinted_batches)
        waiting = {batch.id: batch for batch in await self._catalog.batches.undispatched()}
        for id in hinted | waiting.keys():
            await self._start_batch(waiting.get(id) or await self._catalog.batches.get(id))
        self._hinted_batches -= hinted
        found = await self._catalog.intake.undispatched(GROUP)
        all_started = await self._start(found)
        return (len(found) == GROUP and all_started) or bool(self._hinted_batches)

    async def _start(self, documents: Sequence[DocumentToIngest]) -> bool:
        async with asyncio.TaskGroup() as starting:
            tasks = [starting.create_task(self._start_one(document)) for document in documents]
        started = [document for document, task in zip(documents, tasks, strict=True) if task.result()]
        if started:
            await self._catalog.intake.dispatched(started)
        if len(started) == len(documents):
            return True
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self.hint)
        return False

    async def _start_one(self, document: DocumentToIngest) -> bool:
        """Start a document's run; False while its earlier run is about to end: it stays in the outbox until then."""
        async with self._slots:
            job = IngestJob(**{name: getattr(document, name) for name in document.__struct_fields__})
            return await self._jobs.ingest(job)

    async def _start_batch(self, batch: Batch) -> None:
        if batch.state not in ACTIVE:
            return  # it has ended since the hint
        knowledge_base = await self._catalog.knowledge_bases.by_id(batch.knowledge_base_id)
        await self._jobs.batch(batch_job(batch, knowledge_base.name), signal="more")
        await self._catalog.batches.dispatched(batch.id)


def batch_job(batch: Batch, knowledge_base: str) -> BatchJob:
    """The input of a batch's workflow."""
    return BatchJob(
        batch_id=batch.id,
        knowledge_base_id=batch.knowledge_base_id,
        knowledge_base=knowledge_base,
        name=batch.name,
        actor=batch.actor,
        parallelism=batch.parallelism,
        archive_sha256=None if batch.unpacked else batch.archive_sha256,
    )
