"""Looks for work that nobody does: pending documents and batches without a run, while a chaos run goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.ids import batch_workflow_id, ingest_id
from activities.contracts.stages import ACTIVE
from activities.errors import HoldfastError
from activities.runtime.temporal import connect
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Document
from tests.chaos.clients import KNOWLEDGE_BASE
from tests.chaos.sites import Site

PAUSE_SECONDS = 15
LOOKS = 8
"""A document seen so often in a row without a run was left alone: for two minutes, not counting looks that failed."""


class Stranded:
    """``left`` names what had no run for LOOKS looks in a row, in whatever state it is afterwards."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: Counter[str] = Counter()
        self.left: set[str] = set()

    async def __aenter__(self) -> Self:
        settings = self._site.platforms[0].settings
        self._catalog = Catalog(settings.catalog_url)
        self._temporal = await connect(settings.temporal)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._catalog.close()

    async def look(self) -> None:
        """Look again and again until canceled."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    without = await self._without_run()
            except (TimeoutError, HoldfastError, RPCError):
                continue  # a server is away: this look says nothing
            self._seen = Counter({each: self._seen[each] + 1 for each in without})
            self.left |= {each for each, times in self._seen.items() if times >= LOOKS}

    async def _without_run(self) -> list[str]:
        knowledge_base = await self._catalog.knowledge_bases.get(KNOWLEDGE_BASE)
        documents = await self._catalog.documents.page(knowledge_base.id, None, None, 100_000)
        pending = [each for each in documents if each.state in ("queued", "running", "waiting")]
        return [f"{each.name} ({each.state})" for each in pending if not await self._has_run(each)]

    async def _has_run(self, document: Document) -> bool:
        """Its own, or that of its batch, which has not come to it yet."""
        if await runs(self._temporal, ingest_id(document.id, document.version)):
            return True
        if document.state != "queued" or document.batch_id is None:
            return False
        batch = await self._catalog.batches.get(document.batch_id)
        return batch.state in ACTIVE and await runs(self._temporal, batch_workflow_id(batch.id))


async def runs(temporal: Client, workflow_id: str) -> bool:
    """Whether a workflow is running."""
    try:
        description = await temporal.get_workflow_handle(workflow_id).describe()
    except RPCError as exc:
        if exc.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status == WorkflowExecutionStatus.RUNNING
