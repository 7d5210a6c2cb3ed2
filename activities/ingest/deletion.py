"""Stops the runs of a document or knowledge base: a deletion starts only when no run can write any more."""

from __future__ import annotations

import asyncio

from temporalio import activity
from temporalio.client import Client

from activities.contracts.deletion import Stopped, StopRunsInput
from activities.contracts.ids import batch_workflow_id, ingest_id
from activities.runtime import temporal
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.catalog.catalog import Catalog

#: Seconds between two polls of a run that is stopping.
LOOK_SECONDS = 0.2


class RunActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @activity.defn(name="stop_runs")
    @heartbeating
    async def stop_runs(self, input: StopRunsInput) -> Stopped:
        """Cancels the runs of a document, or of a knowledge base with its batches, and waits until they have ended."""
        client = activity.client()
        stopped = 0
        if input.document_id is None:  # batches first, so that they start no more documents
            for batch in await self._catalog.batches.active(input.knowledge_base_id):
                stopped += await _stop(client, batch_workflow_id(batch))
        documents = await self._catalog.documents.unfinished(input.knowledge_base_id, input.document_id)
        for done, (document, version) in enumerate(documents):
            report(done, len(documents))
            stopped += await _stop(client, ingest_id(document, version))
        return Stopped(runs=stopped)


async def _stop(client: Client, workflow_id: str) -> bool:
    """Cancels a run and waits until it has ended; whether it was running."""
    if not await temporal.is_running(client, workflow_id) or not await temporal.cancel(client, workflow_id):
        return False
    while await temporal.is_running(client, workflow_id):  # noqa: ASYNC110 - polls a remote service
        await asyncio.sleep(LOOK_SECONDS)
    return True
