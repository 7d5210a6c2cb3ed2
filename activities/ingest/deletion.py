"""Deletion: stop the runs, purge the rows, remove the blobs, forget the document.

It begins only when no run is left that could still write; each purge is verified by counting. Every step asks the
catalogue first: what is not deleted there stays, whoever started the workflow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.contracts.deletion import (
    KnowledgeBaseInput,
    Purged,
    PurgeInput,
    Removed,
    RemoveInput,
    Stopped,
    StopRunsInput,
)
from activities.contracts.ids import batch_workflow_id, ingest_id, reindex_workflow_id, sync_workflow_id
from activities.errors import MilvusUnavailable
from activities.phrases import Phrase
from activities.runtime import temporal
from activities.runtime.heartbeat import Progress, heartbeating, report
from activities.stores.blob_keys import chunks_prefix, original_key, parsed_prefix, vectors_prefix
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.milvus import Milvus

#: Shortest and longest delay between two looks at runs that are stopping, in seconds.
SHORTEST, LONGEST = 0.2, 2.0


class DeletionActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, milvus: Milvus, catalog: Catalog, unload: Callable[[], Awaitable[None]]) -> None:
        """``unload`` unloads the embedding models that no index uses any more."""
        self._blobs, self._milvus, self._catalog, self._unload = blobs, milvus, catalog, unload

    @activity.defn(name="stop_runs")
    @heartbeating
    async def stop_runs(self, input: StopRunsInput) -> Stopped:
        """Cancels the runs of a document, or of a knowledge base with its batches; returns when all have ended.

        An attempt looks once, and fails while runs are left, which sets the time of the next look: the runs need slots
        of this queue to end, so a look must not keep one while it waits. Raises StillInUse.
        """
        details = activity.info().heartbeat_details
        stopped = msgspec.convert(details[0], Progress).done if details else 0
        report(stopped)  # heartbeats carry the number to the next attempt
        runs: list[str] = []
        if input.document_id is None:
            await self._catalog.knowledge_bases.require_deleted(input.knowledge_base_id)
            runs += [batch_workflow_id(id) for id in await self._catalog.batches.active(input.knowledge_base_id)]
            reindexes = await self._catalog.reindexes.unfinished(datetime.now(UTC), input.knowledge_base_id)
            runs += [reindex_workflow_id(each.knowledge_base_id, each.generation) for each in reindexes]
            syncs = await self._catalog.syncs.unfinished(datetime.now(UTC), input.knowledge_base_id)
            runs += [sync_workflow_id(each.source_id, each.occurrence) for each in syncs]
        else:
            await self._catalog.documents.require_deleted(input.document_id)
        versions = await self._catalog.documents.unfinished(input.knowledge_base_id, input.document_id)
        runs += [ingest_id(document, version) for document, version in versions]
        left, canceled = await _cancel(runs, input.actor)
        if left:
            activity.heartbeat(Progress(stopped + canceled))
            raise ApplicationError(
                f"{left} runs have not ended yet",
                type="runs_stopping",
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=timedelta(seconds=min(LONGEST, SHORTEST * activity.info().attempt)),
            )
        return Stopped(runs=stopped)

    @activity.defn(name="purge_rows")
    @heartbeating
    async def purge_rows(self, input: PurgeInput) -> Purged:
        """Deletes rows from every generation and counts what is left; the receipt has the rows before and after.

        Raises StillInUse for all rows of a document that is not deleted.
        """
        before = after = 0
        versions = await self._to_purge(input)
        for generation in await self._catalog.knowledge_bases.generations(input.knowledge_base_id):
            for version in versions:
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
        """Drops every generation of a deleted knowledge base. Raises StillInUse."""
        await self._catalog.knowledge_bases.require_deleted(input.knowledge_base_id)
        before = 0
        for generation in await self._catalog.knowledge_bases.generations(input.knowledge_base_id):
            try:
                before += await self._milvus.count(generation.collection)
            except KeyError:
                continue
            await self._milvus.drop(generation.collection)
        await self._unload()
        return Purged(before=before, after=0)

    @activity.defn(name="remove_document")
    @heartbeating
    async def remove_document(self, input: RemoveInput) -> Removed:
        """Deletes a document's blobs, except those that other documents use, and removes it from the catalogue.

        Raises StillInUse.
        """
        await self._catalog.documents.require_deleted(input.document_id)
        return Removed(blobs=await self._remove(input.document_id))

    @activity.defn(name="remove_documents")
    @heartbeating
    async def remove_documents(self, input: KnowledgeBaseInput) -> Removed:
        """Does the same for all documents of a deleted knowledge base."""
        documents = await self._catalog.documents.of_deleted(input.knowledge_base_id)
        blobs = 0
        for done, document_id in enumerate(documents):
            report(done, len(documents))
            blobs += await self._remove(document_id)
        return Removed(blobs=blobs)

    async def _to_purge(self, input: PurgeInput) -> list[int | None]:
        if input.versions is None:
            await self._catalog.documents.require_deleted(input.document_id)
            return [None]
        live = await self._catalog.documents.live_version(input.document_id)
        return [version for version in input.versions if version != live]

    async def _remove(self, document_id: str) -> int:
        blobs = 0
        for sha256 in {version.sha256 for version in await self._catalog.documents.blobs(document_id)}:
            if await self._catalog.content_locks.begin_removal(sha256, document_id):
                blobs += await remove_content(self._blobs, sha256)
                await self._catalog.content_locks.end_removal(sha256)
        await self._catalog.documents.remove(document_id)
        return blobs


async def _cancel(workflow_ids: Iterable[str], actor: str) -> tuple[int, int]:
    """Cancels those that run; how many run still, and how many of them were canceled just now."""
    client, canceled = activity.client(), 0
    runs = [run for run in await temporal.describe_all(client, workflow_ids) if run is not None]
    running = [run for run in runs if run.status is WorkflowExecutionStatus.RUNNING]
    for run in running:
        if not run.raw_description.workflow_extended_info.cancel_requested:
            canceled += await temporal.cancel(client, run.id, actor, "who deleted it" if actor else "it was deleted")
    return len(running), canceled


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
