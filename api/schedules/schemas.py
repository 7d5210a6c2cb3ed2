"""Wire types of schedules (DESIGN §6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from activities.contracts.schedules import (
    MAX_CATCH_UP_MINUTES,
    MAX_CRON,
    MAX_EVERY_MINUTES,
    MAX_NOTE,
    MAX_ZONE,
    RetentionOptions,
    ScheduleKind,
    ScheduleRunState,
)
from api.http.schemas import Request, Schema

ScheduleName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$(?!\n)",
        description="Lower-case letters, digits and hyphens, up to 63, not beginning with a hyphen.",
    ),
]
CronText = Annotated[
    str,
    Meta(
        max_length=MAX_CRON,
        description="Minute, hour, day, month, weekday: `0 2 * * 1-5`. Day and weekday have to match both.",
    ),
]
Every = Annotated[int, Meta(ge=1, le=MAX_EVERY_MINUTES, description="Minutes from one run to the next.")]
Zone = Annotated[str, Meta(min_length=1, max_length=MAX_ZONE, description="A time zone: `Europe/Berlin`.")]
CatchUp = Annotated[
    int,
    Meta(ge=1, le=MAX_CATCH_UP_MINUTES, description="Runs missed by at most so many minutes are caught up."),
]
Note = Annotated[str, Meta(max_length=MAX_NOTE)]


class CreateSchedule(Request, frozen=True):
    """A schedule: one of ``cron`` and ``every_minutes``, and the options of its kind."""

    name: ScheduleName
    kind: ScheduleKind
    knowledge_base: Annotated[str, Meta(max_length=63)]
    options: dict[str, Any] = {}
    cron: CronText | None = None
    every_minutes: Every | None = None
    time_zone: Zone = "UTC"
    catch_up_minutes: CatchUp = 60
    paused: bool = False
    note: Note = ""


class ChangeSchedule(Request, frozen=True):
    """Fields that are left out stay as they are, as do options that are left out of ``options``."""

    options: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    cron: CronText | msgspec.UnsetType = msgspec.UNSET
    every_minutes: Every | msgspec.UnsetType = msgspec.UNSET
    time_zone: Zone | msgspec.UnsetType = msgspec.UNSET
    catch_up_minutes: CatchUp | msgspec.UnsetType = msgspec.UNSET
    note: Note | msgspec.UnsetType = msgspec.UNSET


class PauseRequest(Request, frozen=True):
    """Why; shown with the schedule."""

    note: Note = ""


class BackfillRequest(Request, frozen=True):
    """The runs of a past time are started, one after the other; times have an offset, or are in UTC."""

    start: datetime
    end: datetime


class ConfirmRequest(Request, frozen=True):
    """How many documents may be deleted; by default as many as the run that waits has counted."""

    documents: Annotated[int, Meta(ge=1)] | None = None


class RetentionPreviewRequest(RetentionOptions, frozen=True, forbid_unknown_fields=True):
    """The options of a retention."""


class ExpiredInfo(Schema, frozen=True):
    id: str
    name: str
    uploaded_at: datetime


class RetentionPreview(Schema, frozen=True):
    """What a retention would delete now: ``expired`` of ``documents``; ``items`` are the oldest of them.

    ``allowed`` is False if a run would wait to be confirmed.
    """

    documents: int
    matching: int
    expired: int
    allowed: bool
    items: list[ExpiredInfo]


class BackfillAccepted(Schema, frozen=True):
    """The number of runs that are started."""

    name: str
    runs: int


class ScheduleRunInfo(Schema, frozen=True):
    """A run and what came of it. ``counts`` are those of its job."""

    occurrence: str
    workflow_id: str
    job_workflow_id: str | None
    state: ScheduleRunState
    reason: str | None
    counts: dict[str, int]
    started_at: datetime
    finished_at: datetime | None


class ScheduleInfo(Schema, frozen=True):
    """A schedule; ``when`` says it in words, ``next`` are its next times on its own clocks, null if they are unknown.

    ``managed_by`` names the setting that decides on a schedule, which cannot be changed here then. ``skipped`` counts
    times at which the run before had not ended, ``missed`` those that were too late to be caught up.
    """

    name: str
    kind: Literal["reindex", "retention", "sync", "reconcile"]
    knowledge_base: str | None
    options: dict[str, Any]
    cron: str | None
    every_minutes: int | None
    time_zone: str
    catch_up_minutes: int
    when: str
    paused: bool
    note: str
    managed_by: str | None
    actor: str
    created_at: datetime
    updated_at: datetime
    next: list[datetime] | None
    skipped: int
    missed: int
    last: ScheduleRunInfo | None
    runs: list[ScheduleRunInfo] = []
