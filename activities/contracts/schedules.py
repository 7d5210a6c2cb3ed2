"""Schedules: when they fire, what they start, and the inputs and results of the activities of a scheduled run."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from activities.contracts import Contract
from activities.contracts.names import MAX_NAME, MAX_TAG
from activities.contracts.reindex import MAX_WINDOW
from activities.errors import Reason

#: What a schedule starts; ``activities.schedules.kinds`` has the table.
ScheduleKind = Literal["reindex", "retention", "sync"]

#: How a scheduled run goes, or went: ``skipped`` ones had nothing to start, as their reason says.
ScheduleRunState = Literal["running", "waiting", "ready", "failed", "canceled", "skipped"]

#: States of a scheduled run that goes on.
GOES_ON: tuple[ScheduleRunState, ...] = ("running", "waiting")

#: The schedule of ``Reconcile``, which a setting manages: its id in Temporal, and its name.
RECONCILE_SCHEDULE = "reconcile"

#: Schedules of a knowledge base and of the platform, runs that are kept of each, and occurrences of one backfill.
MAX_SCHEDULES, MAX_ALL_SCHEDULES, KEPT_RUNS, MAX_BACKFILL = 200, 2000, 50, 100

#: Lengths of texts: a cron expression, the name of a time zone, a note.
MAX_CRON, MAX_ZONE, MAX_NOTE = 120, 64, 500

#: The longest interval, and the longest time within which missed starts are caught up.
MAX_EVERY_MINUTES, MAX_CATCH_UP_MINUTES = 366 * 24 * 60, 7 * 24 * 60


class Timing(Contract, frozen=True):
    """When a schedule fires: by ``cron`` on the clocks of ``time_zone``, or ``every_minutes``; one of the two.

    Starts that were missed, while Temporal was down, are caught up for ``catch_up_minutes``.
    """

    cron: str = ""
    every_minutes: int = 0
    time_zone: str = "UTC"
    catch_up_minutes: int = 60


class ReindexOptions(Contract, frozen=True):
    """The settings of a scheduled re-index; the chunking is by default that of its knowledge base."""

    max_tokens: Annotated[int, Meta(ge=32, le=2048)] | None = None
    overlap_tokens: Annotated[int, Meta(ge=0, le=512)] | None = None
    approve: bool = False
    parallelism: Annotated[int, Meta(ge=1, le=64)] = 8
    throttle: Annotated[float, Meta(gt=0, le=1)] = 1.0
    window: Annotated[str, Meta(max_length=MAX_WINDOW)] = ""
    soak_seconds: Annotated[float, Meta(ge=5, le=30 * 86400)] = 3600.0


class RetentionOptions(Contract, frozen=True):
    """Documents whose latest version was uploaded more than ``days`` ago are deleted.

    Only those with ``tag`` and a name that matches the glob ``names``, if given; of them the newest ``keep_at_least``
    stay. A run that would delete more than ``max_share`` of the documents of the knowledge base waits until that is
    confirmed.
    """

    days: Annotated[int, Meta(ge=1, le=36_500)]
    tag: Annotated[str, Meta(max_length=MAX_TAG)] = ""
    names: Annotated[str, Meta(max_length=MAX_NAME)] = ""
    keep_at_least: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    max_share: Annotated[float, Meta(gt=0, le=1)] = 0.2


class SyncOptions(Contract, frozen=True):
    """The source that is synced, by its id or name."""

    source_id: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class TimedSchedule(Contract, frozen=True):
    """What Temporal holds of a schedule."""

    schedule_id: str
    name: str
    kind: ScheduleKind
    knowledge_base: str
    timing: Timing
    paused: bool
    note: str
    actor: str


class ScheduleToRun(Contract, frozen=True):
    """The schedule that fired. Everything else is read from the catalogue: what is deleted there starts nothing."""

    schedule_id: str
    name: str


class BeginScheduledInput(Contract, frozen=True):
    """A run of a schedule: ``occurrence`` names the time ``at`` for which it was started, ``run_id`` is Temporal's."""

    schedule_id: str
    occurrence: str
    at: datetime
    workflow_id: str
    run_id: str


class JobToStart(Contract, frozen=True):
    """The workflow that a scheduled run starts and follows; ``address`` is that of its object in the API."""

    workflow: str
    id: str
    input: dict[str, Any]
    summary: str
    knowledge_base: str
    actor: str
    address: str = ""


class ScheduledBegun(Contract, frozen=True):
    """``job`` is None for an occurrence that is skipped, for ``reason``."""

    record_id: str
    job: JobToStart | None = None
    reason: Reason | None = None


class RecordScheduledInput(Contract, frozen=True):
    """How a scheduled run goes; fields that are None stay as they are."""

    record_id: str
    state: ScheduleRunState
    reason: Reason | None = None
    counts: dict[str, int] | None = None


class LookAtJobInput(Contract, frozen=True):
    workflow_id: str


class JobSeen(Contract, frozen=True):
    """A job that another run started: ``state`` is ``running`` until it has ended; then what came of it."""

    state: ScheduleRunState
    reason: Reason | None = None
    counts: dict[str, int] = {}


def counts_of(result: object) -> dict[str, int]:
    """The numbers in a job's result, for the record of the scheduled run that started it."""
    if not isinstance(result, dict):
        return {}
    return {str(name): value for name, value in result.items() if type(value) is int}
