"""The live state of a document's job: what the catalogue says, and, for one document, what Temporal says."""

from __future__ import annotations

import msgspec
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus

from activities.contracts.ids import ingest_id
from activities.contracts.search_attributes import STAGE
from activities.contracts.stages import INGEST_STAGES, PENDING, number_of
from activities.errors import HoldfastError, Language, Reason
from activities.runtime import temporal
from activities.runtime.heartbeat import Progress
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Document
from api.documents.views import remarks_of
from workflows.client.jobs import Jobs
from workflows.contracts import JobState


class DocumentStatus:
    """Puts together what the catalogue, the run and its pending activity know of a document."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs

    async def of(self, document: Document, language: Language) -> JobState:
        """The state now, asked of Temporal while the job goes on. Raises NotFound and DependencyErrors."""
        if document.state not in PENDING or document.state == "paused":
            return state_of(document, language)
        description = await temporal.describe(self._jobs.client, ingest_id(document.id, document.version))
        if description is None:
            return state_of(document, language)  # its run has not started yet
        if description.status is not WorkflowExecutionStatus.RUNNING:
            return state_of(await self._catalog.documents.get(document.id), language)
        base = await self._queried(description)
        pending = description.raw_description.pending_activities
        if document.state == "waiting" and pending and pending[0].attempt > 1:
            return state_of(document, language)  # also while the next attempt finds out whether it is back
        state = await self._with_activity(description.id, base, pending[0], language) if pending else base
        same_stage = document.stage == state.stage and state.state == "running"
        return msgspec.structs.replace(state, eta_seconds=document.eta_seconds) if same_stage else state

    async def _queried(self, description: WorkflowExecutionDescription) -> JobState:
        """The workflow's own ``state``; what the server knows when no worker answers."""
        state = await temporal.query(self._jobs.client, description.id, "state", JobState)
        if state is not None:
            return state
        stage = description.typed_search_attributes.get(STAGE, "queued")
        return JobState(
            state="waiting",
            stage=stage,
            stage_number=number_of(stage, INGEST_STAGES),
            stage_count=len(INGEST_STAGES),
            waiting_for="worker",
        )

    async def _with_activity(
        self, id: str, base: JobState, pending: PendingActivityInfo, language: Language
    ) -> JobState:
        """Add what only the server knows: attempt, progress, and what the step is waiting for."""
        client = self._jobs.client
        changes: dict[str, object] = {"attempt": pending.attempt}
        progress = await temporal.decoded(client, id, pending.heartbeat_details.payloads, Progress)
        if progress is not None:
            changes |= {"done": progress.done, "total": progress.total}
        failure = pending.last_failure.application_failure_info
        if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED or not failure.type:
            return msgspec.structs.replace(base, **changes)  # another attempt is under way
        reason = await temporal.decoded(client, id, failure.details.payloads, Reason) or HoldfastError().reason
        changes["reason"] = reason.render(language)
        if (dependency := temporal.missing(pending)) is not None:
            changes |= {"state": "waiting", "waiting_for": dependency}
            if pending.HasField("scheduled_time"):
                changes["next_attempt_at"] = pending.scheduled_time.ToDatetime()
        return msgspec.structs.replace(base, **changes)


def state_of(document: Document, language: Language) -> JobState:
    """The state as the catalogue has it: at most a second old, and the same that lists show."""
    ready = document.state == "ready"
    stage = INGEST_STAGES[-1] if ready else document.stage if document.state in PENDING else ""
    return JobState(
        state=document.state,
        stage=stage,
        stage_number=number_of(stage, INGEST_STAGES),
        stage_count=len(INGEST_STAGES),
        done=document.chunks if ready else document.done,
        total=(document.chunks or None) if ready else document.total,
        attempt=document.attempt,
        waiting_for=document.waiting_for,
        reason=document.reason.render(language) if document.reason else None,
        next_attempt_at=document.next_attempt_at,
        eta_seconds=document.eta_seconds,
        updated_at=document.updated_at,
        remarks=remarks_of(document, language) if ready else [],
    )
