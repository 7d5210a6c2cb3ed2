"""Workflow ids and workflow type names.

Ids are deterministic, so that starting the same workflow twice starts it once.
"""

from __future__ import annotations


def ingest_id(document_id: str, version: int) -> str:
    """Workflow id of the ingestion of a version."""
    return f"ingest/{document_id}/{version}"


def batch_workflow_id(batch_id: str) -> str:
    """Workflow id of a batch."""
    return f"batch/{batch_id}"


#: Workflow type names, for activities: they cannot import the workflow classes.
INGEST_DOCUMENT, INGEST_BATCH, RECONCILE = "IngestDocument", "IngestBatch", "Reconcile"
DELETE_DOCUMENT, DELETE_KNOWLEDGE_BASE = "DeleteDocument", "DeleteKnowledgeBase"


def delete_id(document_id: str) -> str:
    """Workflow id of a document's deletion."""
    return f"delete/{document_id}"


def delete_knowledge_base_id(knowledge_base_id: str) -> str:
    """Workflow id of a knowledge base's deletion."""
    return f"delete-kb/{knowledge_base_id}"


def question_id(question_id: str) -> str:
    """Workflow id of a question."""
    return f"question/{question_id}"


def reconcile_id(id: str) -> str:
    """Workflow id of a reconciliation."""
    return f"reconcile/{id}"
