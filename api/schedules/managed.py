"""The schedule of Reconcile, which the setting HOLDFAST_RECONCILE_MINUTES makes: shown, paused, resumed, run."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import ScheduleActionResult, ScheduleDescription, WorkflowExecutionStatus

from activities.contracts.schedules import RECONCILE_SCHEDULE, ScheduleRunState, Timing
from activities.errors import DependencyError, Language, NotFound, ScheduleRuns
from activities.runtime import schedules as timers
from activities.runtime import temporal
from activities.stores.catalog.catalog import Catalog
from api.schedules.schemas import ScheduleInfo, ScheduleRunInfo
from api.schedules.views import next_times, when
from workflows.client.jobs import Jobs

SETTING = "HOLDFAST_RECONCILE_MINUTES"

#: Runs that are looked up.
RUNS = 5

_STATES: dict[WorkflowExecutionStatus | None, ScheduleRunState] = {
    WorkflowExecutionStatus.RUNNING: "running",
    WorkflowExecutionStatus.COMPLETED: "ready",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "failed",
}


class ReconcileSchedule:
    """Raises NotFound if the setting is 0, and DependencyErrors."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs

    async def info(self, language: Language) -> ScheduleInfo:
        """The schedule, with its latest runs."""
        described = await self._described()
        found = [await self._run(execution) for execution in described.info.recent_actions[-RUNS:][::-1]]
        every = next((spec.every for spec in described.schedule.spec.intervals), timedelta())
        minutes = int(every.total_seconds() // 60)
        state = described.schedule.state
        created_at = described.info.created_at
        return ScheduleInfo(
            name=RECONCILE_SCHEDULE,
            kind="reconcile",
            knowledge_base=None,
            options={},
            cron=None,
            every_minutes=minutes,
            time_zone="UTC",
            catch_up_minutes=int((described.schedule.policy.catchup_window or timedelta()).total_seconds() // 60),
            when=when(Timing(every_minutes=minutes), language),
            paused=state.paused,
            note=(state.note or "") if state.paused else "",
            managed_by=SETTING,
            actor="system",
            created_at=created_at,
            updated_at=described.info.last_updated_at or created_at,
            next=next_times(described, "UTC", paused=state.paused),
            skipped=described.info.num_actions_skipped_overlap,
            missed=described.info.num_actions_missed_catchup_window,
            last=found[0] if found else None,
            runs=found,
        )

    async def if_known(self, language: Language) -> list[ScheduleInfo]:
        """The schedule for a list: nothing while the setting is 0, or Temporal is down."""
        try:
            await self._jobs.ensure_available()
            return [await self.info(language)]
        except (NotFound, DependencyError):
            return []

    async def pause(self, note: str, actor: str) -> None:
        """Start no more runs."""
        await self._described()
        await timers.pause(self._jobs.client, RECONCILE_SCHEDULE, note or f"by {actor}")
        await self._catalog.audit.note(actor, "schedule.pause", RECONCILE_SCHEDULE, name=RECONCILE_SCHEDULE, note=note)

    async def resume(self, actor: str) -> None:
        """Start runs again."""
        await self._described()
        await timers.resume(self._jobs.client, RECONCILE_SCHEDULE, f"by {actor}")
        await self._catalog.audit.note(actor, "schedule.resume", RECONCILE_SCHEDULE, name=RECONCILE_SCHEDULE)

    async def run(self, actor: str) -> None:
        """Start a run now. Raises ScheduleRuns."""
        if (await self._described()).info.running_actions:
            raise ScheduleRuns(name=RECONCILE_SCHEDULE)
        await timers.trigger(self._jobs.client, RECONCILE_SCHEDULE)
        await self._catalog.audit.note(actor, "schedule.run", RECONCILE_SCHEDULE, name=RECONCILE_SCHEDULE)

    async def _described(self) -> ScheduleDescription:
        found = await timers.describe(self._jobs.client, RECONCILE_SCHEDULE)
        if found is None:
            raise NotFound(kind="schedule", id=RECONCILE_SCHEDULE)
        return found

    async def _run(self, execution: ScheduleActionResult) -> ScheduleRunInfo:
        action = execution.action
        id, run_id = getattr(action, "workflow_id", ""), getattr(action, "first_execution_run_id", None)
        run = await temporal.describe(self._jobs.client, id, run_id)
        return ScheduleRunInfo(
            occurrence=id.partition("/")[2],
            workflow_id=id,
            job_workflow_id=None,
            state=_STATES.get(run.status, "canceled") if run is not None else "ready",  # past its retention
            reason=None,
            counts={},
            started_at=execution.started_at,
            finished_at=run.close_time if run is not None else None,
        )
