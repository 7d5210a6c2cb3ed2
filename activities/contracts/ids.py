"""Ids of workflows are built and taken apart here, and the names of their types stand here.

Ids are deterministic: starting a job twice is starting it once.
"""

from __future__ import annotations

#: The workflows' types by their names, where their classes cannot be imported.
INGEST_DOCUMENT, INGEST_BATCH, RECONCILE = "IngestDocument", "IngestBatch", "Reconcile"
DELETE_DOCUMENT, DELETE_KNOWLEDGE_BASE = "DeleteDocument", "DeleteKnowledgeBase"
CHANGE_DOCUMENTS = "ChangeDocuments"
RUN_SCHEDULED, APPLY_RETENTION = "RunScheduled", "ApplyRetention"
SYNC_KNOWLEDGE_BASE = "SyncKnowledgeBase"
DELIVER_WEBHOOK = "DeliverWebhook"
REINDEX_KNOWLEDGE_BASE, REINDEX_ALL = "ReindexKnowledgeBase", "ReindexAll"
ANSWER_QUESTION, RETRY_FAILURES, ARCHIVE_HISTORIES = "AnswerQuestion", "RetryFailures", "ArchiveHistories"

#: All of them: other runs of the namespace are not ours.
TYPES = (
    *(INGEST_DOCUMENT, INGEST_BATCH, RECONCILE, DELETE_DOCUMENT, DELETE_KNOWLEDGE_BASE, CHANGE_DOCUMENTS),
    *(RUN_SCHEDULED, APPLY_RETENTION, SYNC_KNOWLEDGE_BASE, DELIVER_WEBHOOK, REINDEX_KNOWLEDGE_BASE, REINDEX_ALL),
    *(ANSWER_QUESTION, RETRY_FAILURES, ARCHIVE_HISTORIES),
)

_INGEST, _BATCH, _QUESTION, _SCHEDULED = "ingest/", "batch/", "question/", "schedule/"


def ingest_id(document_id: str, version: int) -> str:
    """Workflow id of a version's ingestion."""
    return f"{_INGEST}{document_id}/{version}"


def parse_ingest_id(workflow_id: str) -> tuple[str, int] | None:
    """The (document, version) of an ingestion; None for the id of anything else."""
    document, _, number = workflow_id.removeprefix(_INGEST).partition("/")
    found = (document, int(number)) if number.isdecimal() else None
    return found if found is not None and workflow_id == ingest_id(*found) else None


def batch_workflow_id(batch_id: str) -> str:
    """Workflow id of a batch."""
    return f"{_BATCH}{batch_id}"


def parse_batch_workflow_id(workflow_id: str) -> str | None:
    """The batch of a workflow id; None for the id of anything else."""
    return workflow_id.removeprefix(_BATCH) if workflow_id.startswith(_BATCH) else None


def delete_id(document_id: str) -> str:
    """Workflow id of a document's deletion."""
    return f"delete/{document_id}"


def delete_knowledge_base_id(knowledge_base_id: str) -> str:
    """Workflow id of a knowledge base's deletion."""
    return f"delete-kb/{knowledge_base_id}"


def question_id(question_id: str) -> str:
    """Workflow id of a question."""
    return f"{_QUESTION}{question_id}"


def parse_question_workflow_id(workflow_id: str | None) -> str:
    """The question of a workflow id."""
    return (workflow_id or "").removeprefix(_QUESTION)


def reconcile_id(id: str) -> str:
    """Workflow id of a comparison."""
    return f"reconcile/{id}"


def reindex_workflow_id(knowledge_base_id: str, generation: int) -> str:
    """Workflow id of the re-index that builds an index generation."""
    return f"reindex/{knowledge_base_id}/{generation}"


def bulk_workflow_id(bulk_id: str) -> str:
    """Workflow id of a change of many documents."""
    return f"bulk/{bulk_id}"


def retry_failures_id(code: str, knowledge_base_id: str | None) -> str:
    """Workflow id of the retry of all documents that failed for one reason, in one knowledge base or in all."""
    return f"retry-failures/{code}/{knowledge_base_id or 'all'}"


def scheduled_id(name: str) -> str:
    """Workflow id of a schedule's runs, to which Temporal adds the time."""
    return f"{_SCHEDULED}{name}"


def occurrence_of(workflow_id: str) -> str:
    """The occurrence of a scheduled run: its schedule's name and the time."""
    return workflow_id.removeprefix(_SCHEDULED)


def retention_id(knowledge_base_id: str, occurrence: str) -> str:
    """Workflow id of a retention."""
    return f"retention/{knowledge_base_id}/{occurrence}"


def sync_workflow_id(source_id: str, occurrence: str) -> str:
    """Workflow id of a sync: ``occurrence`` tells it from the others of its source."""
    return f"sync/{source_id}/{occurrence}"


def webhook_workflow_id(event_id: str, endpoint_id: str) -> str:
    """Workflow id of the delivery of an event to an endpoint."""
    return f"webhook/{event_id}/{endpoint_id}"


def reindex_all_id(id: str) -> str:
    """Workflow id of a re-index of many knowledge bases."""
    return f"reindex-all/{id}"


def archive_id(id: str) -> str:
    """Workflow id of an archiving of histories."""
    return f"archive/{id}"
