"""Activities that record a version's outcome in the catalogue (live, failed, paused) and remove documents."""

from __future__ import annotations

from temporalio import activity

from activities.contracts.deletion import KnowledgeBaseInput, Removed, RemoveInput
from activities.contracts.ingest import FailureRecorded, PauseInput, Published, PublishInput, RecordFailureInput
from activities.contracts.stages import DocumentState
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.blob_keys import digest, original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog


class PublishActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog) -> None:
        self._blobs, self._catalog = blobs, catalog

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

    @activity.defn(name="remove_document")
    @heartbeating
    async def remove_document(self, input: RemoveInput) -> Removed:
        """Deletes a document's catalogue rows, and its blobs except those that other documents use."""
        return Removed(blobs=await self._remove(input.document_id))

    @activity.defn(name="remove_documents")
    @heartbeating
    async def remove_documents(self, input: KnowledgeBaseInput) -> Removed:
        """Removes all documents of a deleted knowledge base, like ``remove_document``. Progress counts documents."""
        documents = await self._catalog.documents.deleted(input.knowledge_base_id)
        blobs = 0
        for done, document_id in enumerate(documents):
            report(done, len(documents))
            blobs += await self._remove(document_id)
        return Removed(blobs=blobs)

    async def _remove(self, document_id: str) -> int:
        blobs = 0
        for sha256 in {version.sha256 for version in await self._catalog.documents.blobs(document_id)}:
            if await self._catalog.content_locks.begin_removal(sha256, document_id):
                blobs += await remove_content(self._blobs, sha256)
                await self._catalog.content_locks.end_removal(sha256)
        await self._catalog.documents.remove(document_id)
        return blobs


async def remove_content(blobs: Blobs, sha256: str) -> int:
    """Deletes the uploaded bytes and every blob derived from them; returns the number of keys.

    The prefixes of derived blobs follow from the key of the blob they were made from, so that none is missed.
    """
    keys = [original_key(sha256)]
    for parsed_key in await blobs.list(f"parsed/{sha256}"):
        keys.append(parsed_key)
        for chunks_key in await blobs.list(f"chunks/{digest(parsed_key)}"):
            keys.append(chunks_key)
            keys += await blobs.list(f"vectors/{digest(chunks_key)}")
    for key in reversed(keys):
        await blobs.delete(key)
    return len(keys)
