"""Control of schedules: each change goes to the catalogue, then to Temporal, and is undone if Temporal is down."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
from litestar.exceptions import ValidationException
from temporalio.client import ScheduleDescription

from activities.contracts.retention import ExpiredInput
from activities.contracts.schedules import GOES_ON, MAX_BACKFILL, RetentionOptions, ScheduleKind, Timing
from activities.errors import DependencyError, InvalidRequest, NotFound, ScheduleRuns, ScheduleTaken, WrongState
from activities.phrases import Phrase
from activities.runtime import schedules as timers
from activities.schedules import apply
from activities.schedules.kinds import check_options
from activities.schedules.timing import check_timing, occurrences
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.schedule_records import NewSchedule, Schedule, ScheduleRun
from api.schedules.schemas import (
    BackfillRequest,
    ChangeSchedule,
    ConfirmRequest,
    CreateSchedule,
    RetentionPreview,
)
from api.schedules.views import retention_preview
from workflows.client.jobs import Jobs

#: Runs that are shown of a schedule, and documents of a preview.
RUNS, PREVIEWED = 20, 20

#: Schedules that Temporal is asked about at once.
AT_ONCE = 16

#: A backfill begins later than this: times near the year 1 are in no time zone.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

#: The longest time of which a backfill can start the runs.
MAX_BACKFILL_RANGE = timedelta(days=366)


class ScheduleControl:
    """Raises DependencyErrors; then nothing was changed."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs

    async def create(self, knowledge_base: KnowledgeBase, asked: CreateSchedule, actor: str) -> Schedule:
        """Make a schedule. Raises InvalidRequest, ScheduleTaken and TooManySchedules."""
        timing = Timing(
            cron=" ".join((asked.cron or "").split()),
            every_minutes=asked.every_minutes or 0,
            time_zone=asked.time_zone,
            catch_up_minutes=asked.catch_up_minutes,
        )
        check_timing(timing)
        new = NewSchedule(
            name=asked.name,
            kind=asked.kind,
            knowledge_base_id=knowledge_base.id,
            options=await self._options(knowledge_base, asked.kind, asked.options),
            timing=timing,
            paused=asked.paused,
            note=asked.note,
            actor=actor,
        )
        await self._jobs.ping()
        made = await self._catalog.schedules.create(new)
        try:
            return await apply.apply(self._jobs.client, self._catalog, made.name)
        except (DependencyError, ScheduleTaken):
            await self._catalog.schedules.remove(made.id, actor)
            raise

    async def change(
        self, knowledge_base: KnowledgeBase, schedule: Schedule, asked: ChangeSchedule, actor: str
    ) -> Schedule:
        """Change what is given. Raises InvalidRequest."""
        given = {
            name: getattr(asked, name) for name in asked.__struct_fields__ if getattr(asked, name) is not msgspec.UNSET
        }
        if "cron" in given:
            given |= {"cron": " ".join(given["cron"].split())}
            given |= {} if "every_minutes" in given else {"every_minutes": 0}
        elif "every_minutes" in given:
            given["cron"] = ""
        timing = {name: value for name, value in given.items() if name in Timing.__struct_fields__}
        check_timing(msgspec.structs.replace(schedule.timing, **timing))
        if "options" in given:
            options = schedule.options | given["options"]
            given["options"] = await self._options(knowledge_base, schedule.kind, options)
        return await self._change(schedule, actor, "change", **given) if given else schedule

    async def pause(self, schedule: Schedule, note: str, actor: str) -> Schedule:
        """Start no more runs; a run in progress goes on."""
        return await self._change(schedule, actor, "pause", paused=True, note=note)

    async def resume(self, schedule: Schedule, actor: str) -> Schedule:
        """Start runs again; those of the time in between are left out."""
        return await self._change(schedule, actor, "resume", paused=False, note="")

    async def delete(self, schedule: Schedule, actor: str) -> None:
        """Delete a schedule with the record of its runs; a run in progress goes on to its end."""
        await self._jobs.ping()
        marked = await self._catalog.schedules.change(schedule.id, actor, "delete", is_deleting=True)
        try:
            await apply.delete(self._jobs.client, self._catalog, schedule)
        except DependencyError:
            await self._catalog.schedules.put_back(schedule, marked.revision, actor)
            raise

    async def run(self, schedule: Schedule, actor: str) -> None:
        """Start a run now, also of a paused schedule. Raises ScheduleRuns."""
        described = await self._described(schedule)
        if described.info.running_actions:
            raise ScheduleRuns(name=schedule.name)
        await timers.trigger(self._jobs.client, schedule.name)
        await self._catalog.schedules.note(schedule, actor, "run", name=schedule.name)

    async def backfill(self, schedule: Schedule, asked: BackfillRequest, actor: str) -> int:
        """Start the runs of a past time, one after the other; their number. Raises InvalidRequest."""
        start, end = (at if at.tzinfo else at.replace(tzinfo=UTC) for at in (asked.start, asked.end))
        if not EARLIEST <= start < end <= datetime.now(UTC) or end - start > MAX_BACKFILL_RANGE:
            raise InvalidRequest(detail=Phrase.BACKFILL_RANGE, limit=MAX_BACKFILL_RANGE.days)
        count = len(list(islice(occurrences(schedule.timing, start, end), MAX_BACKFILL + 1)))
        if not 1 <= count <= MAX_BACKFILL:
            raise InvalidRequest(
                detail=Phrase.BACKFILL_COUNT, count=count if count <= MAX_BACKFILL else f"> {MAX_BACKFILL}",
                limit=MAX_BACKFILL,
            )  # fmt: skip
        await self._described(schedule)
        await timers.backfill(self._jobs.client, schedule.name, start, end)
        times = {"start": start.isoformat(), "end": end.isoformat()}
        await self._catalog.schedules.note(schedule, actor, "backfill", name=schedule.name, runs=count, **times)
        return count

    async def confirm(self, schedule: Schedule, asked: ConfirmRequest, actor: str) -> ScheduleRun:
        """Allow the run that waits to delete as many documents. Raises WrongState and InvalidRequest."""
        run = self._latest(schedule, ("waiting",))
        counted = run.counts.get("expired", 0)
        documents = counted if asked.documents is None else asked.documents
        if documents < counted:
            raise InvalidRequest(detail=Phrase.CONFIRM_FEWER, counted=counted, documents=documents)
        if not await self._jobs.signal(run.job_workflow_id, "confirm", documents, actor):
            raise WrongState(state="ready")
        await self._catalog.schedules.note(schedule, actor, "confirm", name=schedule.name, documents=documents)
        return run

    async def cancel(self, schedule: Schedule, actor: str) -> ScheduleRun:
        """Cancel the run in progress, with its job. Raises WrongState, also for a re-index that has switched."""
        run = self._latest(schedule, GOES_ON)
        if schedule.kind == "reindex" and await self._has_switched(run):
            raise WrongState(state="ready")
        if not await self._jobs.cancel(run.workflow_id, actor):
            raise WrongState(state="ready")
        await self._catalog.schedules.note(schedule, actor, "cancel", name=schedule.name, occurrence=run.occurrence)
        return run

    async def preview(self, knowledge_base: KnowledgeBase, options: RetentionOptions) -> RetentionPreview:
        """What a retention would delete now; deletes nothing. Raises InvalidRequest."""
        stored = await check_options(self._catalog, knowledge_base, "retention", msgspec.to_builtins(options))
        options = msgspec.convert(stored, RetentionOptions)
        input = ExpiredInput(
            knowledge_base_id=knowledge_base.id,
            cutoff=datetime.now(UTC) - timedelta(days=options.days),
            options=options,
            limit=PREVIEWED,
        )
        counted = await self._catalog.old_documents.count(input)
        return retention_preview(counted, await self._catalog.old_documents.page(input), options)

    async def described(self, names: list[str]) -> list[ScheduleDescription | None]:
        """What Temporal says of schedules; None for all while it is down."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> ScheduleDescription | None:
            async with slots:
                return await timers.describe(self._jobs.client, name)

        try:
            await self._jobs.ensure_available()
            return await asyncio.gather(*(one(name) for name in names))
        except DependencyError:
            return [None] * len(names)

    async def _described(self, schedule: Schedule) -> ScheduleDescription:
        """What Temporal says of a schedule, which is made again if it was lost there."""
        found = await timers.describe(self._jobs.client, schedule.name)
        if found is None:
            await apply.apply(self._jobs.client, self._catalog, schedule.name)
            found = await timers.describe(self._jobs.client, schedule.name)
        if found is None:
            raise WrongState(state="queued")
        return found

    async def _change(self, schedule: Schedule, actor: str, action: str, **fields: Any) -> Schedule:
        await self._jobs.ping()
        changed = await self._catalog.schedules.change(schedule.id, actor, action, **fields)
        try:
            return await apply.apply(self._jobs.client, self._catalog, schedule.name)
        except DependencyError:
            await self._catalog.schedules.put_back(schedule, changed.revision, actor)
            raise

    async def _options(
        self, knowledge_base: KnowledgeBase, kind: ScheduleKind, given: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            return await check_options(self._catalog, knowledge_base, kind, given)
        except msgspec.ValidationError as exc:
            raise ValidationException(extra=[{"key": "options", "message": str(exc)}]) from exc

    async def _has_switched(self, run: ScheduleRun) -> bool:
        """Whether what the run built is in use: to cancel the run would then remove the way back."""
        try:
            return (await self._catalog.reindexes.get(run.job_id)).switched_at is not None
        except NotFound:
            return False

    def _latest(self, schedule: Schedule, states: tuple[str, ...]) -> ScheduleRun:
        """The latest run, in one of these states. Raises WrongState."""
        run = schedule.last
        if run is None or run.state not in states:
            raise WrongState(state=run.state if run else "ready")
        return run
