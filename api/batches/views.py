"""Batches as the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime

from activities.contracts import addresses
from activities.contracts.ids import batch_workflow_id
from activities.contracts.stages import PENDING
from activities.errors import Language
from activities.stores.catalog.records import Batch, Tally
from api.batches.schemas import BatchInfo
from api.http.schemas import JobAccepted


def batch_info(batch: Batch, tally: Tally, knowledge_base: str, language: Language) -> BatchInfo:
    """A batch with its documents counted now. It waits when all that goes on in it waits for a dependency."""
    total = sum(tally.counts.values())
    pending = sum(tally.counts.get(state, 0) for state in PENDING)
    over = min(60.0, max(1.0, (datetime.now(UTC) - batch.created_at).total_seconds()))
    rate = tally.finished_lately * 60 / over
    goes_on = batch.state in ("queued", "running")
    waits = goes_on and tally.waiting_for is not None and not tally.counts.get("running")
    reason = batch.reason or (tally.reason if waits else None)
    return BatchInfo(
        id=batch.id,
        name=batch.name,
        knowledge_base=knowledge_base,
        state="waiting" if waits else batch.state,
        documents={"total": total, **tally.counts},
        done=total - pending,
        total=total,
        failed=tally.counts.get("failed", 0),
        rate_per_minute=round(rate, 1),
        eta_seconds=round(pending / rate * 60) if goes_on and rate and pending and batch.closed else None,
        waiting_for=tally.waiting_for if waits else None,
        reason=reason.render(language) if reason else None,
        parallelism=batch.parallelism,
        closed=batch.closed,
        skipped=[
            f"{member.name} ({member.reason.render(language)})" if member.reason else member.name
            for member in batch.skipped
        ],
        actor=batch.actor,
        created_at=batch.created_at,
        updated_at=batch.updated_at,
        finished_at=batch.finished_at,
        workflow_id=batch_workflow_id(batch.id),
        status_url=addresses.batch(batch.id),
        events_url=addresses.batch_events(batch.id),
    )


def batch_job(batch_id: str, state: str = "queued") -> JobAccepted:
    """Where to watch a batch."""
    return JobAccepted(
        id=batch_id,
        state=state,
        workflow_id=batch_workflow_id(batch_id),
        status_url=addresses.batch(batch_id),
        events_url=addresses.batch_events(batch_id),
    )
