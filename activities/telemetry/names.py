"""Names of spans and of their attributes, each once: those of OpenTelemetry's semantic conventions, and ours.

No attribute holds a text of a document or a question, a file name or an address with a query: only ids, names of
models and collections, counts and codes.
"""

from __future__ import annotations

from typing import Final

# --- requests (semantic conventions for HTTP servers) ------------------------------------------------

HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
ERROR_TYPE: Final = "error.type"

# --- models (semantic conventions for generative AI) --------------------------------------------------

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
WORKFLOW: Final = "gen_ai.workflow.name"

#: Values of ``OPERATION``; the conventions have none for reranking.
CHAT: Final = "chat"
EMBEDDINGS: Final = "embeddings"
INVOKE_WORKFLOW: Final = "invoke_workflow"
RERANK: Final = "rerank"

#: The value of ``PROVIDER``.
TRITON: Final = "triton"

# --- Milvus (semantic conventions for databases) ------------------------------------------------------

DB_SYSTEM: Final = "db.system.name"
DB_OPERATION: Final = "db.operation.name"
DB_COLLECTION: Final = "db.collection.name"

#: The value of ``DB_SYSTEM``.
MILVUS: Final = "milvus"

# --- runs and steps (as Temporal's own instrumentation names them) -----------------------------------

WORKFLOW_ID: Final = "temporalWorkflowID"
RUN_ID: Final = "temporalRunID"
ACTIVITY_ID: Final = "temporalActivityID"

# --- ours ---------------------------------------------------------------------------------------------

#: What the names of ours begin with: those of what a step works on go on as in its log lines.
OURS: Final = "holdfast."

REQUEST_ID: Final = "holdfast.request_id"
ATTEMPT: Final = "holdfast.attempt"
OUTCOME: Final = "holdfast.outcome"
TEXTS: Final = "holdfast.texts"
URGENT: Final = "holdfast.urgent"
EVENTS: Final = "holdfast.events"

#: The span of an answer's events, from the first one to the last.
STREAM: Final = "stream"
