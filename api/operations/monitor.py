"""The state of the platform, read at once from catalogue, Temporal and Milvus, and shared by all readers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from async_lru import alru_cache

from activities.contracts.stages import JobKind, JobStateName
from activities.errors import CatalogUnavailable, DependencyError, HoldfastError, NotFound, Reason, TemporalUnavailable
from activities.phrases import Phrase
from activities.stores.catalog.operations.records import (
    CurrentGeneration,
    CurrentJob,
    DocumentTotals,
    FailureGroup,
    JobPosition,
    NotStarted,
    Throughput,
)
from activities.stores.catalog.records import Batch, Tally
from activities.stores.connections import Stores
from api.maintenance.health import Ping, pings
from api.operations.schemas import Part
from api.reindexes.watching import WatchedReindex, watched
from workflows.client.jobs import Jobs
from workflows.client.queues import QueueState, describe_queues

T = TypeVar("T")

#: Seconds for which all readers share a snapshot, and the longest time that one waits for a part.
SHARED_SECONDS, PART_SECONDS = 2.0, 2.0

#: Seconds for which the rows of an index are not counted again.
ROWS_SECONDS = 30.0

#: Seconds for which all documents are not counted again.
TOTALS_SECONDS = 10.0

#: Jobs and index generations of a snapshot.
JOBS, GENERATIONS = 20, 50


class Dependency(msgspec.Struct, frozen=True):
    """A dependency, and since when it is as it is. One that is not ready for no ``reason`` did not answer in time."""

    name: str
    ready: bool
    since: datetime
    milliseconds: float | None
    reason: Reason | None


class JobList(msgspec.Struct, frozen=True):
    """A page of jobs; the batches and re-indexes among them by their ids."""

    jobs: list[CurrentJob]
    batches: dict[str, tuple[Batch, Tally]]
    reindexes: dict[str, WatchedReindex]
    more: JobPosition | None


class JobsPart(msgspec.Struct, frozen=True):
    counts: dict[JobKind, dict[JobStateName, int]]
    not_started: NotStarted
    page: JobList


class Snapshot(msgspec.Struct, frozen=True):
    """The platform at one moment; a part that could not be read is None, and ``problems`` has the reason."""

    taken_at: datetime
    dependencies: list[Dependency]
    jobs: JobsPart | None
    queues: list[QueueState] | None
    throughput: Throughput | None
    failures: list[FailureGroup] | None
    generations: list[tuple[CurrentGeneration, int | None]] | None
    problems: dict[Part, Reason]


class Vitals(msgspec.Struct, frozen=True):
    """What metrics show of the platform at one moment; a part that could not be read is None."""

    dependencies: list[Dependency]
    documents: DocumentTotals | None
    not_started: NotStarted | None
    jobs: dict[JobKind, dict[JobStateName, int]] | None
    queues: list[QueueState] | None


class Monitor:
    """Takes snapshots when somebody asks, and does nothing else."""

    def __init__(self, stores: Stores, jobs: Jobs) -> None:
        self._stores, self._jobs = stores, jobs
        self._operations = stores.catalog.operations
        self._since: dict[str, tuple[bool, datetime]] = {}

    @alru_cache(maxsize=1, ttl=SHARED_SECONDS)
    async def snapshot(self) -> Snapshot:
        """The platform now, or up to SHARED_SECONDS ago. A part that hangs delays it by PART_SECONDS at most."""
        taken_at = datetime.now(UTC)
        problems: dict[Part, Reason] = {}

        async def part(name: Part, read: Callable[[], Awaitable[T]]) -> T | None:
            return await _part(name, read, problems)

        dependencies, found, queues, throughput, failures, generations = await asyncio.gather(
            self._dependencies(),
            part("jobs", self._current),
            part("queues", self._queues),
            part("throughput", self._operations.throughput.last_hour),
            part("failures", self._operations.failures.groups),
            part("generations", self._generations),
        )
        return Snapshot(taken_at, dependencies, found, queues, throughput, failures, generations, problems)

    @alru_cache(maxsize=1, ttl=SHARED_SECONDS)
    async def vitals(self) -> Vitals:
        """What metrics show, now or up to SHARED_SECONDS ago; totals of all documents up to TOTALS_SECONDS ago."""
        problems: dict[Part, Reason] = {}
        jobs = self._operations.jobs
        dependencies, documents, not_started, counts, queues = await asyncio.gather(
            self._dependencies(),
            _part("jobs", self._totals, problems),
            _part("jobs", jobs.not_started, problems),
            _part("jobs", jobs.counts, problems),
            _part("queues", self._queues, problems),
        )
        return Vitals(dependencies, documents, not_started, counts, queues)

    @alru_cache(maxsize=1, ttl=TOTALS_SECONDS)
    async def _totals(self) -> DocumentTotals:
        return await self._operations.jobs.document_totals()

    async def _queues(self) -> list[QueueState]:
        return await describe_queues(self._jobs.client)

    async def page(self, after: JobPosition | None, limit: int, kind: JobKind | None = None) -> JobList:
        """A page of jobs, with the records of its batches and re-indexes."""
        catalog = self._stores.catalog
        found = await self._operations.jobs.page(after, limit + 1, kind)
        shown = found[:limit]
        batches = {}
        for job in shown:
            if job.kind == "batch":
                with suppress(NotFound):  # deleted since
                    batches[job.id] = (await catalog.batches.get(job.id), await catalog.batches.tally(job.id))
        reindexes = {}
        if any(job.kind == "reindex" for job in shown):
            unfinished = await catalog.reindexes.unfinished(datetime.now(UTC))
            now = await asyncio.gather(*(watched(each, self._jobs) for each in unfinished))
            reindexes = {each.id: each for each in now}
        return JobList(shown, batches, reindexes, shown[-1].position if len(found) > limit else None)

    async def _current(self) -> JobsPart:
        counts, not_started, page = await asyncio.gather(
            self._operations.jobs.counts(), self._operations.jobs.not_started(), self.page(None, JOBS)
        )
        return JobsPart(counts, not_started, page)

    async def _generations(self) -> list[tuple[CurrentGeneration, int | None]]:
        found = await self._operations.generations.page(GENERATIONS)
        rows = await asyncio.gather(*(self._rows(each.collection) for each in found))
        return list(zip(found, rows, strict=True))

    async def _rows(self, collection: str) -> int | None:
        """The rows of a collection, none before its first document; None while Milvus does not say."""
        try:
            async with asyncio.timeout(PART_SECONDS / 2):
                return await self._counted(collection)
        except KeyError:
            return 0
        except (TimeoutError, DependencyError):
            return None

    @alru_cache(maxsize=GENERATIONS, ttl=ROWS_SECONDS)
    async def _counted(self, collection: str) -> int:
        return await self._stores.milvus.count(collection)

    async def _dependencies(self) -> list[Dependency]:
        found = pings(self._stores, self._jobs)
        return await asyncio.gather(*(self._look(name, ping) for name, ping in found.items()))

    async def _look(self, name: str, ping: Ping) -> Dependency:
        began, ready, reason = time.perf_counter(), False, None
        try:
            async with asyncio.timeout(PART_SECONDS):
                await ping()
            ready = True
        except TimeoutError:
            pass
        except HoldfastError as exc:
            reason = exc.reason
        milliseconds = round((time.perf_counter() - began) * 1000, 1) if ready else None
        if name not in self._since or self._since[name][0] != ready:
            self._since[name] = ready, datetime.now(UTC)
        return Dependency(name, ready, self._since[name][1], milliseconds, reason)


async def _part(name: Part, read: Callable[[], Awaitable[T]], problems: dict[Part, Reason]) -> T | None:
    """A part of a snapshot; None, with its reason among the problems, if it cannot be read in time."""
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await read()
    except TimeoutError:
        slow = CatalogUnavailable(detail=Phrase.NO_ANSWER_WITHIN, seconds=round(PART_SECONDS))
        problems[name] = (TemporalUnavailable() if name == "queues" else slow).reason
    except DependencyError as exc:
        problems[name] = exc.reason
    return None
