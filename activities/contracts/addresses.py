"""Addresses in the API, for answers and for descriptions of runs: where a thing and its state are, and its events."""

from __future__ import annotations

PREFIX = "/api/v1"


#: What operators see of failures and jobs.
OPERATIONS = f"{PREFIX}/operations"

#: The archived and live runs.
RUNS = f"{PREFIX}/audit/runs"


def knowledge_base(name: str) -> str:
    """A knowledge base."""
    return f"{PREFIX}/knowledge-bases/{name}"


def document(document_id: str) -> str:
    """A document."""
    return f"{PREFIX}/documents/{document_id}"


def document_status(document_id: str) -> str:
    """The state of a document's indexing job."""
    return f"{PREFIX}/documents/{document_id}/status"


def document_events(document_id: str) -> str:
    """The states of a document's indexing job as they come."""
    return f"{PREFIX}/documents/{document_id}/events"


def bulk_change(bulk_id: str) -> str:
    """A change of many documents with its state."""
    return f"{PREFIX}/bulk-changes/{bulk_id}"


def batch(batch_id: str) -> str:
    """A batch with its state."""
    return f"{PREFIX}/batches/{batch_id}"


def batch_events(batch_id: str) -> str:
    """The states of a batch as they come."""
    return f"{PREFIX}/batches/{batch_id}/events"


def reindex(reindex_id: str) -> str:
    """A re-index with its state."""
    return f"{PREFIX}/reindexes/{reindex_id}"


def reindex_events(reindex_id: str) -> str:
    """The states of a re-index as they come."""
    return f"{PREFIX}/reindexes/{reindex_id}/events"


def question(question_id: str) -> str:
    """A question with its answer."""
    return f"{PREFIX}/questions/{question_id}"


def question_events(question_id: str) -> str:
    """A question's answer as it is written."""
    return f"{PREFIX}/questions/{question_id}/events"


def question_record(question_id: str) -> str:
    """A question's record, which auditors read."""
    return f"{PREFIX}/audit/questions/{question_id}"


def reconciliation(reconcile_id: str) -> str:
    """A comparison of all stores, with its report."""
    return f"{PREFIX}/reconcile/{reconcile_id}"


def schedule(name: str) -> str:
    """A schedule with its latest runs."""
    return f"{PREFIX}/schedules/{name}"


def sync(sync_id: str) -> str:
    """A sync with its state."""
    return f"{PREFIX}/syncs/{sync_id}"


def sync_events(sync_id: str) -> str:
    """The states of a sync as they come."""
    return f"{PREFIX}/syncs/{sync_id}/events"


def webhook(webhook_id: str) -> str:
    """A webhook endpoint."""
    return f"{PREFIX}/webhooks/{webhook_id}"


def webhook_deliveries(webhook_id: str) -> str:
    """What an endpoint was told, and what came of it."""
    return f"{PREFIX}/webhooks/{webhook_id}/deliveries"


def reindex_all(id: str) -> str:
    """The path of a re-index of many knowledge bases."""
    return f"{PREFIX}/reindex-all/{id}"
