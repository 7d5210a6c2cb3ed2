"""Wire types of changes of many documents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from activities.contracts.bulk import MAX_IDS, BulkAction
from activities.contracts.names import MAX_NAME, MAX_TAG
from activities.contracts.stages import DocumentState, JobStateName
from api.http.schemas import Request, Schema


class FilterRequest(Request, frozen=True):
    """Documents that meet all of these, as in the list of documents; without any, all documents."""

    state: DocumentState | None = None
    search: Annotated[str, Meta(max_length=MAX_NAME)] = ""
    tag: Annotated[str, Meta(max_length=MAX_TAG)] | None = None
    source: Annotated[str, Meta(max_length=200)] | None = None
    batch: Annotated[str, Meta(max_length=32)] | None = None


class BulkRequest(Request, frozen=True):
    """An action on the documents ``ids``, or on all that match ``filter`` now.

    ``tag`` is what to add (``tag``) or to remove (``untag``). ``expected`` is the number that a person confirmed: if
    more documents match, nothing is changed.
    """

    action: BulkAction
    ids: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=MAX_IDS)] | None = None
    filter: FilterRequest | None = None
    tag: Annotated[str, Meta(min_length=1, max_length=MAX_TAG)] | None = None
    expected: Annotated[int, Meta(ge=0)] | None = None


class BulkAccepted(Schema, frozen=True):
    """A change that goes on by itself; ``documents`` are to be looked at."""

    id: str
    action: BulkAction
    documents: int
    state: JobStateName
    workflow_id: str
    status_url: str


class BulkFailureInfo(Schema, frozen=True):
    """A document that could not be changed, and why; ``name`` is empty if there is none of this id."""

    id: str
    name: str
    reason: str
    reason_code: str


class BulkInfo(Schema, frozen=True):
    """A change of many documents. ``unchanged`` did not match any more, or were as they would be.

    In the stage ``purge``, deleted documents are gone from every answer, and their data are being removed.
    ``failures`` are the first ones. What was changed before it was canceled stays so.
    """

    id: str
    action: BulkAction
    tag: str | None
    state: JobStateName
    stage: str
    total: int
    done: int
    changed: int
    unchanged: int
    failed: int
    failures: list[BulkFailureInfo]
    actor: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    canceled_by: str | None
    workflow_id: str
