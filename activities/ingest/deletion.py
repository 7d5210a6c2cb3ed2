"""Deletion: stop the runs, purge the rows, remove the blobs, forget the document.

It begins only when no run is left that could still write; each purge is verified by counting.
"""

from __future__ import annotations

import asyncio

from temporalio import activity
from temporalio.client import Client

from activities.contracts.deletion import (
    KnowledgeBaseInput,
    Purged,
    PurgeInput,
    Removed,
    RemoveInput,
    Stopped,
    StopRunsInput,
)
from activities.contracts.ids import batch_workflow_id, ingest_id
from activities.errors import MilvusUnavailable
from activities.phrases import Phrase
from activities.runtime import temporal
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.blob_keys import chunks_prefix, original_key, parsed_prefix, vectors_prefix
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.milvus import Milvus

#: Seconds between two polls of a run that is stopping.
LOOK_SECONDS = 0.2


class DeletionActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, milvus: Milvus, catalog: Catalog) -> None:
        self._blobs, self._milvus, self._catalog = blobs, milvus, catalog

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

    @activity.defn(name="purge_rows")
    @heartbeating
    async def purge_rows(self, input: PurgeInput) -> Purged:
        """Deletes rows from every generation and counts what is left; the receipt has the rows before and after."""
        before = after = 0
        for generation in await self._catalog.knowledge_bases.generations(input.knowledge_base_id):
            for version in input.versions if input.versions is not None else [None]:
                try:
                    before += await self._milvus.count(generation.collection, input.document_id, version)
                    await self._milvus.delete(generation.collection, input.document_id, version)
                    after += await self._milvus.count(generation.collection, input.document_id, version)
                except KeyError:
                    continue  # the generation has no collection yet
        if after:
            raise MilvusUnavailable(detail=Phrase.ROWS_LEFT, rows=after)
        return Purged(before=before, after=after)

    @activity.defn(name="drop_collections")
    @heartbeating
    async def drop_collections(self, input: KnowledgeBaseInput) -> Purged:
        """Drops every generation of a deleted knowledge base."""
        before = 0
        for generation in await self._catalog.knowledge_bases.generations(input.knowledge_base_id):
            try:
                before += await self._milvus.count(generation.collection)
            except KeyError:
                continue
            await self._milvus.drop(generation.collection)
        return Purged(before=before, after=0)

    @activity.defn(name="remove_document")
    @heartbeating
    async def remove_document(self, input: RemoveInput) -> Removed:
        """Deletes a document's blobs, except those that other documents use, and removes it from the catalogue."""
        return Removed(blobs=await self._remove(input.document_id))

    @activity.defn(name="remove_documents")
    @heartbeating
    async def remove_documents(self, input: KnowledgeBaseInput) -> Removed:
        """Does the same for all documents of a deleted knowledge base."""
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


async def _stop(client: Client, workflow_id: str) -> bool:
    """Cancels a run and waits until it has ended; whether it was running."""
    if not await temporal.is_running(client, workflow_id) or not await temporal.cancel(client, workflow_id):
        return False
    while await temporal.is_running(client, workflow_id):  # noqa: ASYNC110 - polls a remote service
        await asyncio.sleep(LOOK_SECONDS)
    return True


async def remove_content(blobs: Blobs, sha256: str) -> int:
    """Deletes the uploaded bytes and every blob derived from them; returns how many there were."""
    keys = [original_key(sha256)]
    for parsed_key in await blobs.list(parsed_prefix(sha256)):
        keys.append(parsed_key)
        for chunks_key in await blobs.list(chunks_prefix(parsed_key)):
            keys.append(chunks_key)
            keys += await blobs.list(vectors_prefix(chunks_key))
    for key in reversed(keys):
        await blobs.delete(key)
    return len(keys)
