"""Records of schedules and their runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from activities.contracts.schedules import ScheduleKind, ScheduleRunState, TimedSchedule, Timing
from activities.errors import Reason
from activities.stores.catalog.records import Record


class ScheduleRun(Record, frozen=True):
    """A run of a schedule; ``job_id`` is the id of what it starts, where that has a record of its own."""

    id: str
    schedule_id: str
    run_id: str
    occurrence: str
    workflow_id: str
    job_id: str
    job_workflow_id: str
    state: ScheduleRunState
    reason: Reason | None
    counts: dict[str, int]
    started_at: datetime
    finished_at: datetime | None


class Schedule(Record, frozen=True):
    """A schedule; ``options`` are those of its kind, as they were given."""

    id: str
    name: str
    kind: ScheduleKind
    knowledge_base_id: str
    knowledge_base: str
    options: dict[str, Any]
    timing: Timing
    paused: bool
    note: str
    revision: int
    is_deleting: bool
    actor: str
    created_at: datetime
    updated_at: datetime
    last: ScheduleRun | None = None

    def timed(self) -> TimedSchedule:
        """What Temporal holds of it."""
        return TimedSchedule(
            schedule_id=self.id,
            name=self.name,
            kind=self.kind,
            knowledge_base=self.knowledge_base,
            timing=self.timing,
            paused=self.paused,
            note=self.note,
            actor=self.actor,
        )


class NewSchedule(Record, frozen=True):
    """A schedule to be made."""

    name: str
    kind: ScheduleKind
    knowledge_base_id: str
    options: dict[str, Any]
    timing: Timing
    paused: bool
    note: str
    actor: str
