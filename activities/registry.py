"""The stores of a process, and which activities run on which task queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from activities.answer import AnswerActivities
from activities.batch import BatchActivities
from activities.chunk import ChunkActivities
from activities.contracts import Queue
from activities.drafts import GenerationPrefetch
from activities.embed import EmbedActivities
from activities.index import IndexActivities
from activities.mend_blobs import MendBlobActivities
from activities.mend_rows import MendRowActivities
from activities.mend_runs import MendRunActivities
from activities.parse import ParseActivities
from activities.publish import PublishActivities
from activities.retrieve import RetrieveActivities, Retriever
from activities.rewrite import Rewriter
from activities.runs import RunActivities
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog import Catalog
from activities.stores.milvus import Milvus
from activities.stores.triton import Triton
from activities.unpack import UnpackActivities
from activities.waiting import WaitActivities


@dataclass(frozen=True)
class Stores:
    """One client of each external service."""

    blobs: Blobs
    catalog: Catalog
    milvus: Milvus
    triton: Triton

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, interactive: bool = False) -> AsyncIterator[Stores]:
        """Build the clients, none of which connects before it is used; close them at the end.

        ``interactive`` is for processes in which people wait for every write.
        """
        stores = cls(
            blobs=Blobs(settings.blobs_url),
            catalog=Catalog(settings.catalog_url, checkpoints=not interactive),
            milvus=Milvus(settings.milvus.uri, settings.milvus.token),
            triton=Triton(settings.triton.address, reranks=bool(settings.rerank.model)),
        )
        try:
            yield stores
        finally:
            await stores.milvus.close()
            await stores.triton.close()
            await stores.catalog.close()


def activities_of(queue: str, stores: Stores, settings: Settings) -> list[Callable[..., Any]]:
    """The activities of a task queue."""
    if queue == Queue.CPU:
        chunking = ChunkActivities(stores.blobs, stores.triton)
        parsing = ParseActivities(stores.blobs, settings.parse, chunking.chunk)
        unpacking = UnpackActivities(stores.blobs, stores.catalog, settings.parse)
        return [parsing.parse, chunking.chunk, unpacking.unpack]
    publishing = PublishActivities(stores.blobs, stores.catalog)
    indexing = IndexActivities(stores.blobs, stores.milvus, stores.catalog, publishing.publish)
    if queue == Queue.GPU:
        return [EmbedActivities(stores.blobs, stores.triton, stores.catalog, settings.embed, indexing.index).embed]
    if queue == Queue.STORE:
        batches = BatchActivities(stores.catalog)
        return [
            indexing.index,
            indexing.purge_rows,
            indexing.drop_collections,
            publishing.publish,
            publishing.hold,
            publishing.record_failure,
            publishing.remove_document,
            publishing.remove_documents,
            RunActivities(stores.catalog).stop_runs,
            batches.next_documents,
            batches.finished_documents,
            batches.close_batch,
            batches.settle_batch,
            batches.cancel_queued,
            batches.requeue_failed,
            *_mending(stores),
        ]
    if queue == Queue.ANSWER:
        retriever = Retriever(stores.milvus, stores.triton, stores.catalog)
        rewriter = Rewriter(stores.triton, settings.generate)
        prefetch = GenerationPrefetch(stores.triton, settings.generate)
        retrieving = RetrieveActivities(retriever, stores.blobs, stores.catalog, rewriter, prefetch)
        answering = AnswerActivities(stores.blobs, stores.triton, stores.catalog, settings.generate, prefetch)
        waiting = WaitActivities(stores.catalog)
        return [waiting.wait_for_index, retrieving.retrieve, answering.answer, answering.record_answer]
    raise ValueError(f"no activities run on the queue {queue!r}")


def _mending(stores: Stores) -> list[Callable[..., Any]]:
    """What `Reconcile` does, stage by stage."""
    runs = MendRunActivities(stores.catalog, stores.milvus)
    rows = MendRowActivities(stores.blobs, stores.milvus, stores.catalog)
    blobs = MendBlobActivities(stores.blobs, stores.catalog)
    return [
        runs.mend_batches,
        runs.mend_documents,
        runs.mend_runs,
        runs.mend_deletions,
        rows.mend_collections,
        rows.mend_rows,
        blobs.mend_blobs,
        blobs.record_reconcile,
    ]
