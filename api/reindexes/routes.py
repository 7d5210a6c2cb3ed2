"""Re-indexes: a new index of a knowledge base beside the one in use, watched and controlled."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import Parameter
from litestar.response import Stream

from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Principal, Reindex
from api.http.access import needs
from api.http.described import JOB_STREAM
from api.http.language import language_of
from api.http.schemas import JobAccepted, Page, page_of
from api.http.sse import after, event_stream, job_states, state_event
from api.reindexes.control import ReindexControl
from api.reindexes.schemas import ControlRequest, OverrideRequest, PlanRequest, ReindexInfo, ReindexRequest
from api.reindexes.views import reindex_info, reindex_job
from api.reindexes.watching import WatchedReindex, watched
from workflows.client.jobs import Jobs

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]

STARTS = needs("manager", "knowledge_base", also=("operator",))
CONTROLS = needs("manager", "reindex", also=("operator",))


class ReindexesOfKnowledgeBase(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}"
    tags = ["Re-index"]

    @post("/reindex", status_code=202, access=STARTS, summary="Build a new index beside the one in use, and switch")
    async def start(
        self,
        knowledge_base: KnowledgeBase,
        reindex_control: ReindexControl,
        principal: Principal,
        data: ReindexRequest | None = None,
    ) -> JobAccepted:
        reindex = await reindex_control.start(knowledge_base, data or ReindexRequest(), principal.subject)
        return reindex_job(reindex, "queued")

    @post("/reindex-plan", status_code=202, access=STARTS, summary="Estimate what a re-index would do")
    async def plan(
        self,
        knowledge_base: KnowledgeBase,
        reindex_control: ReindexControl,
        principal: Principal,
        data: PlanRequest | None = None,
    ) -> JobAccepted:
        reindex = await reindex_control.start(knowledge_base, data or PlanRequest(), principal.subject)
        return reindex_job(reindex, "queued")

    @get("/reindexes", access=needs("reader", "knowledge_base"), summary="List re-indexes and plans, newest first")
    async def index(
        self,
        knowledge_base: KnowledgeBase,
        request: AnyRequest,
        catalog: Catalog,
        jobs: Jobs,
        cursor: str | None = None,
        limit: Limit = 20,
    ) -> Page[ReindexInfo]:
        found = [await watched(each, jobs) for each in await catalog.reindexes.page(knowledge_base.id, cursor, limit)]
        return page_of(found, limit, lambda each: reindex_info(each.reindex, language_of(request), each.waiting_for))


class ReindexController(Controller):
    path = "/api/v1/reindexes/{reindex_id:str}"
    tags = ["Re-index"]

    @get(access=needs("reader", "reindex"), summary="Get a re-index: stage, documents, rate, time left, plan, report")
    async def show(self, reindex: Reindex, request: AnyRequest, jobs: Jobs) -> ReindexInfo:
        return reindex_info(reindex, language_of(request), (await watched(reindex, jobs)).waiting_for)

    @get(
        "/events",
        access=needs("reader", "reindex"),
        summary="Stream a re-index's states as server-sent events until it ends",
        responses=JOB_STREAM,
    )
    async def events(self, reindex: Reindex, request: AnyRequest, catalog: Catalog, jobs: Jobs) -> Stream:
        language = language_of(request)

        async def look() -> WatchedReindex:
            return await watched(await catalog.reindexes.get(reindex.id), jobs)

        states = job_states(
            await watched(reindex, jobs),
            look,
            lambda now: state_event(reindex_info(now.reindex, language, now.waiting_for)),
        )
        return event_stream(after(request.headers.get("last-event-id"), states))

    @post("/pause", status_code=202, access=CONTROLS, summary="Pause a re-index; what was built is kept")
    async def pause(self, reindex: Reindex, reindex_control: ReindexControl, principal: Principal) -> JobAccepted:
        await reindex_control.signal(reindex, "pause", principal.subject)
        return reindex_job(reindex, "paused")

    @post("/resume", status_code=202, access=CONTROLS, summary="Resume a re-index")
    async def resume(self, reindex: Reindex, reindex_control: ReindexControl, principal: Principal) -> JobAccepted:
        await reindex_control.signal(reindex, "resume", principal.subject)
        return reindex_job(reindex, "running")

    @post("/cancel", status_code=202, access=CONTROLS, summary="Cancel a re-index and remove what it built")
    async def cancel(self, reindex: Reindex, reindex_control: ReindexControl, principal: Principal) -> JobAccepted:
        await reindex_control.signal(reindex, "cancel", principal.subject)
        return reindex_job(reindex, "canceled")

    @post("/control", status_code=202, access=CONTROLS, summary="Change the speed and the hours of a re-index")
    async def control(
        self, reindex: Reindex, data: ControlRequest, reindex_control: ReindexControl, principal: Principal
    ) -> JobAccepted:
        await reindex_control.change(reindex, data, principal.subject)
        return reindex_job(reindex, reindex.state)

    @post("/approve", status_code=202, access=CONTROLS, summary="Allow the switch that another person asked for")
    async def approve(self, reindex: Reindex, reindex_control: ReindexControl, principal: Principal) -> JobAccepted:
        await reindex_control.approve(reindex, principal.subject)
        return reindex_job(reindex, "running")

    @post("/override", status_code=202, access=CONTROLS, summary="Switch although the quality gate refused it")
    async def override(
        self, reindex: Reindex, data: OverrideRequest, reindex_control: ReindexControl, principal: Principal
    ) -> JobAccepted:
        await reindex_control.override(reindex, data.reason, principal.subject)
        return reindex_job(reindex, "running")

    @post("/finish", status_code=202, access=CONTROLS, summary="Remove the index from before now")
    async def finish(self, reindex: Reindex, reindex_control: ReindexControl, principal: Principal) -> JobAccepted:
        await reindex_control.finish(reindex, principal.subject)
        return reindex_job(reindex, "running")

    @post("/rollback", status_code=202, access=CONTROLS, summary="Return to the index from before")
    async def rollback(self, reindex: Reindex, reindex_control: ReindexControl, principal: Principal) -> JobAccepted:
        await reindex_control.roll_back(reindex, principal.subject)
        return reindex_job(reindex, "canceled")
