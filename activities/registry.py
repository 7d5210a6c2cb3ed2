"""The activities that serve each task queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from activities.answering.answer import AnswerActivities
from activities.answering.generation import GenerationPrefetch
from activities.answering.retrieve import RetrieveActivities
from activities.answering.rewrite import Rewriter
from activities.answering.trial import Trials
from activities.answering.wait_for_index import WaitActivities
from activities.contracts.queues import Queue
from activities.histories.archive import HistoryActivities
from activities.histories.telling import OutsideActivities
from activities.ingest.batches import BatchActivities
from activities.ingest.bulk import BulkActivities
from activities.ingest.chunk import ChunkActivities
from activities.ingest.deletion import DeletionActivities
from activities.ingest.embed import EmbedActivities
from activities.ingest.failures import FailureActivities
from activities.ingest.index import IndexActivities
from activities.ingest.models import model_of, unload_unused, usable_card
from activities.ingest.parse import ParseActivities
from activities.ingest.publish import PublishActivities
from activities.ingest.unpack import UnpackActivities
from activities.reconcile.audit_log import AuditLogActivities
from activities.reconcile.blobs import BlobRepairActivities
from activities.reconcile.files import FileRepairActivities
from activities.reconcile.rows import RowRepairActivities
from activities.reconcile.runs import RunRepairActivities
from activities.reindex.gate import GateActivities
from activities.reindex.generations import GenerationActivities
from activities.reindex.many import ManyReindexesActivities
from activities.reindex.plan import PlanActivities
from activities.reindex.verify import VerifyActivities
from activities.retrieval.retriever import Retriever
from activities.runtime.lanes import Lane
from activities.schedules.retention import RetentionActivities
from activities.schedules.runs import ScheduledRunActivities
from activities.settings import Settings
from activities.stores.connections import Stores
from activities.sync.steps import SyncActivities
from activities.webhooks.addresses import Gate
from activities.webhooks.deliver import WebhookActivities
from activities.webhooks.sender import Sender


def activities_of(queue: str, stores: Stores, settings: Settings) -> list[Callable[..., Any]]:
    """The activities of a task queue, bound to their stores. Raises ValueError for a queue without activities."""
    if queue == Queue.CPU:
        return _reading(stores, settings)
    unload = partial(unload_unused, stores.catalog, stores.triton)
    deleting = DeletionActivities(stores.blobs, stores.milvus, stores.catalog, unload)
    publishing = PublishActivities(stores.catalog, deleting.purge_rows, stores.triton.is_served)
    indexing = IndexActivities(
        stores.blobs, stores.milvus, stores.catalog, publishing.publish, Lane(settings.worker.store_slots)
    )
    if queue == Queue.GPU:
        lane = Lane(settings.worker.gpu_slots)
        embedding = EmbedActivities(stores.blobs, stores.triton, stores.catalog, settings.embed, indexing.index, lane)
        return [embedding.embed]
    if queue == Queue.STORE:
        batches = BatchActivities(stores.catalog)
        bulk = BulkActivities(stores.catalog)
        return [
            indexing.index,
            publishing.publish,
            publishing.record_pause,
            publishing.end_run,
            publishing.record_failure,
            deleting.stop_runs,
            deleting.purge_rows,
            deleting.drop_collections,
            deleting.remove_document,
            deleting.remove_documents,
            batches.next_documents,
            batches.finished_documents,
            batches.close_batch,
            batches.record_batch_state,
            batches.cancel_queued,
            batches.requeue_failed,
            bulk.change_documents,
            bulk.purge_documents,
            FailureActivities(stores.catalog).requeue_failures,
            *_reindexing(stores, unload),
            *_scheduled(stores),
            SyncActivities(stores.blobs, stores.catalog, settings).record_sync,
            *_repairing(stores, settings),
        ]
    if queue == Queue.ANSWER:
        retriever = Retriever(stores.milvus, stores.triton, stores.catalog)
        rewriter = Rewriter(stores.triton, settings.generate)
        prefetch = GenerationPrefetch(stores.triton, settings.generate)
        retrieving = RetrieveActivities(retriever, stores.blobs, stores.catalog, rewriter, prefetch)
        answering = AnswerActivities(stores.blobs, stores.triton, stores.catalog, settings.generate, prefetch)
        waiting = WaitActivities(stores.catalog)
        return [waiting.wait_for_index, retrieving.retrieve, answering.answer, answering.record_answer]
    if queue == Queue.WORKFLOWS:
        delivering = WebhookActivities(stores.catalog, Sender(Gate(settings.webhook.networks())))
        return [delivering.deliver_webhook]
    raise ValueError(f"no activities run on the queue {queue!r}")


def _scheduled(stores: Stores) -> list[Callable[..., Any]]:
    runs = ScheduledRunActivities(stores.catalog, partial(model_of, stores.catalog, stores.triton))
    retention = RetentionActivities(stores.catalog)
    return [
        runs.begin_scheduled,
        runs.record_scheduled,
        runs.look_at_job,
        retention.count_expired,
        retention.list_expired,
        retention.unpublish_expired,
    ]


def _reading(stores: Stores, settings: Settings) -> list[Callable[..., Any]]:
    """The activities on files and texts, which the ``cpu`` queue serves."""
    lane = Lane(settings.worker.cpu_slots)
    chunking = ChunkActivities(stores.blobs, stores.triton, settings.parse, lane)
    begin = stores.catalog.documents.begin_run
    parsing = ParseActivities(stores.blobs, settings.parse, chunking.chunk, begin, lane)
    unpacking = UnpackActivities(stores.blobs, stores.catalog, settings.parse, lane)
    planning = PlanActivities(stores.blobs, stores.triton, stores.catalog, chunking, settings.parse, settings.embed)
    syncing = SyncActivities(stores.blobs, stores.catalog, settings)
    return [
        parsing.parse,
        chunking.chunk,
        unpacking.unpack,
        planning.plan_reindex,
        syncing.list_source,
        syncing.compare_source,
        syncing.apply_changes,
    ]


def _reindexing(stores: Stores, unload: Callable[[], Awaitable[None]]) -> list[Callable[..., Any]]:
    """The activities of a re-index that read and write catalogue and Milvus, in the order of its stages."""
    generations = GenerationActivities(
        stores.blobs, stores.milvus, stores.catalog, unload, partial(usable_card, stores.triton)
    )
    retriever = Retriever(stores.milvus, stores.triton, stores.catalog)
    verifying = VerifyActivities(stores.blobs, stores.milvus, stores.triton, stores.catalog, retriever)
    many = ManyReindexesActivities(stores.catalog, partial(model_of, stores.catalog, stores.triton))
    gate = GateActivities(stores.blobs, stores.catalog, Trials(retriever, stores.triton))
    return [
        generations.record_reindex,
        generations.begin_generation,
        generations.documents_to_build,
        verifying.verify_generation,
        gate.prepare_gate,
        gate.measure_gate,
        gate.judge_gate,
        generations.switch_generation,
        generations.retire_generation,
        many.advance_reindex_all,
        many.control_reindex_all,
    ]


def _repairing(stores: Stores, settings: Settings) -> list[Callable[..., Any]]:
    """The activities of ``Reconcile``, in the order of its stages, and of ``ArchiveHistories``."""
    runs = RunRepairActivities(stores.catalog, stores.milvus)
    rows = RowRepairActivities(stores.blobs, stores.milvus, stores.catalog)
    files = FileRepairActivities(stores.blobs, stores.catalog)
    blobs = BlobRepairActivities(stores.blobs, stores.catalog, settings.reconcile)
    histories = HistoryActivities(stores.blobs, stores.catalog, settings.archive)
    return [
        runs.repair_batches,
        runs.repair_documents,
        runs.repair_questions,
        runs.repair_runs,
        runs.repair_deletions,
        rows.repair_collections,
        rows.repair_rows,
        files.repair_files,
        blobs.expire_versions,
        blobs.repair_blobs,
        OutsideActivities(stores.catalog).tell_outside,
        AuditLogActivities(stores.catalog).check_audit_log,
        blobs.record_reconcile,
        histories.archive_histories,
        histories.expire_histories,
    ]
