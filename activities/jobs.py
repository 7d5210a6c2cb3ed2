"""Jobs that activities start or look for themselves: their inputs, ids and search attributes."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

from activities.contracts import Contract

KNOWLEDGE_BASE = SearchAttributeKey.for_keyword("KnowledgeBase")
DOCUMENT = SearchAttributeKey.for_keyword("Document")
OWNER = SearchAttributeKey.for_keyword("Owner")
STAGE = SearchAttributeKey.for_keyword("Stage")

#: The workflows' types by their names, where their classes cannot be imported.
INGEST_DOCUMENT, INGEST_BATCH, RECONCILE = "IngestDocument", "IngestBatch", "Reconcile"
DELETE_DOCUMENT, DELETE_KNOWLEDGE_BASE = "DeleteDocument", "DeleteKnowledgeBase"


class DeleteJob(Contract, frozen=True):
    """A document that was already taken out of every answer; what it left is purged."""

    knowledge_base_id: str
    knowledge_base: str
    document_id: str
    document_name: str
    actor: str


class DeleteKnowledgeBaseJob(Contract, frozen=True):
    """A knowledge base that was already hidden; what it left is purged."""

    knowledge_base_id: str
    knowledge_base: str
    actor: str


def delete_id(document_id: str) -> str:
    """Workflow id of a document's deletion."""
    return f"delete/{document_id}"


def delete_knowledge_base_id(knowledge_base_id: str) -> str:
    """Workflow id of a knowledge base's deletion."""
    return f"delete-kb/{knowledge_base_id}"
