"""A retention: counts, lists and takes out of search the documents that were uploaded long ago."""

from __future__ import annotations

from temporalio import activity

from activities.contracts.deletion import DeleteJob
from activities.contracts.retention import Expired, ExpiredInput, ExpiredPage, Unpublished, UnpublishExpiredInput
from activities.runtime.heartbeat import heartbeating
from activities.stores.catalog.catalog import Catalog


class RetentionActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @activity.defn(name="count_expired")
    @heartbeating
    async def count_expired(self, input: ExpiredInput) -> Expired:
        """How many documents there are, match, and are to go."""
        return await self._catalog.old_documents.count(input)

    @activity.defn(name="list_expired")
    @heartbeating
    async def list_expired(self, input: ExpiredInput) -> ExpiredPage:
        """The next documents that are to go, oldest first."""
        return await self._catalog.old_documents.page(input)

    @activity.defn(name="unpublish_expired")
    async def unpublish_expired(self, input: UnpublishExpiredInput) -> Unpublished:
        """Takes documents out of search that are still to go, as DELETE does; returns what is left to purge."""
        deleted = await self._catalog.old_documents.unpublish(input)
        return Unpublished(
            deletions=[
                DeleteJob(
                    knowledge_base_id=input.knowledge_base_id,
                    knowledge_base=input.knowledge_base,
                    document_id=id,
                    document_name=name,
                    actor=input.actor,
                )
                for id, name in deleted
            ]
        )
