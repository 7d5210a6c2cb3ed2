"""Wire types of batches (DESIGN §6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta

from activities.contracts.ids import batch_workflow_id
from activities.contracts.stages import PENDING
from activities.errors import Language
from activities.stores.catalog.records import Batch, Tally
from api.http.schemas import JobAccepted, Request, Schema


class BatchRequest(Request, frozen=True):
    """A batch that documents are going to be uploaded into (``?batch=``), until it is closed."""

    name: Annotated[str, Meta(max_length=255)] = ""
    parallelism: Annotated[int, Meta(ge=1, le=64)] | None = None


class ParallelismRequest(Request, frozen=True):
    parallelism: Annotated[int, Meta(ge=1, le=64)]


BatchStateName = Literal["queued", "running", "waiting", "paused", "ready", "failed", "canceled"]


class BatchInfo(Schema, frozen=True):
    """A batch: its documents by state, how fast they finish (documents a minute) and when all will be (seconds).

    It is ``ready`` when every document came to its end, also if that was a failure.
    """

    id: str
    name: str
    knowledge_base: str
    state: BatchStateName
    documents: dict[str, int]
    done: int
    total: int
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

    @classmethod
    def of(cls, batch: Batch, tally: Tally, knowledge_base: str, language: Language) -> BatchInfo:
        """From the catalogue."""
        total = sum(tally.counts.values())
        pending = sum(tally.counts.get(state, 0) for state in PENDING)
        over = min(60.0, max(1.0, (datetime.now(UTC) - batch.created_at).total_seconds()))
        rate = tally.finished_lately * 60 / over
        goes_on = batch.state in ("queued", "running")
        waits = goes_on and tally.waiting_for is not None and not tally.counts.get("running")
        reason = batch.reason or (tally.reason if waits else None)
        job = batch_job_accepted(batch.id)
        return cls(
            id=batch.id,
            name=batch.name,
            knowledge_base=knowledge_base,
            state="waiting" if waits else batch.state,
            documents={"total": total, **tally.counts},
            done=total - pending,
            total=total,
            rate_per_minute=round(rate, 1),
            eta_seconds=round(pending / rate * 60) if goes_on and rate and pending and batch.closed else None,
            waiting_for=tally.waiting_for if waits else None,
            reason=reason.render(language) if reason else None,
            parallelism=batch.parallelism,
            closed=batch.closed,
            skipped=batch.skipped,
            actor=batch.actor,
            created_at=batch.created_at,
            updated_at=batch.updated_at,
            finished_at=batch.finished_at,
            workflow_id=job.workflow_id,
            status_url=job.status_url or "",
            events_url=job.events_url or "",
        )


def batch_job_accepted(batch_id: str, state: str = "queued") -> JobAccepted:
    """Where to watch a batch."""
    url = f"/api/v1/batches/{batch_id}"
    return JobAccepted(
        id=batch_id,
        state=state,
        workflow_id=batch_workflow_id(batch_id),
        status_url=url,
        events_url=f"{url}/events",
    )
