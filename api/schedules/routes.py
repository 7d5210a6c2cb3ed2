"""Schedules: create, list, show, change, pause, resume, run, backfill, confirm, cancel, delete."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, patch, post
from litestar.params import Parameter

from activities.contracts import addresses
from activities.contracts.schedules import RECONCILE_SCHEDULE
from activities.errors import ManagedBySetting
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Principal
from activities.stores.catalog.schedule_records import Schedule
from api.http.access import Access, has, needs
from api.http.language import language_of
from api.http.schemas import JobAccepted, Page
from api.schedules.control import RUNS, ScheduleControl
from api.schedules.managed import SETTING, ReconcileSchedule
from api.schedules.schemas import (
    BackfillAccepted,
    BackfillRequest,
    ChangeSchedule,
    ConfirmRequest,
    CreateSchedule,
    PauseRequest,
    RetentionPreview,
    RetentionPreviewRequest,
    ScheduleInfo,
)
from api.schedules.views import schedule_info

AnyRequest = Request[Any, Any, Any]
KbFilter = Annotated[str | None, Parameter(description="Only those of this knowledge base.")]

SEES = needs("reader", "knowledge_base", at="knowledge_base")
CREATES = needs("manager", "knowledge_base", at="knowledge_base", also=("operator",))
CHANGES = needs("manager", "schedule", also=("operator",))
#: A retention deletes documents, which an operator as such may not.
DELETES = needs("manager", "knowledge_base", at="knowledge_base")


class SchedulesController(Controller):
    path = "/api/v1/schedules"
    tags = ["Schedules"]

    @get(access=needs("reader"), summary="List the schedules of your knowledge bases; Reconcile's for operators")
    async def index(
        self,
        request: AnyRequest,
        catalog: Catalog,
        access: Access,
        schedule_control: ScheduleControl,
        reconcile_schedule: ReconcileSchedule,
        principal: Principal,
        kb: KbFilter = None,
    ) -> Page[ScheduleInfo]:
        language = language_of(request)
        only = (await access.named(principal, SEES, kb)).id if kb else None
        found = await _visible(catalog, access, principal, only)
        described = await schedule_control.described([schedule.name for schedule in found])
        items = [schedule_info(*pair, language) for pair in zip(found, described, strict=True)]
        if not kb and has(principal, "operator"):
            items += await reconcile_schedule.if_known(language)
        return Page(items=items)

    @post(
        status_code=201,
        access=needs("reader"),  # … and CREATES, of the knowledge base that the body names
        summary="Create a schedule that starts a re-index, a sync or a retention",
    )
    async def create(
        self,
        data: CreateSchedule,
        request: AnyRequest,
        access: Access,
        schedule_control: ScheduleControl,
        principal: Principal,
    ) -> ScheduleInfo:
        knowledge_base = await access.named(
            principal, DELETES if data.kind == "retention" else CREATES, data.knowledge_base
        )
        made = await schedule_control.create(knowledge_base, data, principal.subject)
        (described,) = await schedule_control.described([made.name])
        return schedule_info(made, described, language_of(request))


class ScheduleController(Controller):
    path = "/api/v1/schedules/{schedule_name:str}"
    tags = ["Schedules"]

    @get(access=needs("reader", "schedule"), summary="Get a schedule with its latest runs")
    async def show(
        self, schedule: Schedule, request: AnyRequest, catalog: Catalog, schedule_control: ScheduleControl
    ) -> ScheduleInfo:
        (described,) = await schedule_control.described([schedule.name])
        return schedule_info(schedule, described, language_of(request), await catalog.schedules.runs(schedule.id, RUNS))

    @patch(access=CHANGES, summary="Change when a schedule fires, its options or its note")
    async def change(
        self,
        schedule: Schedule,
        knowledge_base: KnowledgeBase,
        data: ChangeSchedule,
        request: AnyRequest,
        access: Access,
        schedule_control: ScheduleControl,
        principal: Principal,
    ) -> ScheduleInfo:
        await _may_let_it_delete(access, principal, schedule)
        changed = await schedule_control.change(knowledge_base, schedule, data, principal.subject)
        (described,) = await schedule_control.described([schedule.name])
        return schedule_info(changed, described, language_of(request))

    @delete(status_code=204, access=CHANGES, summary="Delete a schedule; a run in progress goes on")
    async def remove(self, schedule: Schedule, schedule_control: ScheduleControl, principal: Principal) -> None:
        await schedule_control.delete(schedule, principal.subject)

    @post("/pause", status_code=200, access=CHANGES, summary="Pause a schedule; a run in progress goes on")
    async def pause(
        self,
        schedule: Schedule,
        request: AnyRequest,
        schedule_control: ScheduleControl,
        principal: Principal,
        data: PauseRequest | None = None,
    ) -> ScheduleInfo:
        note = data.note if data else ""
        paused = await schedule_control.pause(schedule, note, principal.subject)
        (described,) = await schedule_control.described([schedule.name])
        return schedule_info(paused, described, language_of(request))

    @post("/resume", status_code=200, access=CHANGES, summary="Resume a schedule")
    async def resume(
        self,
        schedule: Schedule,
        request: AnyRequest,
        access: Access,
        schedule_control: ScheduleControl,
        principal: Principal,
    ) -> ScheduleInfo:
        await _may_let_it_delete(access, principal, schedule)
        resumed = await schedule_control.resume(schedule, principal.subject)
        (described,) = await schedule_control.described([schedule.name])
        return schedule_info(resumed, described, language_of(request))

    @post("/run", status_code=202, access=CHANGES, summary="Start a run now, also of a paused schedule")
    async def run(
        self, schedule: Schedule, access: Access, schedule_control: ScheduleControl, principal: Principal
    ) -> JobAccepted:
        await _may_let_it_delete(access, principal, schedule)
        await schedule_control.run(schedule, principal.subject)
        return _accepted(schedule.name, "queued", "")

    @post("/backfill", status_code=202, access=CHANGES, summary="Start the runs of a past time, one after the other")
    async def backfill(
        self,
        schedule: Schedule,
        data: BackfillRequest,
        access: Access,
        schedule_control: ScheduleControl,
        principal: Principal,
    ) -> BackfillAccepted:
        await _may_let_it_delete(access, principal, schedule)
        runs = await schedule_control.backfill(schedule, data, principal.subject)
        return BackfillAccepted(name=schedule.name, runs=runs)

    @post("/confirm", status_code=202, access=CHANGES, summary="Let the run that waits delete what it has counted")
    async def confirm(
        self,
        schedule: Schedule,
        access: Access,
        schedule_control: ScheduleControl,
        principal: Principal,
        data: ConfirmRequest | None = None,
    ) -> JobAccepted:
        await _may_let_it_delete(access, principal, schedule)
        run = await schedule_control.confirm(schedule, data or ConfirmRequest(), principal.subject)
        return _accepted(schedule.name, "running", run.job_workflow_id)

    @post("/cancel", status_code=202, access=CHANGES, summary="Cancel the run in progress, with its job")
    async def cancel(self, schedule: Schedule, schedule_control: ScheduleControl, principal: Principal) -> JobAccepted:
        run = await schedule_control.cancel(schedule, principal.subject)
        return _accepted(schedule.name, "canceled", run.workflow_id)


class RetentionPreviewController(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/retention-preview"
    tags = ["Schedules"]

    @post(
        status_code=200,
        access=needs("manager", "knowledge_base", also=("operator",)),
        summary="Count and name the documents that a retention would delete now; deletes nothing",
    )
    async def preview(
        self, knowledge_base: KnowledgeBase, data: RetentionPreviewRequest, schedule_control: ScheduleControl
    ) -> RetentionPreview:
        return await schedule_control.preview(knowledge_base, data)


class ReconcileScheduleController(Controller):
    """The schedule that a setting makes; its path comes before those of all others."""

    path = f"/api/v1/schedules/{RECONCILE_SCHEDULE}"
    tags = ["Schedules"]

    @get(access=needs("operator"), summary="Get the schedule of the comparison of all stores")
    async def show(self, request: AnyRequest, reconcile_schedule: ReconcileSchedule) -> ScheduleInfo:
        return await reconcile_schedule.info(language_of(request))

    @patch(access=needs("operator"), summary="Refused: a setting decides on this schedule")
    async def change(self) -> None:
        raise ManagedBySetting(name=RECONCILE_SCHEDULE, setting=SETTING)

    @delete(access=needs("operator"), summary="Refused: a setting decides on this schedule")
    async def remove(self) -> None:
        raise ManagedBySetting(name=RECONCILE_SCHEDULE, setting=SETTING)

    @post("/pause", status_code=200, access=needs("operator"), summary="Pause the comparison of all stores")
    async def pause(
        self,
        request: AnyRequest,
        reconcile_schedule: ReconcileSchedule,
        principal: Principal,
        data: PauseRequest | None = None,
    ) -> ScheduleInfo:
        await reconcile_schedule.pause(data.note if data else "", principal.subject)
        return await reconcile_schedule.info(language_of(request))

    @post("/resume", status_code=200, access=needs("operator"), summary="Resume the comparison of all stores")
    async def resume(
        self, request: AnyRequest, reconcile_schedule: ReconcileSchedule, principal: Principal
    ) -> ScheduleInfo:
        await reconcile_schedule.resume(principal.subject)
        return await reconcile_schedule.info(language_of(request))

    @post("/run", status_code=202, access=needs("operator"), summary="Compare all stores now")
    async def run(self, reconcile_schedule: ReconcileSchedule, principal: Principal) -> JobAccepted:
        await reconcile_schedule.run(principal.subject)
        return _accepted(RECONCILE_SCHEDULE, "queued", "")


async def _visible(catalog: Catalog, access: Access, principal: Principal, only: str | None) -> list[Schedule]:
    """The schedules of the knowledge bases that the caller may see, or of one of them."""
    found = await catalog.schedules.all(only)
    bases = [await catalog.knowledge_bases.by_id(id) for id in {schedule.knowledge_base_id for schedule in found}]
    readable = {base.id for base in await access.readable(principal, bases)}
    return [schedule for schedule in found if schedule.knowledge_base_id in readable]


def _accepted(name: str, state: str, workflow_id: str) -> JobAccepted:
    return JobAccepted(id=name, state=state, workflow_id=workflow_id, status_url=addresses.schedule(name))


async def _may_let_it_delete(access: Access, principal: Principal, schedule: Schedule) -> None:
    """Raises Forbidden for a retention, unless the caller may delete documents."""
    if schedule.kind == "retention":
        await access.named(principal, DELETES, schedule.knowledge_base)
