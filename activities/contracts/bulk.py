"""Changes of many documents at once: what is asked, the job, and the result of one slice of its work."""

from __future__ import annotations

from typing import Literal

from activities.contracts import Contract
from activities.contracts.selection import DocumentFilter

BulkAction = Literal["delete", "retry", "tag", "untag"]

#: The largest number of documents that one request names by their ids.
MAX_IDS = 10_000


class BulkRequested(Contract, frozen=True):
    """An action on the documents ``ids``, or on those that match ``filter`` when it is asked for."""

    knowledge_base_id: str
    action: BulkAction
    actor: str
    tag: str | None = None
    ids: list[str] | None = None
    filter: DocumentFilter | None = None


class BulkJob(Contract, frozen=True):
    """A recorded change; ``documents`` is how many there were when it was asked for."""

    bulk_id: str
    knowledge_base_id: str
    knowledge_base: str
    action: BulkAction
    actor: str
    documents: int
    tag: str | None = None


class BulkInput(Contract, frozen=True):
    bulk_id: str


class BulkSlice(Contract, frozen=True):
    """What a slice of work came to: ``ended`` with the change, or to go on after ``wait_seconds``.

    ``canceled_by`` is whoever ended it before its last documents.
    """

    ended: bool
    wait_seconds: float = 0.0
    done: int = 0
    canceled_by: str | None = None


class BulkResult(Contract, frozen=True):
    """Documents that the change looked at."""

    documents: int
