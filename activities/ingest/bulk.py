"""Activities of a change of many documents: makes the change, and has the data of deleted documents removed."""

from __future__ import annotations

import time

from temporalio import activity

from activities.contracts.bulk import BulkInput, BulkSlice
from activities.contracts.deletion import DeleteJob
from activities.runtime import starts
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.catalog.catalog import Catalog

#: Documents of one transaction, and seconds after which an activity gives its slot back.
STEP, SLICE_SECONDS = 100, 10.0

#: Seconds until the next look: at documents that are tried again, and at data that are being removed.
RETRY_SECONDS, PURGE_SECONDS = 2.0, 0.5


class BulkActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog) -> None:
        self._changes = catalog.bulk_changes

    @activity.defn(name="change_documents")
    @heartbeating
    async def change_documents(self, input: BulkInput) -> BulkSlice:
        """Changes documents until all are, or the slice is over; each step is one transaction."""
        began = time.monotonic()
        while True:
            step = await self._changes.step(input.bulk_id, STEP)
            report(step.done)
            if step.ended or step.waits or time.monotonic() - began > SLICE_SECONDS:
                return BulkSlice(
                    ended=step.ended,
                    wait_seconds=RETRY_SECONDS if step.waits else 0.0,
                    done=step.done,
                    canceled_by=step.canceled_by,
                )

    @activity.defn(name="purge_documents")
    @heartbeating
    async def purge_documents(self, input: BulkInput) -> BulkSlice:
        """Starts the removal of some documents that the change deleted; it has ended when none is left."""
        left = await self._changes.to_purge(input.bulk_id)
        for done, document in enumerate(left):
            report(done, len(left))
            job = DeleteJob(
                knowledge_base_id=document.knowledge_base_id,
                knowledge_base=document.knowledge_base,
                document_id=document.id,
                document_name=document.name,
                actor=document.deleted_by,
            )
            await starts.delete_document(activity.client(), job)
        return BulkSlice(ended=not left, wait_seconds=PURGE_SECONDS if left else 0.0)
