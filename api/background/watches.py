"""Watches of jobs: one poller reads the catalogue for all watchers of all jobs.

Each poll takes one query for all watched jobs, so a thousand watchers cost as much as one. Watchers are woken in
groups: between two groups the process serves other requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from activities.contracts.stages import ACTIVE, PENDING
from activities.errors import DependencyError, NotFound
from activities.runtime.loops import Loop
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch, Document, Tally
from api.http.sse import Event, EventStream

T = TypeVar("T")

#: Seconds between polls of the watched jobs.
DOCUMENT_SECONDS, BATCH_SECONDS = 0.5, 1.0

#: Watchers woken before other requests are served.
WAKE_GROUP = 20

log = structlog.get_logger()


@dataclass
class _Topic(Generic[T]):
    """The last value of one job, and the watchers that wait for the next one; ``error`` if it cannot be read."""

    value: T | None = None
    deleted: bool = False
    error: Exception | None = None
    readers: int = 0
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    shown: dict[str, Event] = field(default_factory=dict)


class Watches(Generic[T]):
    """Jobs of one kind that are watched in this process, and looked at inside of ``loop``.

    ``fetch`` returns the current value of each id that still exists; ``is_final`` is True for a value that no other
    can follow. Values are compared by ``==``; ``seconds`` is the interval between polls.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[list[str]], Awaitable[Mapping[str, T]]],
        is_final: Callable[[T], bool],
        seconds: float,
    ) -> None:
        self._fetch, self._is_final = fetch, is_final
        self.loop = Loop(name, self._poll, seconds)
        self._topics: dict[str, _Topic[T]] = {}

    async def changes(self, id: str) -> AsyncIterator[T]:
        """The current value, then each change up to the final one; ends early if the job is deleted.

        Raises the exception that keeps this job from being read, unless a dependency is down, which is waited for.
        """
        topic = self._topics.setdefault(id, _Topic())
        topic.readers += 1
        self.loop.wake()
        seen: T | None = None
        try:
            while True:
                if topic.value is not None and topic.value is not seen:
                    seen = topic.value
                    yield seen
                    if self._is_final(seen):
                        return
                elif topic.deleted:
                    return
                elif topic.error is not None:
                    raise topic.error
                else:
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    topic.waiting.append(future)
                    await future
        finally:
            topic.readers -= 1
            if topic.readers == 0:
                self._topics.pop(id, None)

    async def events(self, id: str, kind: str, show: Callable[[T], Event]) -> EventStream:
        """``changes`` as events. Readers of one ``kind`` (a language) share the event that ``show`` makes."""
        async for value in self.changes(id):
            topic = self._topics[id]  # exists while it has readers
            if topic.value is not value:
                yield show(value)  # changed again after this reader was woken
                continue
            if kind not in topic.shown:
                topic.shown[kind] = show(value)
            yield topic.shown[kind]

    async def _poll(self) -> None:
        ids = list(self._topics)
        found, errors = await self._fetch_all(ids)
        for id in ids:
            topic = self._topics.get(id)
            value = found.get(id)
            if topic is None or (value is not None and value == topic.value):
                continue
            if id in errors:
                topic.error = errors[id]
            elif value is None:
                topic.deleted = True
            else:
                topic.value, topic.shown = value, {}
            await _wake(topic)

    async def _fetch_all(self, ids: list[str]) -> tuple[Mapping[str, T], Mapping[str, Exception]]:
        """The values by id, and the errors of those that cannot be read: one such job holds up no other."""
        if not ids:
            return {}, {}
        try:
            return await self._fetch(ids), {}
        except DependencyError:
            raise
        except Exception as exc:  # whatever is wrong with one, the others are shown
            if len(ids) == 1:
                log.error("a watched job cannot be read", id=ids[0], exc_info=exc)
                return {}, {ids[0]: exc}
        found: dict[str, T] = {}
        errors: dict[str, Exception] = {}
        for id in ids:
            of_one = await self._fetch_all([id])
            found |= of_one[0]
            errors |= of_one[1]
        return found, errors


async def _wake(topic: _Topic[T]) -> None:
    waiting, topic.waiting = topic.waiting, []
    for count, future in enumerate(waiting, 1):
        if not future.done():
            future.set_result(None)
        if count % WAKE_GROUP == 0:
            await asyncio.sleep(0)


class DocumentWatches(Watches[Document]):
    """Documents by id."""

    def __init__(self, catalog: Catalog) -> None:
        async def fetch(ids: list[str]) -> dict[str, Document]:
            return {document.id: document for document in await catalog.documents.many(ids)}

        super().__init__("document-watches", fetch, lambda document: document.state not in PENDING, DOCUMENT_SECONDS)


class BatchWatches(Watches[tuple[Batch, Tally]]):
    """Batches by id."""

    def __init__(self, catalog: Catalog) -> None:
        async def fetch(ids: list[str]) -> dict[str, tuple[Batch, Tally]]:
            found = {}
            for id in ids:
                with suppress(NotFound):
                    found[id] = (await catalog.batches.get(id), await catalog.batches.tally(id))
            return found

        super().__init__("batch-watches", fetch, lambda value: value[0].state not in ACTIVE, BATCH_SECONDS)
