"""Signatures of the activities, through which workflows call them.

These functions never run; the implementations have the same names and types, which a test checks.
"""

from __future__ import annotations

from temporalio import activity

from activities.contracts.batches import (
    BatchCount,
    BatchInput,
    CancelQueuedInput,
    Finished,
    FinishedInput,
    NextDocuments,
    NextDocumentsInput,
    QueuedCanceled,
    RecordBatchStateInput,
    Unpacked,
    UnpackInput,
)
from activities.contracts.bulk import BulkInput, BulkSlice
from activities.contracts.deletion import (
    KnowledgeBaseInput,
    Purged,
    PurgeInput,
    Removed,
    RemoveInput,
    Stopped,
    StopRunsInput,
)
from activities.contracts.failures import FailuresRequeued, RequeueFailuresInput
from activities.contracts.gate import JudgeInput, Measured, MeasureInput, QuestionSet, Verdict
from activities.contracts.histories import ArchiveInput, ArchiveSlice, ExpireInput, ExpireSlice
from activities.contracts.ingest import (
    Chunked,
    ChunkInput,
    Embedded,
    EmbedInput,
    EndRunInput,
    FailureRecorded,
    Indexed,
    IndexInput,
    Parsed,
    ParseInput,
    PauseInput,
    Published,
    PublishInput,
    RecordFailureInput,
    RunEnded,
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
from activities.contracts.reconcile import RecordReconcileInput, ScanInput, ScanResult
from activities.contracts.reindex import (
    BuildList,
    BuildListInput,
    RecordReindexInput,
    ReindexInput,
    ReindexPlan,
    Retired,
    RetireInput,
    Switched,
    SwitchInput,
    Verified,
)
from activities.contracts.reindex_all import Advanced, ControlAllInput, ReindexAllInput
from activities.contracts.retention import Expired, ExpiredInput, ExpiredPage, Unpublished, UnpublishExpiredInput
from activities.contracts.schedules import (
    BeginScheduledInput,
    JobSeen,
    LookAtJobInput,
    RecordScheduledInput,
    ScheduledBegun,
)
from activities.contracts.sync import Applied, ApplyInput, Compared, Listed, RecordSyncInput, SyncInput
from activities.contracts.webhooks import Delivered, DeliverInput


@activity.defn(name="parse")
async def parse(input: ParseInput) -> Parsed: ...  # type: ignore[empty-body]


@activity.defn(name="chunk")
async def chunk(input: ChunkInput) -> Chunked: ...  # type: ignore[empty-body]


@activity.defn(name="embed")
async def embed(input: EmbedInput) -> Embedded: ...  # type: ignore[empty-body]


@activity.defn(name="index")
async def index(input: IndexInput) -> Indexed: ...  # type: ignore[empty-body]


@activity.defn(name="publish")
async def publish(input: PublishInput) -> Published: ...  # type: ignore[empty-body]


@activity.defn(name="record_failure")
async def record_failure(input: RecordFailureInput) -> FailureRecorded: ...  # type: ignore[empty-body]


@activity.defn(name="end_run")
async def end_run(input: EndRunInput) -> RunEnded: ...  # type: ignore[empty-body]


@activity.defn(name="purge_rows")
async def purge_rows(input: PurgeInput) -> Purged: ...  # type: ignore[empty-body]


@activity.defn(name="remove_document")
async def remove_document(input: RemoveInput) -> Removed: ...  # type: ignore[empty-body]


@activity.defn(name="drop_collections")
async def drop_collections(input: KnowledgeBaseInput) -> Purged: ...  # type: ignore[empty-body]


@activity.defn(name="remove_documents")
async def remove_documents(input: KnowledgeBaseInput) -> Removed: ...  # type: ignore[empty-body]


@activity.defn(name="hold")
async def record_pause(input: PauseInput) -> None: ...


@activity.defn(name="stop_runs")
async def stop_runs(input: StopRunsInput) -> Stopped: ...  # type: ignore[empty-body]


@activity.defn(name="unpack")
async def unpack(input: UnpackInput) -> Unpacked: ...  # type: ignore[empty-body]


@activity.defn(name="next_documents")
async def next_documents(input: NextDocumentsInput) -> NextDocuments: ...  # type: ignore[empty-body]


@activity.defn(name="finished_documents")
async def finished_documents(input: FinishedInput) -> Finished: ...  # type: ignore[empty-body]


@activity.defn(name="close_batch")
async def close_batch(input: BatchInput) -> None: ...


@activity.defn(name="settle_batch")
async def record_batch_state(input: RecordBatchStateInput) -> None: ...


@activity.defn(name="cancel_queued")
async def cancel_queued(input: CancelQueuedInput) -> QueuedCanceled: ...  # type: ignore[empty-body]


@activity.defn(name="requeue_failed")
async def requeue_failed(input: BatchInput) -> BatchCount: ...  # type: ignore[empty-body]


@activity.defn(name="wait_for_index")
async def wait_for_index(input: WaitInput) -> Waited: ...  # type: ignore[empty-body]


@activity.defn(name="retrieve")
async def retrieve(input: RetrieveInput) -> Retrieved: ...  # type: ignore[empty-body]


@activity.defn(name="answer")
async def answer(input: AnswerInput) -> Answered: ...  # type: ignore[empty-body]


@activity.defn(name="record_answer")
async def record_answer(input: RecordAnswerInput) -> None: ...


@activity.defn(name="mend_batches")
async def repair_batches(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="mend_documents")
async def repair_documents(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="mend_questions")
async def repair_questions(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="mend_runs")
async def repair_runs(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="mend_deletions")
async def repair_deletions(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="mend_collections")
async def repair_collections(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="mend_rows")
async def repair_rows(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="mend_files")
async def repair_files(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="expire_versions")
async def expire_versions(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="mend_blobs")
async def repair_blobs(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="tell_outside")
async def tell_outside(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="check_audit_log")
async def check_audit_log(input: ScanInput) -> ScanResult: ...  # type: ignore[empty-body]


@activity.defn(name="archive_histories")
async def archive_histories(input: ArchiveInput) -> ArchiveSlice: ...  # type: ignore[empty-body]


@activity.defn(name="expire_histories")
async def expire_histories(input: ExpireInput) -> ExpireSlice: ...  # type: ignore[empty-body]


@activity.defn(name="record_reconcile")
async def record_reconcile(input: RecordReconcileInput) -> None: ...


@activity.defn(name="plan_reindex")
async def plan_reindex(input: ReindexInput) -> ReindexPlan: ...  # type: ignore[empty-body]


@activity.defn(name="record_reindex")
async def record_reindex(input: RecordReindexInput) -> None: ...


@activity.defn(name="begin_generation")
async def begin_generation(input: ReindexInput) -> None: ...


@activity.defn(name="documents_to_build")
async def documents_to_build(input: BuildListInput) -> BuildList: ...  # type: ignore[empty-body]


@activity.defn(name="verify_generation")
async def verify_generation(input: ReindexInput) -> Verified: ...  # type: ignore[empty-body]


@activity.defn(name="prepare_gate")
async def prepare_gate(input: ReindexInput) -> QuestionSet: ...  # type: ignore[empty-body]


@activity.defn(name="measure_gate")
async def measure_gate(input: MeasureInput) -> Measured: ...  # type: ignore[empty-body]


@activity.defn(name="judge_gate")
async def judge_gate(input: JudgeInput) -> Verdict: ...  # type: ignore[empty-body]


@activity.defn(name="switch_generation")
async def switch_generation(input: SwitchInput) -> Switched: ...  # type: ignore[empty-body]


@activity.defn(name="retire_generation")
async def retire_generation(input: RetireInput) -> Retired: ...  # type: ignore[empty-body]


@activity.defn(name="change_documents")
async def change_documents(input: BulkInput) -> BulkSlice: ...  # type: ignore[empty-body]


@activity.defn(name="purge_documents")
async def purge_documents(input: BulkInput) -> BulkSlice: ...  # type: ignore[empty-body]


@activity.defn(name="requeue_failures")
async def requeue_failures(input: RequeueFailuresInput) -> FailuresRequeued: ...  # type: ignore[empty-body]
@activity.defn(name="begin_scheduled")
async def begin_scheduled(input: BeginScheduledInput) -> ScheduledBegun: ...  # type: ignore[empty-body]


@activity.defn(name="record_scheduled")
async def record_scheduled(input: RecordScheduledInput) -> None: ...


@activity.defn(name="look_at_job")
async def look_at_job(input: LookAtJobInput) -> JobSeen: ...  # type: ignore[empty-body]


@activity.defn(name="count_expired")
async def count_expired(input: ExpiredInput) -> Expired: ...  # type: ignore[empty-body]


@activity.defn(name="list_expired")
async def list_expired(input: ExpiredInput) -> ExpiredPage: ...  # type: ignore[empty-body]


@activity.defn(name="unpublish_expired")
async def unpublish_expired(input: UnpublishExpiredInput) -> Unpublished: ...  # type: ignore[empty-body]


@activity.defn(name="list_source")
async def list_source(input: SyncInput) -> Listed: ...  # type: ignore[empty-body]


@activity.defn(name="compare_source")
async def compare_source(input: SyncInput) -> Compared: ...  # type: ignore[empty-body]


@activity.defn(name="apply_changes")
async def apply_changes(input: ApplyInput) -> Applied: ...  # type: ignore[empty-body]


@activity.defn(name="record_sync")
async def record_sync(input: RecordSyncInput) -> None: ...


@activity.defn(name="deliver_webhook")
async def deliver_webhook(input: DeliverInput) -> Delivered: ...  # type: ignore[empty-body]


@activity.defn(name="advance_reindex_all")
async def advance_reindex_all(input: ReindexAllInput) -> Advanced: ...  # type: ignore[empty-body]


@activity.defn(name="control_reindex_all")
async def control_reindex_all(input: ControlAllInput) -> None: ...
