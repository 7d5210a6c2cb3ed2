"""Batches: documents that were added together, watched and controlled as one."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import Parameter
from litestar.response import Stream

from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Batch, KnowledgeBase, Principal, Tally
from api.background.watches import BatchWatches
from api.batches.control import BatchControl
from api.batches.schemas import BatchInfo, BatchRequest, ParallelismRequest
from api.batches.views import batch_info, batch_job
from api.http.access import needs
from api.http.described import JOB_STREAM
from api.http.language import language_of
from api.http.schemas import JobAccepted, Page
from api.http.sse import Event, after, event_stream

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]

CONTROLS = needs("contributor", "batch", also=("operator",))


class BatchesOfKnowledgeBase(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/batches"
    tags = ["Batches"]

    @post(
        access=needs("contributor", "knowledge_base"),
        summary="Open a batch; uploads join it with `?batch=`",
    )
    async def create(
        self, knowledge_base: KnowledgeBase, data: BatchRequest, request: AnyRequest, catalog: Catalog,
        settings: Settings, principal: Principal,
    ) -> BatchInfo:  # fmt: skip
        parallelism = data.parallelism or settings.api.batch_parallelism
        batch = await catalog.batches.create(knowledge_base.id, data.name, parallelism, principal.subject, closed=False)
        return batch_info(batch, await catalog.batches.tally(batch.id), knowledge_base.name, language_of(request))

    @get(access=needs("reader", "knowledge_base"), summary="List batches, newest first")
    async def index(
        self,
        knowledge_base: KnowledgeBase,
        request: AnyRequest,
        catalog: Catalog,
        cursor: str | None = None,
        limit: Limit = 20,
    ) -> Page[BatchInfo]:
        found = await catalog.batches.page(knowledge_base.id, cursor, limit)
        items = [
            batch_info(batch, await catalog.batches.tally(batch.id), knowledge_base.name, language_of(request))
            for batch in found
        ]
        return Page(items=items, next_cursor=found[-1].id if len(found) == limit else None)


class BatchController(Controller):
    path = "/api/v1/batches/{batch_id:str}"
    tags = ["Batches"]

    @get(
        access=needs("reader", "batch"),
        summary="Get a batch: documents by state, rate, time left",
    )
    async def show(
        self, batch: Batch, knowledge_base: KnowledgeBase, request: AnyRequest, catalog: Catalog
    ) -> BatchInfo:
        return batch_info(batch, await catalog.batches.tally(batch.id), knowledge_base.name, language_of(request))

    @get(
        "/events",
        access=needs("reader", "batch"),
        summary="Stream a batch's states as server-sent events until the batch ends",
        responses=JOB_STREAM,
    )
    async def events(
        self, batch: Batch, knowledge_base: KnowledgeBase, request: AnyRequest, batch_watches: BatchWatches
    ) -> Stream:
        language = language_of(request)

        def show(value: tuple[Batch, Tally]) -> Event:
            info = batch_info(*value, knowledge_base.name, language)
            return Event("state", info, f"{info.done}.{info.total}.{info.state}")

        states = batch_watches.events(batch.id, language, show)
        return event_stream(after(request.headers.get("last-event-id"), states))

    @post("/pause", status_code=202, access=CONTROLS, summary="Pause a batch")
    async def pause(self, batch: Batch, batch_control: BatchControl, principal: Principal) -> JobAccepted:
        await batch_control.signal(batch, "pause", principal.subject)
        return batch_job(batch.id, "paused")

    @post("/resume", status_code=202, access=CONTROLS, summary="Resume a batch")
    async def resume(self, batch: Batch, batch_control: BatchControl, principal: Principal) -> JobAccepted:
        await batch_control.signal(batch, "resume", principal.subject)
        return batch_job(batch.id, "running")

    @post("/cancel", status_code=202, access=CONTROLS, summary="Cancel a batch; finished documents stay")
    async def cancel(self, batch: Batch, batch_control: BatchControl, principal: Principal) -> JobAccepted:
        await batch_control.signal(batch, "cancel", principal.subject)
        return batch_job(batch.id, "canceled")

    @post(
        "/set-parallelism",
        status_code=202,
        access=CONTROLS,
        summary="Set how many documents of a batch are indexed at once",
    )
    async def set_parallelism(
        self, batch: Batch, data: ParallelismRequest, batch_control: BatchControl, principal: Principal
    ) -> JobAccepted:
        await batch_control.set_parallelism(batch, data.parallelism, principal.subject)
        return batch_job(batch.id, batch.state)

    @post(
        "/retry-failed", status_code=202, access=CONTROLS, summary="Retry the failed and canceled documents of a batch"
    )
    async def retry_failed(self, batch: Batch, batch_control: BatchControl, principal: Principal) -> JobAccepted:
        await batch_control.retry_failed(batch, principal.subject)
        return batch_job(batch.id, "running")

    @post(
        "/close",
        status_code=202,
        access=needs("contributor", "batch"),
        summary="Close a batch; it takes no more documents",
    )
    async def close(self, batch: Batch, batch_control: BatchControl, principal: Principal) -> JobAccepted:
        went_on = await batch_control.close(batch, principal.subject)
        return batch_job(batch.id, batch.state if went_on else "ready")
