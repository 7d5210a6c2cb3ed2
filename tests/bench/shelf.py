"""Adds documents to the measured platform as users do, and reads their runs from Temporal."""

from __future__ import annotations

import asyncio
import io
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.ids import ingest_id
from tests.bench.instance import Bench
from tests.bench.measures import Spent
from workflows.contracts import IngestResult

FILES_IN_REQUEST = 50
"""As many files as `holdfast add` sends in one request."""

START_SECONDS = 60
STOP_SECONDS = 120


@dataclass(frozen=True)
class Document:
    """A file to add, and how many characters of text it holds."""

    name: str
    content: bytes
    characters: int

    @classmethod
    def of(cls, name: str, text: str) -> Document:
        """A text file."""
        return cls(name, text.encode(), len(text))

    def fresh(self) -> Document:
        """The same text file under another name and with a new first line."""
        mark = uuid.uuid4().hex
        line = f"Copy {mark}\n\n".encode()
        return Document(f"{mark[:8]}-{self.name}", line + self.content, len(line) + self.characters)


@dataclass
class Run:
    """The cost of some documents on one side."""

    seconds: float
    characters: int
    chunks: int
    spent: Spent = field(default_factory=Spent)

    @property
    def speed(self) -> float:
        """Characters per second."""
        return self.characters / self.seconds


class Shelf:
    """A knowledge base of the measured platform."""

    def __init__(self, bench: Bench, name: str) -> None:
        self._bench, self.name = bench, name

    @classmethod
    async def create(cls, bench: Bench) -> Shelf:
        """Create an empty one."""
        name = f"bench-{uuid.uuid4().hex[:12]}"
        await bench.api.call("POST", "/knowledge-bases", json={"name": name})
        return cls(bench, name)

    async def upload_batch(self, documents: Sequence[Document]) -> list[dict[str, Any]]:
        """Send the files as `holdfast add` does, all in one batch; the API's response for each."""
        made = await self._bench.api.call("POST", f"/knowledge-bases/{self.name}/batches", json={"name": "bulk"})
        jobs = await self.upload(documents, made["id"])
        await self._bench.api.call("POST", f"/batches/{made['id']}/close")
        return jobs

    async def upload(self, documents: Sequence[Document], batch: str | None = None) -> list[dict[str, Any]]:
        """Send the files; the API's response for each."""
        jobs: list[dict[str, Any]] = []
        for start in range(0, len(documents), FILES_IN_REQUEST):
            some = documents[start : start + FILES_IN_REQUEST]
            files = [(document.name, io.BytesIO(document.content)) for document in some]
            answer = await self._bench.api.upload(self.name, files, uuid.uuid4().hex, batch)
            jobs += answer["documents"]
        return jobs

    async def counts(self) -> dict[str, int]:
        """Documents by state."""
        found = await self._bench.api.call("GET", f"/knowledge-bases/{self.name}")
        counts: dict[str, int] = found["documents"]
        return counts

    async def until_ready(self, jobs: Sequence[dict[str, Any]]) -> None:
        """Wait for the runs' ends in Temporal's long polls: polling the API would slow what is timed.

        The API decides in the end. Raises WorkflowFailureError or RuntimeError when a document cannot be used.
        """
        if await self._all_ready():
            return
        for job in jobs:
            await self.result(job)
        if not await self._all_ready():
            raise RuntimeError(f"not all documents are ready: {await self.counts()}")

    async def _all_ready(self) -> bool:
        counts = await self.counts()
        return counts.get("ready", 0) == counts["total"]

    async def add(self, documents: Sequence[Document]) -> tuple[Run, list[dict[str, Any]]]:
        """Upload and wait, timed."""
        began = time.perf_counter()
        jobs = await self.upload(documents)
        await self.until_ready(jobs)
        seconds = time.perf_counter() - began
        results = [await self.result(job) for job in jobs]
        characters = sum(document.characters for document in documents)
        return Run(seconds, characters, sum(result.chunks for result in results)), jobs

    async def result(self, job: dict[str, Any]) -> IngestResult:
        """The result of the document's workflow; a batch may be about to start it."""
        id = ingest_id(job["id"], job["version"])
        handle = self._bench.temporal.get_workflow_handle(id, result_type=IngestResult)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                result: IngestResult = await handle.result()
                return result
            except RPCError as exc:
                if exc.status is not RPCStatusCode.NOT_FOUND or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)

    async def rows(self, job: dict[str, Any]) -> int:
        """The number of rows in Milvus of the document's version."""
        record = await self._bench.stores.catalog.knowledge_bases.get(self.name)
        generation = await self._bench.stores.catalog.knowledge_bases.generation(record.id)
        return await self._bench.stores.milvus.count(generation.collection, job["id"], job["version"])

    async def runs(self) -> int:
        """The number of ingestions that were ever started for it."""
        return (await self._bench.temporal.count_workflows(self._ingesting())).count

    async def busy(self) -> int:
        """The number of ingestions in flight."""
        return (await self._bench.temporal.count_workflows(self._ingesting("ExecutionStatus = 'Running'"))).count

    async def drop(self) -> None:
        """Delete it and wait for the end, so that none of its work is in flight during the next bench."""
        job = await self._bench.api.call("DELETE", f"/knowledge-bases/{self.name}")
        await self._bench.temporal.get_workflow_handle(job["workflow_id"]).result()

    async def stop(self) -> None:
        """Cancel work in flight and delete the knowledge base."""
        await self.cancel()
        await self.drop()

    async def cancel(self) -> None:
        """Cancel work in flight, and wait for its end."""
        deadline = time.monotonic() + STOP_SECONDS
        query = f"ExecutionStatus = 'Running' AND KnowledgeBase = '{self.name}'"
        while runs := [run async for run in self._bench.temporal.list_workflows(query)]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(runs)} runs of {self.name} do not end")
            for run in runs:
                with suppress(RPCError):  # it has ended in the meantime
                    await self._bench.temporal.get_workflow_handle(run.id).cancel()
            await asyncio.sleep(0.5)

    def _ingesting(self, condition: str = "") -> str:
        parts = ("WorkflowType = 'IngestDocument'", f"KnowledgeBase = '{self.name}'", condition)
        return " AND ".join(filter(None, parts))


async def history(bench: Bench, job: dict[str, Any]) -> tuple[int, int, Spent]:
    """Events and bytes of a run's history, and its seconds by step: waiting for a worker counts as ``queue``."""
    handle = bench.temporal.get_workflow_handle(ingest_id(job["id"], job["version"]))
    info = (await handle.describe()).raw_description.workflow_execution_info
    spent, scheduled, started = Spent(), {}, {}
    async for event in handle.fetch_history_events():
        at = event.event_time.ToMicroseconds() / 1e6
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled[event.event_id] = (event.activity_task_scheduled_event_attributes.activity_type.name, at)
        elif event.HasField("activity_task_started_event_attributes"):
            id = event.activity_task_started_event_attributes.scheduled_event_id
            started[id] = at
            spent.add("queue", at - scheduled[id][1])
        elif event.HasField("activity_task_completed_event_attributes"):
            id = event.activity_task_completed_event_attributes.scheduled_event_id
            spent.add(scheduled[id][0], at - started[id])
    return info.history_length, info.history_size_bytes, spent
