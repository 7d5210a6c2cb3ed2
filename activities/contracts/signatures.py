"""Signatures of the activities, by which workflows call them.

The implementations carry the same names, and a test holds the two together. These are never run.
"""

from __future__ import annotations

from temporalio import activity

from activities.contracts.batches import (
    BatchCount,
    BatchInput,
    Finished,
    FinishedInput,
    NextDocuments,
    NextDocumentsInput,
    SettleBatchInput,
    Unpacked,
    UnpackInput,
)
from activities.contracts.deletion import (
    KnowledgeBaseInput,
    Purged,
    PurgeInput,
    Removed,
    RemoveInput,
    Stopped,
    StopRunsInput,
)
from activities.contracts.ingest import (
    Chunked,
    ChunkInput,
    Embedded,
    EmbedInput,
    FailureRecorded,
    HoldInput,
    Indexed,
    IndexInput,
    Parsed,
    ParseInput,
    Published,
    PublishInput,
    RecordFailureInput,
)
from activities.contracts.questions import (
    Answered,
    AnswerInput,
    RecordAnswerInput,
    Retrieved,
    RetrieveInput,
    Waited,
    WaitInput,
)
from activities.contracts.reconcile import Looked, LookInput, RecordReconcileInput


@activity.defn(name="parse")
async def parse(job: ParseInput) -> Parsed: ...  # type: ignore[empty-body]


@activity.defn(name="chunk")
async def chunk(job: ChunkInput) -> Chunked: ...  # type: ignore[empty-body]


@activity.defn(name="embed")
async def embed(job: EmbedInput) -> Embedded: ...  # type: ignore[empty-body]


@activity.defn(name="index")
async def index(job: IndexInput) -> Indexed: ...  # type: ignore[empty-body]


@activity.defn(name="publish")
async def publish(job: PublishInput) -> Published: ...  # type: ignore[empty-body]


@activity.defn(name="record_failure")
async def record_failure(job: RecordFailureInput) -> FailureRecorded: ...  # type: ignore[empty-body]


@activity.defn(name="purge_rows")
async def purge_rows(job: PurgeInput) -> Purged: ...  # type: ignore[empty-body]


@activity.defn(name="remove_document")
async def remove_document(job: RemoveInput) -> Removed: ...  # type: ignore[empty-body]


@activity.defn(name="drop_collections")
async def drop_collections(job: KnowledgeBaseInput) -> Purged: ...  # type: ignore[empty-body]


@activity.defn(name="remove_documents")
async def remove_documents(job: KnowledgeBaseInput) -> Removed: ...  # type: ignore[empty-body]


@activity.defn(name="hold")
async def hold(job: HoldInput) -> None: ...


@activity.defn(name="stop_runs")
async def stop_runs(job: StopRunsInput) -> Stopped: ...  # type: ignore[empty-body]


@activity.defn(name="unpack")
async def unpack(job: UnpackInput) -> Unpacked: ...  # type: ignore[empty-body]


@activity.defn(name="next_documents")
async def next_documents(job: NextDocumentsInput) -> NextDocuments: ...  # type: ignore[empty-body]


@activity.defn(name="finished_documents")
async def finished_documents(job: FinishedInput) -> Finished: ...  # type: ignore[empty-body]


@activity.defn(name="close_batch")
async def close_batch(job: BatchInput) -> None: ...


@activity.defn(name="settle_batch")
async def settle_batch(job: SettleBatchInput) -> None: ...


@activity.defn(name="cancel_queued")
async def cancel_queued(job: BatchInput) -> BatchCount: ...  # type: ignore[empty-body]


@activity.defn(name="requeue_failed")
async def requeue_failed(job: BatchInput) -> BatchCount: ...  # type: ignore[empty-body]


@activity.defn(name="wait_for_index")
async def wait_for_index(job: WaitInput) -> Waited: ...  # type: ignore[empty-body]


@activity.defn(name="retrieve")
async def retrieve(job: RetrieveInput) -> Retrieved: ...  # type: ignore[empty-body]


@activity.defn(name="answer")
async def answer(job: AnswerInput) -> Answered: ...  # type: ignore[empty-body]


@activity.defn(name="record_answer")
async def record_answer(job: RecordAnswerInput) -> None: ...


@activity.defn(name="mend_batches")
async def mend_batches(job: LookInput) -> Looked: ...  # type: ignore[empty-body]


@activity.defn(name="mend_documents")
async def mend_documents(job: LookInput) -> Looked: ...  # type: ignore[empty-body]


@activity.defn(name="mend_runs")
async def mend_runs(job: LookInput) -> Looked: ...  # type: ignore[empty-body]


@activity.defn(name="mend_deletions")
async def mend_deletions(job: LookInput) -> Looked: ...  # type: ignore[empty-body]


@activity.defn(name="mend_collections")
async def mend_collections(job: LookInput) -> Looked: ...  # type: ignore[empty-body]


@activity.defn(name="mend_rows")
async def mend_rows(job: LookInput) -> Looked: ...  # type: ignore[empty-body]


@activity.defn(name="mend_blobs")
async def mend_blobs(job: LookInput) -> Looked: ...  # type: ignore[empty-body]


@activity.defn(name="record_reconcile")
async def record_reconcile(job: RecordReconcileInput) -> None: ...
