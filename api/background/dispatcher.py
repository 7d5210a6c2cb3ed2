"""Transactional outbox relay: starts a workflow for every accepted document, batch and bulk change that has none yet.

Uploads are accepted without waiting for Temporal. Runs start right after, from the catalogue, so that nothing is lost
if this process or Temporal dies in between: the next poll finds every version without a run. Starts are idempotent,
so any number of processes may run a dispatcher.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple

import structlog

from activities.contracts.bulk import BulkJob
from activities.contracts.ids import ingest_id
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.stages import ACTIVE
from activities.errors import DependencyError, NotFound, TemporalRefused
from activities.runtime.failures import cause_of
from activities.runtime.loops import Loop
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch
from activities.telemetry import carried
from workflows.client.jobs import Jobs
from workflows.contracts import BatchJob, IngestJob

#: Seconds between polls without a hint; every upload of this process sends a hint.
POLL_SECONDS = 5.0

#: Seconds between a hint and the poll, so that uploads in progress are answered first.
HINT_DELAY_SECONDS = 0.1

#: Runs started per poll, and how many of them concurrently.
GROUP, AT_ONCE = 100, 8

#: Longest time in seconds until what could not be started is tried again: after an outage, and after an error of its
#: own. The first retry comes after a second; each failure doubles the time.
MAX_OUTAGE_DELAY, MAX_DELAY = 4.0, 60.0

log = structlog.get_logger()

#: Starts a run; False if it has to wait for something of its own.
Start = Callable[[], Awaitable[bool]]


class Delay(NamedTuple):
    """What failed to start ``failures`` times is not tried before ``until``, by the monotonic clock."""

    failures: int
    until: float


class Dispatcher:
    """Starts runs inside of ``loop``; ``hint`` triggers a poll.

    Each start stands for itself: one that fails is logged and tried again later, and delays no other.
    """

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs
        self.loop = Loop("dispatcher", self.once, POLL_SECONDS, wake_seconds=HINT_DELAY_SECONDS)
        self._hinted_batches: set[str] = set()
        self._delays: dict[str, Delay] = {}

    def hint(self, batch_id: str | None = None) -> None:
        """Trigger a poll after documents were accepted, in batch ``batch_id`` if given."""
        if batch_id is not None:
            self._hinted_batches.add(batch_id)
        self.loop.wake()

    async def once(self) -> bool:
        """Start one group of runs; True if there may be more. Raises the DependencyError that kept runs waiting."""
        found: dict[str, Batch | None] = dict.fromkeys(self._hinted_batches)
        found |= {batch.id: batch for batch in await self._catalog.batches.undispatched()}
        batches = self._due({id: partial(self._start_found, id, batch) for id, batch in found.items()})
        changes = self._due(
            {job.bulk_id: partial(self._start_bulk, job) for job in await self._catalog.bulk_changes.undispatched()}
        )
        limit = GROUP + len(self._delays)
        queued = {_id(document): document for document in await self._catalog.intake.undispatched(limit)}
        documents = self._due({id: partial(self._start_one, document) for id, document in queued.items()})
        if len(queued) < limit:
            known = found.keys() | queued.keys() | changes.keys()
            self._delays = {id: delay for id, delay in self._delays.items() if id in known}
        started, outage = await self._start(batches | changes | documents)
        done = [queued[id] for id in documents if id in started]
        if done:
            await self._catalog.intake.dispatched(done)
        if outage is not None:
            raise outage
        return len(documents) >= GROUP

    def _due(self, starts: Mapping[str, Start]) -> dict[str, Start]:
        """The starts that wait for no retry."""
        now = time.monotonic()
        return {id: start for id, start in starts.items() if id not in self._delays or self._delays[id].until <= now}

    async def _start(self, starts: Mapping[str, Start]) -> tuple[set[str], DependencyError | None]:
        """Start all, AT_ONCE at a time, until an outage; the ids of those that were started, and the outage."""
        slots, started = asyncio.Semaphore(AT_ONCE), set[str]()
        outages: list[DependencyError] = []

        async def attempt(id: str, start: Start) -> None:
            async with slots:
                if outages:
                    return
                try:
                    begun = await start()
                except Exception as exc:  # noqa: BLE001 - whatever is wrong with one, the others are started
                    outages.extend(self._failed(id, exc))
                else:
                    if begun:
                        self._delays.pop(id, None)
                        started.add(id)
                    else:
                        self._delay(id, MAX_OUTAGE_DELAY)

        await asyncio.gather(*(attempt(id, start) for id, start in starts.items()))
        return started, next(iter(outages), None)

    def _failed(self, id: str, exc: Exception) -> list[DependencyError]:
        """Delay a start that failed; the DependencyError if that was an outage, which stops other starts as well.

        What Temporal refuses is no outage: it may be this one start that it refuses.
        """
        cause = cause_of(exc)
        if isinstance(cause, DependencyError) and not isinstance(cause, TemporalRefused):
            self._delay(id, MAX_OUTAGE_DELAY)
            return [cause]
        failures = self._delay(id, MAX_DELAY)
        log.error("a run is not started", id=id, failures=failures, exc_info=exc)
        return []

    def _delay(self, id: str, longest: float) -> int:
        """Try a start again later; the number of times that it failed in a row."""
        failures = self._delays[id].failures + 1 if id in self._delays else 1
        self._delays[id] = Delay(failures, time.monotonic() + min(longest, 2.0 ** min(failures - 1, 10)))
        return failures

    async def _start_one(self, document: DocumentToIngest) -> bool:
        """Start a document's run; False while its earlier run is about to end: it stays in the outbox until then."""
        known = {name: getattr(document, name) for name in document.__struct_fields__}
        with carried.resumed(document.request):
            return await self._jobs.ingest(IngestJob(**known | {"request": None}))

    async def _start_bulk(self, job: BulkJob) -> bool:
        await self._jobs.change_documents(job)
        await self._catalog.bulk_changes.dispatched(job.bulk_id)
        return True

    async def _start_found(self, id: str, batch: Batch | None) -> bool:
        """Start a batch, or tell the run of one that was hinted at that it has more documents."""
        unheard = self._hinted_batches & {id}
        self._hinted_batches -= unheard  # before the start: a later hint is of documents that this one may not reach
        try:
            await self._start_batch(batch or await self._catalog.batches.get(id))
            unheard = set()
        except NotFound:
            log.info("a batch was deleted before its run", batch=id)
            unheard = set()
        finally:
            self._hinted_batches |= unheard
        return True

    async def _start_batch(self, batch: Batch) -> None:
        if batch.state not in ACTIVE:
            return  # it has ended since the hint
        knowledge_base = await self._catalog.knowledge_bases.by_id(batch.knowledge_base_id)
        with carried.resumed(batch.request):
            await self._jobs.batch(batch_job(batch, knowledge_base.name), signal="more")
        await self._catalog.batches.dispatched(batch.id)


def _id(document: DocumentToIngest) -> str:
    return ingest_id(document.document_id, document.version)


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
