"""Stages and states of jobs, documents, batches and questions, each defined once."""

from __future__ import annotations

from typing import Literal

BatchState = Literal["queued", "running", "paused", "ready", "failed", "canceled"]

#: States of a batch that is not finished.
ACTIVE: tuple[BatchState, ...] = ("queued", "running", "paused")

DocumentState = Literal["queued", "running", "waiting", "paused", "ready", "failed", "canceled"]

#: States of a version that is accepted and not finished.
PENDING: tuple[DocumentState, ...] = ("queued", "running", "waiting", "paused")

QuestionState = Literal["running", "ready", "failed", "canceled"]

JobStateName = Literal["queued", "running", "waiting", "paused", "ready", "failed", "canceled"]

#: States of a finished job.
FINAL_STATES: frozenset[JobStateName] = frozenset({"ready", "failed", "canceled"})

INGEST_STAGES = ("parse", "chunk", "embed", "index", "publish")
DELETE_STAGES = ("stop_runs", "purge_rows", "remove_document")
DELETE_KNOWLEDGE_BASE_STAGES = ("stop_runs", "drop_collections", "remove_documents")
BATCH_STAGES = ("unpack", "ingest")
QUESTION_STAGES = ("retrieve", "generate", "record")
WAITING_QUESTION_STAGES = ("wait_for_index", *QUESTION_STAGES)
RECONCILE_STAGES = ("batches", "documents", "runs", "deletions", "collections", "rows", "blobs", "record")
