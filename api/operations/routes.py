"""The operations page: one snapshot, its changes, more jobs, and retries of what failed."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import Parameter
from litestar.response import Stream

from activities.contracts.stages import JobKind
from activities.errors import Language
from activities.settings import Settings, TemporalSettings
from activities.stores.catalog.records import Principal
from api.http.access import Access, needs
from api.http.described import streamed
from api.http.language import language_of
from api.http.schemas import Page
from api.http.sse import Event, EventStream, event_stream
from api.operations.monitor import SHARED_SECONDS, Monitor
from api.operations.retries import FailureRetries
from api.operations.schemas import JobInfo, OperationsInfo, RetryAccepted, RetryRequest
from api.operations.views import cursor_of, job_infos, operations_info, position_of, steady, workflow_url

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=100, description="Maximum number of items on a page.")]

#: Auditors read the trail, not this: it names machines, and every retry is in the trail.
OPERATES = needs("operator")

SNAPSHOTS = streamed(
    "`snapshot` now and after each change; `unchanged` with the time of each look in between. The stream has no end.",
    event="unchanged",
    data='{"taken_at": "2026-01-31T09:30:00Z"}',
)


class OperationsController(Controller):
    path = "/api/v1/operations"
    tags = ["Operation"]

    @get(access=OPERATES, summary="Get jobs, queues, throughput, failures, dependencies and indexes at one moment")
    async def show(self, request: AnyRequest, monitor: Monitor, settings: Settings) -> OperationsInfo:
        return operations_info(await monitor.snapshot(), language_of(request), settings.temporal)

    @get(
        "/events",
        access=OPERATES,
        summary="Stream the snapshots as server-sent events, whenever something changes",
        responses={200: SNAPSHOTS},
    )
    async def events(self, request: AnyRequest, monitor: Monitor, settings: Settings) -> Stream:
        return event_stream(_changes(monitor, language_of(request), settings.temporal))

    @get("/jobs", access=OPERATES, summary="List jobs that have not ended: started ones first, newest first")
    async def jobs(
        self,
        request: AnyRequest,
        monitor: Monitor,
        settings: Settings,
        kind: JobKind | None = None,
        cursor: str | None = None,
        limit: Limit = 20,
    ) -> Page[JobInfo]:
        page = await monitor.page(position_of(cursor), limit, kind)
        return Page(items=job_infos(page, language_of(request), settings.temporal), next_cursor=cursor_of(page.more))

    @post(
        "/failures/retry",
        status_code=202,
        access=OPERATES,
        summary="Retry all documents that failed for one reason, some at a time",
    )
    async def retry(
        self,
        data: RetryRequest,
        failure_retries: FailureRetries,
        access: Access,
        principal: Principal,
        settings: Settings,
    ) -> RetryAccepted:
        named = data.knowledge_base
        knowledge_base = await access.named(principal, OPERATES, named) if named is not None else None
        documents, workflow_id = await failure_retries.start(data.reason_code, knowledge_base, principal.subject)
        return RetryAccepted(
            reason_code=data.reason_code,
            knowledge_base=named,
            documents=documents,
            workflow_id=workflow_id,
            temporal_url=workflow_url(workflow_id, settings.temporal),
        )


async def _changes(monitor: Monitor, language: Language, temporal: TemporalSettings) -> EventStream:
    """The snapshot now and after each change; while nothing changes, only the time of each look (``unchanged``)."""
    shown: OperationsInfo | None = None
    while True:
        info = operations_info(await monitor.snapshot(), language, temporal)
        if shown is None or steady(info) != steady(shown):
            shown = info
            yield Event("snapshot", info)
        else:
            yield Event("unchanged", {"taken_at": info.taken_at})
        await asyncio.sleep(SHARED_SECONDS)
