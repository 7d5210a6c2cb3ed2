"""The runs of schedules: begun, recorded, and looked at."""

from __future__ import annotations

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from activities.contracts.schedules import (
    BeginScheduledInput,
    JobSeen,
    LookAtJobInput,
    RecordScheduledInput,
    ScheduledBegun,
    counts_of,
)
from activities.errors import Canceled, Conflict, NotFound, OccurrenceDone
from activities.ingest.models import ModelOf
from activities.runtime import temporal
from activities.runtime.failures import reason_of
from activities.schedules.kinds import Occurrence, start_job
from activities.stores.catalog.catalog import Catalog


class ScheduledRunActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, catalog: Catalog, model_of: ModelOf) -> None:
        self._catalog, self._model_of = catalog, model_of

    @activity.defn(name="begin_scheduled")
    async def begin_scheduled(self, input: BeginScheduledInput) -> ScheduledBegun:
        """Records the run and makes the record of its job, once; without a job for an occurrence that is skipped."""
        schedules = self._catalog.schedules
        try:
            schedule, run, was_done = await schedules.begin_run(input)
        except NotFound as exc:  # deleted, maybe with its knowledge base
            return ScheduledBegun(record_id="", reason=exc.reason)
        if was_done:
            return ScheduledBegun(record_id=run.id, reason=OccurrenceDone().reason)
        try:
            job = await start_job(self._catalog, Occurrence(schedule, run, input.at, self._model_of))
        except (Conflict, NotFound) as exc:
            return ScheduledBegun(record_id=run.id, reason=exc.reason)
        await schedules.started(run.id, job.id)
        return ScheduledBegun(record_id=run.id, job=job)

    @activity.defn(name="record_scheduled")
    async def record_scheduled(self, input: RecordScheduledInput) -> None:
        """Records how a run goes."""
        await self._catalog.schedules.record_run(input)

    @activity.defn(name="look_at_job")
    async def look_at_job(self, input: LookAtJobInput) -> JobSeen:
        """How a job goes that another run has started."""
        client = activity.client()
        run = await temporal.describe(client, input.workflow_id)
        if run is None or run.status is WorkflowExecutionStatus.TERMINATED:
            return JobSeen(state="canceled", reason=Canceled().reason)
        if run.status is WorkflowExecutionStatus.RUNNING:
            return JobSeen(state="running")
        try:
            async with temporal.translated():
                result = await client.get_workflow_handle(input.workflow_id, run_id=run.run_id).result()
        except WorkflowFailureError as exc:
            reason = reason_of(exc.cause)
            return JobSeen(state="canceled" if reason.code == Canceled.code else "failed", reason=reason)
        return JobSeen(state="ready", counts=counts_of(result))
