"""Watching jobs: however many people watch however many jobs, one reader asks the catalogue for all of them.

A look takes one query for all that is watched, so a thousand watchers cost what one costs. They are woken a
few at a time: between two handfuls the process answers other requests.
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
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch, Document, Tally
from api.http.sse import Event, EventStream

T = TypeVar("T")

#: Seconds between two looks at what is watched.
DOCUMENT_SECONDS, BATCH_SECONDS = 0.5, 1.0

#: Watchers that are woken before other requests get their turn.
HANDFUL = 20

log = structlog.get_logger()


@dataclass
class _Topic(Generic[T]):
    """What is known of one job, and who waits for news of it."""

    value: T | None = None
    gone: bool = False
    readers: int = 0
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    shown: dict[str, Event] = field(default_factory=dict)


class Watches(Generic[T]):
    """Jobs of one kind that are being watched in this process.

    ``look`` gives the present value of each of the ids that still exists; ``is_final`` says that no other
    value can follow. Values are compared by ``==``.
    """

    def __init__(
        self,
        look: Callable[[list[str]], Awaitable[Mapping[str, T]]],
        is_final: Callable[[T], bool],
        seconds: float,
    ) -> None:
        self._look, self._is_final, self._seconds = look, is_final, seconds
        self._topics: dict[str, _Topic[T]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._new = asyncio.Event()

    async def changes(self, id: str) -> AsyncIterator[T]:
        """The value now, and then each change, up to the last one; ends when the job is gone."""
        topic = self._topics.setdefault(id, _Topic())
        topic.readers += 1
        self._new.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._run())
        seen: T | None = None
        try:
            while True:
                if topic.value is not None and topic.value is not seen:
                    seen = topic.value
                    yield seen
                    if self._is_final(seen):
                        return
                elif topic.gone:
                    return
                else:
                    news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    topic.waiting.append(news)
                    await news
        finally:
            topic.readers -= 1
            if topic.readers == 0:
                self._topics.pop(id, None)

    async def events(self, id: str, kind: str, show: Callable[[T], Event]) -> EventStream:
        """``changes`` as events. Readers of one ``kind`` (a language) share what ``show`` makes of a value."""
        async for value in self.changes(id):
            topic = self._topics[id]  # there is one as long as anybody reads
            if topic.value is not value:
                yield show(value)  # it has changed again since this reader was woken
                continue
            if kind not in topic.shown:
                topic.shown[kind] = show(value)
            yield topic.shown[kind]

    async def _run(self) -> None:
        """Look until nobody watches any more."""
        while self._topics:
            self._new.clear()
            try:
                await self._once()
            except DependencyError as exc:
                log.warning("watched jobs cannot be looked at", reason=str(exc))
            try:
                async with asyncio.timeout(self._seconds):
                    await self._new.wait()  # whoever begins to watch need not wait for the next look
            except TimeoutError:
                continue

    async def _once(self) -> None:
        ids = list(self._topics)
        found = await self._look(ids)
        for id in ids:
            topic = self._topics.get(id)
            value = found.get(id)
            if topic is None or (value is not None and value == topic.value):
                continue
            if value is None:
                topic.gone = True
            else:
                topic.value, topic.shown = value, {}
            await _wake(topic)


async def _wake(topic: _Topic[T]) -> None:
    waiting, topic.waiting = topic.waiting, []
    for at, news in enumerate(waiting, 1):
        if not news.done():
            news.set_result(None)
        if at % HANDFUL == 0:
            await asyncio.sleep(0)


class DocumentWatches(Watches[Document]):
    """Documents by id."""

    def __init__(self, catalog: Catalog) -> None:
        async def look(ids: list[str]) -> dict[str, Document]:
            return {document.id: document for document in await catalog.documents.many(ids)}

        super().__init__(look, lambda document: document.state not in PENDING, DOCUMENT_SECONDS)


class BatchWatches(Watches[tuple[Batch, Tally]]):
    """Batches by id."""

    def __init__(self, catalog: Catalog) -> None:
        async def look(ids: list[str]) -> dict[str, tuple[Batch, Tally]]:
            found = {}
            for id in ids:
                with suppress(NotFound):
                    found[id] = (await catalog.batches.get(id), await catalog.batches.tally(id))
            return found

        super().__init__(look, lambda value: value[0].state not in ACTIVE, BATCH_SECONDS)
