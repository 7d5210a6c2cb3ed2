"""States and stages, each spelled once: what documents, batches, questions and jobs go through.

A state says whether and why a job goes on; a stage is the part of its work that a job is in.
"""

from __future__ import annotations

from typing import Literal

#: The states of any job (DESIGN §5). A document's version has the same.
JobStateName = Literal["queued", "running", "waiting", "paused", "ready", "failed", "canceled"]
DocumentState = JobStateName

#: The kinds of jobs that operators see.
JobKind = Literal["document", "batch", "deletion", "sync", "bulk_change", "reindex", "reindex_all", "question"]

#: A batch does not wait for a dependency itself; its documents do.
BatchState = Literal["queued", "running", "paused", "ready", "failed", "canceled"]

QuestionState = Literal["running", "ready", "failed", "canceled"]

#: States of a version whose run is expected or goes on.
PENDING: tuple[DocumentState, ...] = ("queued", "running", "waiting", "paused")

#: States of a batch whose workflow goes on.
ACTIVE: tuple[BatchState, ...] = ("queued", "running", "paused")

#: States after which nothing more happens to a job.
FINAL_STATES: frozenset[JobStateName] = frozenset({"ready", "failed", "canceled"})

#: The stages of an ingestion, which are its activities' names too, in order.
IngestStage = Literal["parse", "chunk", "embed", "index", "publish"]
INGEST_STAGES: tuple[IngestStage, ...] = ("parse", "chunk", "embed", "index", "publish")

DELETE_STAGES = ("stop_runs", "purge_rows", "remove_document")
DELETE_KNOWLEDGE_BASE_STAGES = ("stop_runs", "drop_collections", "remove_documents")
BATCH_STAGES = ("unpack", "ingest")
QUESTION_STAGES = ("retrieve", "generate", "record")
WAITING_QUESTION_STAGES = ("wait_for_index", *QUESTION_STAGES)
REINDEX_STAGES = ("plan", "build", "verify", "gate", "approve", "switch", "soak", "retire")
BULK_STAGES = ("change", "purge")
RETRY_STAGES = ("retry",)
SCHEDULED_STAGES = ("begin", "job")
RETENTION_STAGES = ("count", "confirm", "delete")
SYNC_STAGES = ("list", "compare", "confirm", "apply", "report")
DELIVERY_STAGES = ("deliver",)
ARCHIVE_STAGES = ("archive", "expire")

#: Stages of a re-index after its switch, in which nothing can be canceled any more.
AFTER_SWITCH = ("soak", "retire")

RECONCILE_STAGES = (
    "batches", "documents", "questions", "runs", "deletions", "collections", "rows", "files", "versions", "blobs",
    "outside", "log", "record",
)  # fmt: skip


def number_of(stage: str, stages: tuple[str, ...]) -> int:
    """The stage's place among its job's stages, counted from 1; 0 before the first one."""
    return stages.index(stage) + 1 if stage in stages else 0
