"""The metrics of the platform, each named and described once; dashboards and alert rules use these names.

Processes of the API and workers count in the registry of ``prometheus_client``, and show what they count. A label has
one of few values that the code itself names: never a text, an id, a name of a document or a question.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics

from activities.contracts.answers import Rating
from activities.contracts.questions import RecordAnswerInput
from activities.contracts.stages import DocumentState

#: Upper bounds of histograms, in seconds. An alert on 200 ms needs bounds around it; long work needs hours.
FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30)
STEPS = (0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600)
LONG = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)

#: The value of a label for what has no name of ours.
OTHER = "other"

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nothing that is asked

# --- the API: requests, and the state of the platform when it is scraped ------------------------------

REQUESTS = Counter("holdfast_requests_total", "Requests.", ["method", "path", "status_code"])
REQUEST_SECONDS = Histogram(
    "holdfast_request_duration_seconds", "Time until a response begins.", ["method", "path"], buckets=FAST
)
REQUESTS_IN_PROGRESS = Gauge("holdfast_requests_in_progress", "Requests that are being answered, with open streams.")
AUTHENTICATION_FAILURES = Counter(
    "holdfast_authentication_failures_total", "Requests and sign-ins without a valid key, token or password."
)
UPLOADS_IN_PROGRESS = Gauge("holdfast_uploads_in_progress", "Upload requests that are being received.")
UPLOADS_REFUSED = Counter("holdfast_uploads_refused_total", "Uploads refused by a limit.", ["reason"])
FEEDBACK = Counter("holdfast_feedback_total", "Ratings of answers.", ["rating"])

LOOP_UP = Gauge("holdfast_loop_up", "1 while a loop of this process works, 0 while it is dead or stuck.", ["loop"])
LOOP_SUCCESS = Gauge("holdfast_loop_seconds_since_success", "Seconds since a turn of the loop ended well.", ["loop"])
OVERDUE = Gauge("holdfast_overdue", "Accepted uploads and batches that have no run after a minute.")
OVERDUE_OLDEST = Gauge("holdfast_overdue_oldest_seconds", "Seconds since the oldest of them was accepted.")
AUDIT_TAMPERED = Gauge("holdfast_audit_log_tampered", "1 if the audit log does not agree with its signatures.")
DEPENDENCY_UP = Gauge("holdfast_dependency_up", "1 if the dependency answers this process.", ["dependency"])
DEPENDENCY_SECONDS = Gauge("holdfast_dependency_seconds", "How long its answer took.", ["dependency"])
DOCUMENTS = Gauge("holdfast_documents", "Documents by the state of their latest version.", ["state"])
PENDING_OLDEST = Gauge("holdfast_documents_pending_oldest_seconds", "Seconds since the oldest unfinished was accepted.")
UNDISPATCHED = Gauge("holdfast_documents_undispatched", "Accepted documents that have no run yet.")
UNDISPATCHED_OLDEST = Gauge("holdfast_documents_undispatched_oldest_seconds", "Seconds that the oldest has waited.")
JOBS = Gauge("holdfast_jobs", "Jobs that have not ended.", ["kind", "state"])
BACKLOG = Gauge("holdfast_queue_backlog", "Tasks that wait in a task queue.", ["queue", "kind"])
BACKLOG_AGE = Gauge("holdfast_queue_backlog_age_seconds", "Seconds that the oldest task has waited.", ["queue", "kind"])
QUEUE_WORKERS = Gauge("holdfast_queue_workers", "Workers that ask for tasks of a queue.", ["queue", "kind"])

# --- every process -----------------------------------------------------------------------------------

DISK_FREE = Gauge("holdfast_disk_free_bytes", "Free space where the platform writes.", ["volume"])
DISK_SIZE = Gauge("holdfast_disk_size_bytes", "Size of that volume.", ["volume"])
BUILD = Gauge("holdfast_build_info", "1; the version of the process.", ["version"])
POOL_LIMIT = Gauge("holdfast_db_pool_limit", "Connections to the catalogue that the process may open.")
FILE_STORE_SECONDS = Histogram(
    "holdfast_file_store_seconds", "Duration of requests to the file store.", ["operation", "outcome"], buckets=FAST
)
POOL_USED = Gauge("holdfast_db_pool_checked_out", "Connections to the catalogue in use.")

# --- workers -----------------------------------------------------------------------------------------

STEP_SECONDS = Histogram("holdfast_step_seconds", "Duration of attempts at a step.", ["step", "outcome"], buckets=STEPS)
STEP_FAILURES = Counter("holdfast_step_failures_total", "Failed attempts at a step.", ["step", "reason", "retried"])
DOCUMENTS_FINISHED = Counter(
    "holdfast_documents_finished_total", "Versions of documents that ended.", ["outcome", "reason", "media_type"]
)
DOCUMENT_SECONDS = Histogram("holdfast_document_seconds", "Time from accepted to ready.", ["media_type"], buckets=LONG)
CHUNKS = Counter("holdfast_chunks_total", "Chunks with a vector: made by the model, or reused.", ["source"])
EMBED_SECONDS = Histogram(
    "holdfast_embed_request_seconds", "Duration of requests for vectors to Triton.", ["lane"], buckets=FAST
)
QUESTIONS = Counter("holdfast_questions_total", "Questions that ended.", ["mode", "outcome", "fallback"])
QUESTION_SECONDS = Histogram(
    "holdfast_question_seconds", "Time to a stage of an answer, or (done) to its end.", ["mode", "stage"], buckets=FAST
)
WITHHELD = Counter("holdfast_sentences_withheld_total", "Generated sentences that no source supports.")
RECONCILED = Gauge(
    "holdfast_reconcile_last_success_timestamp_seconds", "When this worker last ended a reconciliation, or started."
)
DISCREPANCIES = Counter("holdfast_reconcile_findings_total", "What reconciliations found.", ["kind"])

# --- what others count -------------------------------------------------------------------------------

#: Metrics of Triton's models (``triton_models/model_metrics.py``), beside Triton's own.
TRITON_MODELS = (
    "holdfast_embed_waiting",
    "holdfast_embed_batch_rows",
    "holdfast_embed_batches_total",
    "holdfast_embed_requests_total",
    "holdfast_embed_rows_total",
    "holdfast_embed_tokens_total",
    "holdfast_embed_seconds_total",
    "holdfast_generate_requests_total",
    "holdfast_generate_running",
    "holdfast_generate_first_token_seconds_total",
    "holdfast_generate_tokens_total",
)

#: Metrics of other programs that dashboards and alert rules use.
FOREIGN = (
    "up",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    # the Temporal SDK (activities.telemetry.sdk_metrics)
    "temporal_activity_schedule_to_start_latency_seconds",
    "temporal_num_pollers",
    "temporal_request_failure_total",
    "temporal_request_total",
    "temporal_request_latency_seconds",
    "temporal_sticky_cache_size",
    "temporal_worker_task_slots_available",
    "temporal_worker_task_slots_used",
    "temporal_workflow_completed_total",
    "temporal_workflow_failed_total",
    "temporal_workflow_endtoend_latency_seconds",
    "temporal_workflow_task_execution_failed_total",
    "temporal_workflow_task_schedule_to_start_latency_seconds",
    # Triton
    "nv_cpu_memory_total_bytes",
    "nv_cpu_memory_used_bytes",
    "nv_cpu_utilization",
    "nv_gpu_memory_total_bytes",
    "nv_gpu_memory_used_bytes",
    "nv_gpu_power_usage",
    "nv_gpu_utilization",
    "nv_inference_request_failure",
    "nv_inference_request_success",
    # Temporal's server
    "service_error_with_type",
    "service_requests",
    "persistence_latency",
    # Milvus, etcd and the object store of docker-compose.yml
    "milvus_proxy_req_count",
    "milvus_proxy_sq_latency",
    "milvus_rootcoord_entity_num",
    "etcd_server_has_leader",
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_disk_wal_fsync_duration_seconds",
)


def ours() -> frozenset[str]:
    """The names of the samples that processes of the platform show."""
    return frozenset(
        sample
        for metric in REGISTRY.collect()
        if metric.name.startswith("holdfast_")
        for sample in _samples(metric.name, metric.type)
    )


def _samples(name: str, kind: str) -> tuple[str, ...]:
    if kind == "counter":
        return (f"{name}_total",)
    return (f"{name}_bucket", f"{name}_sum", f"{name}_count") if kind == "histogram" else (name,)


def known() -> frozenset[str]:
    """The names of samples that dashboards and alert rules may use."""
    parts = {f"{name}_{part}" for name in FOREIGN for part in ("bucket", "sum", "count")}
    return ours() | {*TRITON_MODELS, *FOREIGN} | parts


# --- counting ----------------------------------------------------------------------------------------


def document_ended(
    outcome: DocumentState, reason: str | None, media_type: str | None, seconds: float | None = None
) -> None:
    """Counts a version that ended; ``seconds`` passed until it was ready."""
    DOCUMENTS_FINISHED.labels(outcome, reason or "", media_type or "").inc()
    if seconds is not None:
        DOCUMENT_SECONDS.labels(media_type or "").observe(seconds)


def question_ended(input: RecordAnswerInput, milliseconds: dict[str, int]) -> None:
    """Counts a question that ended, with its durations: ``rewrite``, ``retrieve``, ``first_token``, ``total`` …"""
    answered = input.answered
    if input.canceled:
        outcome = "canceled"
    elif answered is None:
        outcome = "failed"
    else:
        outcome = "answered" if answered.found else "not_found"
    mode = answered.mode if answered is not None else ""
    QUESTIONS.labels(mode, outcome, (answered and answered.fallback) or "").inc()
    if answered is None:
        return
    WITHHELD.inc(answered.withheld)
    searched = milliseconds.get("rewrite", 0) + milliseconds.get("retrieve", 0)
    QUESTION_SECONDS.labels(mode, "retrieve").observe(searched / 1000)
    if "first_token" in milliseconds:
        QUESTION_SECONDS.labels(mode, "first_word").observe((searched + milliseconds["first_token"]) / 1000)
    QUESTION_SECONDS.labels(mode, "done").observe(milliseconds.get("total", 0) / 1000)


def show_build() -> None:
    """Shows the version of this process."""
    BUILD.labels(version("holdfast")).set(1)


def watch_connections(count: Callable[[], tuple[int, int]]) -> None:
    """Shows the connections to the catalogue: how many are in use, and how many there may be."""
    POOL_USED.set_function(lambda: count()[0])
    POOL_LIMIT.set_function(lambda: count()[1])


def rated(rating: Rating) -> None:
    """Counts a rating of an answer."""
    FEEDBACK.labels(rating).inc()
