"""Re-indexes of many knowledge bases, in order."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import Parameter
from litestar.response import Stream

from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from api.http.access import needs
from api.http.described import JOB_STREAM
from api.http.language import language_of
from api.http.schemas import JobAccepted, Page, page_of
from api.http.sse import after, event_stream, job_states
from api.reindex_all.control import ReindexAllControl
from api.reindex_all.schemas import ReindexAllInfo, ReindexAllRequest
from api.reindex_all.views import (
    ReindexAllProgress,
    reindex_all_event,
    reindex_all_info,
    reindex_all_job,
    reindex_all_report,
)

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=100, description="Maximum number of items on a page.")]

OPERATES = needs("operator")


class ReindexAllController(Controller):
    path = "/api/v1/reindex-all"
    tags = ["Re-index"]

    @post(status_code=202, access=OPERATES, summary="Re-index many knowledge bases in order, or estimate it")
    async def start(
        self,
        all_control: ReindexAllControl,
        principal: Principal,
        data: ReindexAllRequest | None = None,
    ) -> JobAccepted:
        job = await all_control.start(data or ReindexAllRequest(), principal.subject)
        return reindex_all_job(job.id, job.state)

    @get(access=OPERATES, summary="List re-indexes of many knowledge bases, newest first")
    async def index(self, catalog: Catalog, cursor: str | None = None, limit: Limit = 20) -> Page[ReindexAllInfo]:
        found = await catalog.reindex_alls.page(cursor, limit)
        return page_of(found, limit, reindex_all_info)

    @get(
        "/{many_id:str}",
        access=OPERATES,
        summary="Get a re-index of many knowledge bases, with the report of each",
    )
    async def show(self, many_id: str, request: AnyRequest, catalog: Catalog) -> ReindexAllInfo:
        return reindex_all_report(await _progress(catalog, many_id), language_of(request))

    @get(
        "/{many_id:str}/events",
        access=OPERATES,
        summary="Stream the report of a re-index of many knowledge bases as server-sent events until it ends",
        responses=JOB_STREAM,
    )
    async def events(self, many_id: str, request: AnyRequest, catalog: Catalog) -> Stream:
        language = language_of(request)
        states = job_states(
            await _progress(catalog, many_id),
            lambda: _progress(catalog, many_id),
            lambda progress: reindex_all_event(reindex_all_report(progress, language)),
        )
        return event_stream(after(request.headers.get("last-event-id"), states))

    @post("/{many_id:str}/pause", status_code=202, access=OPERATES, summary="Pause the re-indexes, and begin none")
    async def pause(self, many_id: str, all_control: ReindexAllControl, principal: Principal) -> JobAccepted:
        await all_control.control(many_id, "pause", principal.subject)
        return reindex_all_job(many_id, "paused")

    @post("/{many_id:str}/resume", status_code=202, access=OPERATES, summary="Resume the re-indexes")
    async def resume(self, many_id: str, all_control: ReindexAllControl, principal: Principal) -> JobAccepted:
        await all_control.control(many_id, "resume", principal.subject)
        return reindex_all_job(many_id, "running")

    @post(
        "/{many_id:str}/cancel",
        status_code=202,
        access=OPERATES,
        summary="Cancel those that are not switched yet",
    )
    async def cancel(self, many_id: str, all_control: ReindexAllControl, principal: Principal) -> JobAccepted:
        await all_control.control(many_id, "cancel", principal.subject)
        return reindex_all_job(many_id, "canceled")


async def _progress(catalog: Catalog, id: str) -> ReindexAllProgress:
    """A job, and how far its re-indexes are. Raises NotFound."""
    job = await catalog.reindex_alls.get(id)
    begun = [item.reindex_id for item in job.items if item.reindex_id]
    return ReindexAllProgress(job, await catalog.reindexes.with_ids(begun))
