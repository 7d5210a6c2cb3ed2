"""How a run is described in Temporal's UI, wherever it is started: who does what to what, and its object in the API.

Names of knowledge bases, documents and actors are in clear there: an auditor finds a run by them, as in the audit
trail. Texts of documents and questions, and locations of sources, are not.
"""

from __future__ import annotations

from activities.contracts.deletion import DeleteJob
from activities.contracts.ingest import DocumentToIngest
from activities.contracts.summaries import Summary

#: The longest summary, in characters of which each takes up to three bytes: Temporal's limit is 400 bytes or more.
MAX_SUMMARY = 130

PREFIX = "/api/v1"


def summary(text: str, actor: str) -> Summary:
    """``text`` and who asked for it, in one line of limited length."""
    by = f", by {actor[: MAX_SUMMARY // 3]}" if actor else ""
    return Summary(text[: MAX_SUMMARY - len(by)] + by)


def details(address: str, actor: str) -> Summary:
    """The details of a run (Markdown): the address of its object in the API, and the actor."""
    return Summary(f"Object in the API: `{address}`\n\nStarted by: `{actor.replace('`', '')}`")


def ingestion(document: DocumentToIngest) -> Summary:
    """Summary of a version's ingestion."""
    text = f"Index {document.document_name} v{document.version} into {document.knowledge_base}"
    return summary(text, document.actor)


def deletion(job: DeleteJob) -> Summary:
    """Summary of a document's deletion."""
    return summary(f"Delete {job.document_name} from {job.knowledge_base}", job.actor)


def document(id: str) -> str:
    """Address of a document."""
    return f"{PREFIX}/documents/{id}"


def batch(id: str) -> str:
    """Address of a batch."""
    return f"{PREFIX}/batches/{id}"


def knowledge_base(name: str) -> str:
    """Address of a knowledge base."""
    return f"{PREFIX}/knowledge-bases/{name}"


def bulk_change(id: str) -> str:
    """Address of a change of many documents."""
    return f"{PREFIX}/bulk-changes/{id}"


def reindex(id: str) -> str:
    """Address of a re-index."""
    return f"{PREFIX}/reindexes/{id}"


def reindex_all(id: str) -> str:
    """Address of a re-index of many knowledge bases."""
    return f"{PREFIX}/reindex-all/{id}"


def sync(id: str) -> str:
    """Address of a sync."""
    return f"{PREFIX}/syncs/{id}"


def schedule(name: str) -> str:
    """Address of a schedule."""
    return f"{PREFIX}/schedules/{name}"


def question(id: str) -> str:
    """Address of a question's record, which auditors read."""
    return f"{PREFIX}/audit/questions/{id}"


def reconciliation(id: str) -> str:
    """Address of a comparison of all stores."""
    return f"{PREFIX}/reconcile/{id}"


def webhook(id: str) -> str:
    """Address of a webhook endpoint."""
    return f"{PREFIX}/webhooks/{id}"


#: Address of what operators see of failures and jobs.
OPERATIONS = f"{PREFIX}/operations"

#: Address of the archived and live runs.
RUNS = f"{PREFIX}/audit/runs"
