"""Dispatching: what was accepted gets its run. The catalogue is the outbox, this is its postman.

Accepting an upload does not wait for Temporal. Runs are started right after, from the catalogue, so that
nothing is lost when this process, or Temporal, dies in between: the next look finds what has no run yet.
Starting twice is starting once, so any number of processes may do it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from activities.contracts.ingest import DocumentToIngest
from activities.errors import DependencyError
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch
from workflows.client.jobs import Jobs
from workflows.contracts import BatchJob, IngestJob

#: Seconds between two looks without a hint; a hint comes with every upload of this process.
LOOK_SECONDS = 5.0

#: Seconds between tries while a dependency is down.
RETRY_SECONDS = 1.0

#: Seconds between a hint and the look: those who upload at this moment are answered first.
AFTER_SECONDS = 0.1

#: Runs that are started in one go, and how many of them at once.
GROUP, AT_ONCE = 100, 8

log = structlog.get_logger()


class Dispatcher:
    """Starts runs until it is canceled; ``hint`` says that there is something to start."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs
        self._hinted = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._batches: set[str] = set()

    def hint(self, batch_id: str | None = None) -> None:
        """Something was accepted, in this batch if one is named."""
        if batch_id is not None:
            self._batches.add(batch_id)
        self._hinted.set()

    async def run(self) -> None:
        """Look, start, and wait for the next hint."""
        while True:
            try:
                while await self.once():
                    pass
                pause = LOOK_SECONDS
            except DependencyError as exc:
                log.warning("runs are not started", reason=str(exc))
                pause = RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._hinted.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(AFTER_SECONDS)

    async def once(self) -> bool:
        """Start what is there now; whether there may be more."""
        self._hinted.clear()
        hinted = set(self._batches)
        waiting = {batch.id: batch for batch in await self._catalog.batches.undispatched()}
        for id in hinted | waiting.keys():
            await self._start_batch(waiting.get(id) or await self._catalog.batches.get(id))
        self._batches -= hinted
        found = await self._catalog.intake.undispatched(GROUP)
        await self._start(found)
        return len(found) == GROUP or bool(self._batches)

    async def _start(self, found: Sequence[DocumentToIngest]) -> None:
        async with asyncio.TaskGroup() as starting:
            for each in found:
                starting.create_task(self._start_one(each))
        if found:
            await self._catalog.intake.dispatched([(each.document_id, each.version) for each in found])

    async def _start_one(self, dispatch: DocumentToIngest) -> None:
        async with self._slots:
            await self._jobs.ingest(IngestJob(**{name: getattr(dispatch, name) for name in dispatch.__struct_fields__}))

    async def _start_batch(self, batch: Batch) -> None:
        knowledge_base = await self._catalog.knowledge_bases.by_id(batch.knowledge_base_id)
        await self._jobs.batch(batch_job(batch, knowledge_base.name), signal="more")
        await self._catalog.batches.dispatched(batch.id)


def batch_job(batch: Batch, knowledge_base: str) -> BatchJob:
    """What a batch's workflow has to know."""
    return BatchJob(
        batch_id=batch.id,
        knowledge_base_id=batch.knowledge_base_id,
        knowledge_base=knowledge_base,
        name=batch.name,
        actor=batch.actor,
        parallelism=batch.parallelism,
        archive_sha256=batch.archive_sha256,
    )
