"""Control of batches: pause, resume, cancel, retry what failed, set the parallelism."""

from __future__ import annotations

from activities.contracts.ids import batch_workflow_id
from activities.contracts.stages import ACTIVE
from activities.errors import WrongState
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch
from api.background.dispatcher import Dispatcher, batch_job
from workflows.client.jobs import Jobs
from workflows.contracts import BatchJob


class BatchControl:
    """Each request reaches the batch's run, and starts it if need be. Raises WrongState and DependencyErrors."""

    def __init__(self, catalog: Catalog, jobs: Jobs, dispatcher: Dispatcher) -> None:
        self._catalog, self._jobs, self._dispatcher = catalog, jobs, dispatcher

    async def signal(self, batch: Batch, name: str, actor: str) -> None:
        """Tell a batch that goes on: ``pause``, ``resume`` or ``cancel``."""
        await self._signal(batch, name, actor)
        await self._audit(batch, name, actor)

    async def set_parallelism(self, batch: Batch, documents: int, actor: str) -> None:
        """How many documents are under way at once."""
        await self._signal(batch, "set_parallelism", documents, actor)
        await self._audit(batch, "set-parallelism", actor, parallelism=documents)

    async def close(self, batch: Batch, actor: str) -> bool:
        """No more documents are coming. False when none ever came: then the batch is forgotten."""
        if await self._catalog.batches.discard(batch.id, closed_by=actor):
            return False
        await self._catalog.batches.close(batch.id, actor)
        self._dispatcher.hint(batch.id)
        return True

    async def retry_failed(self, batch: Batch, actor: str) -> None:
        """Start its failed and canceled documents again, also when the batch was at its end."""
        await self._jobs.batch(await self._job(batch), "retry_failed", actor)
        await self._catalog.batches.reopen(batch)
        await self._audit(batch, "retry-failed", actor)

    async def _signal(self, batch: Batch, name: str, *arguments: object) -> None:
        if batch.state not in ACTIVE:
            raise WrongState(state=batch.state)
        if await self._jobs.signal(batch_workflow_id(batch.id), name, *arguments):
            return
        if not await self._jobs.batch(await self._job(batch), name, *arguments, again=False):
            raise WrongState(state=(await self._catalog.batches.get(batch.id)).state)
        await self._catalog.batches.dispatched(batch.id)  # a batch that has a run is not forgotten when it is closed

    async def _job(self, batch: Batch) -> BatchJob:
        return batch_job(batch, (await self._catalog.knowledge_bases.by_id(batch.knowledge_base_id)).name)

    async def _audit(self, batch: Batch, action: str, actor: str, **detail: object) -> None:
        await self._catalog.audit.control(actor, f"batch.{action}", batch.knowledge_base_id, batch.id, **detail)
