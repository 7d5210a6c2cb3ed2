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
