"""Activities that record a version's outcome in the catalogue (live, failed, paused)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from temporalio import activity

from activities.contracts.deletion import Purged, PurgeInput
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.ingest import (
    EndRunInput,
    FailureRecorded,
    PauseInput,
    Published,
    PublishInput,
    RecordFailureInput,
    RunEnded,
)
from activities.contracts.reindex import Target
from activities.contracts.stages import DocumentState
from activities.runtime.heartbeat import heartbeating
from activities.stores.catalog.catalog import Catalog


class PublishActivities:
    """Runs on the ``store`` queue."""

    def __init__(
        self,
        catalog: Catalog,
        purge: Callable[[PurgeInput], Awaitable[Purged]],
        is_served: Callable[[EmbeddingModel | None], Awaitable[bool]],
    ) -> None:
        """``purge`` is the activity that deletes a version's rows; ``is_served`` says if Triton has a model."""
        self._catalog, self._purge, self._is_served = catalog, purge, is_served

    @activity.defn(name="publish")
    @heartbeating
    async def publish(self, input: PublishInput) -> Published:
        """Makes the version live, in one transaction; it is ready when the rows of the replaced one are purged."""
        if input.record_only:
            return await self._record_built(input)
        if not input.knowledge_base_id:  # of a run from before the field existed, which purges by itself
            return await self._catalog.documents.publish(input)
        published = await self._catalog.documents.publish(input, purged=False)
        if await self._give_up(input.knowledge_base_id, published.also):
            published = await self._catalog.documents.publish(input, purged=False)
        if published.retired:
            await self._purge(
                PurgeInput(
                    knowledge_base_id=input.knowledge_base_id,
                    document_id=input.document_id,
                    versions=published.retired,
                )
            )
            await self._catalog.documents.publish(input)
        return Published(live=published.live, also=published.also)

    async def _give_up(self, knowledge_base_id: str, targets: Sequence[Target]) -> bool:
        """Gives up the generations that are kept as a way back, and whose model cannot be used any more."""
        given_up = [
            await self._catalog.generations.give_up(knowledge_base_id, target.generation)
            for target in targets
            if not await self._is_served(target.embedding)
        ]
        return any(given_up)

    async def _record_built(self, input: PublishInput) -> Published:
        """Records a live version in a generation that is being built; purges its rows if it is no longer live."""
        live = await self._catalog.generations.record_built(input)
        if not live:
            await self._purge(
                PurgeInput(
                    knowledge_base_id=input.knowledge_base_id, document_id=input.document_id, versions=[input.version]
                )
            )
        return Published(live=live)

    @activity.defn(name="hold")
    async def record_pause(self, input: PauseInput) -> None:
        """Records that a version's run was paused or resumed."""
        await self._catalog.documents.record_pause(input.document_id, input.version, paused=input.paused)

    @activity.defn(name="end_run")
    @heartbeating
    async def end_run(self, input: EndRunInput) -> RunEnded:
        """Ends the run of a version that failed or was canceled: purges its rows, then records the reason."""
        ends_unpublished = await self._catalog.documents.end_run(input.document_id, input.version, input.run)
        if ends_unpublished:
            await self._purge(
                PurgeInput(
                    knowledge_base_id=input.knowledge_base_id, document_id=input.document_id, versions=[input.version]
                )
            )
        state: DocumentState = "canceled" if input.canceled else "failed"
        await self._catalog.documents.finish(input.document_id, input.version, state, input.reason, input.run)
        return RunEnded(live=not ends_unpublished)

    @activity.defn(name="record_failure")
    async def record_failure(self, input: RecordFailureInput) -> FailureRecorded:
        """Records why a version failed or was canceled, for runs from before ``end_run``."""
        state: DocumentState = "canceled" if input.canceled else "failed"
        published = await self._catalog.documents.finish(input.document_id, input.version, state, input.reason)
        return FailureRecorded(purge=not published)
