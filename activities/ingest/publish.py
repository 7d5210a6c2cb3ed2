"""Activities that record a version's outcome in the catalogue (live, failed, paused)."""

from __future__ import annotations

from temporalio import activity

from activities.contracts.ingest import FailureRecorded, PauseInput, Published, PublishInput, RecordFailureInput
from activities.contracts.stages import DocumentState
from activities.stores.catalog.catalog import Catalog


class PublishActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @activity.defn(name="publish")
    async def publish(self, input: PublishInput) -> Published:
        """Makes the version live, in one transaction."""
        return await self._catalog.documents.publish(input)

    @activity.defn(name="hold")
    async def record_pause(self, input: PauseInput) -> None:
        """Records that a version's run was paused or resumed."""
        await self._catalog.documents.record_pause(input.document_id, input.version, paused=input.paused)

    @activity.defn(name="record_failure")
    async def record_failure(self, input: RecordFailureInput) -> FailureRecorded:
        """Records why a version failed or was canceled."""
        state: DocumentState = "canceled" if input.canceled else "failed"
        published = await self._catalog.documents.finish(input.document_id, input.version, state, input.reason)
        return FailureRecorded(purge=not published)
