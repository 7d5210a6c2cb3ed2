"""Wire types of batches (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from activities.contracts.stages import JobStateName
from api.http.schemas import Request, Schema


class BatchRequest(Request, frozen=True):
    """A batch that documents are going to be uploaded into (``?batch=``), until it is closed."""

    name: Annotated[str, Meta(max_length=255)] = ""
    parallelism: Annotated[int, Meta(ge=1, le=64)] | None = None


class ParallelismRequest(Request, frozen=True):
    parallelism: Annotated[int, Meta(ge=1, le=64)]


class BatchInfo(Schema, frozen=True):
    """A batch: its documents by state, how fast they finish (documents a minute) and when all will be (seconds).

    It is ``ready`` when every document came to its end, also if that was a failure: ``failed`` counts those.
    """

    id: str
    name: str
    knowledge_base: str
    state: JobStateName
    documents: dict[str, int]
    done: int
    total: int
    failed: int
    rate_per_minute: float
    eta_seconds: float | None
    waiting_for: str | None
    reason: str | None
    parallelism: int
    closed: bool
    skipped: list[str]
    actor: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    workflow_id: str
    status_url: str
    events_url: str
