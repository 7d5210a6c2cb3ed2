"""Batches: documents that were added together, watched and controlled as one."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import Parameter
from litestar.response import Stream

from activities.settings import Settings
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import Batch, Principal, Tally
from api.control import BatchControl
from api.errors import language_of
from api.schemas import BatchInfo, BatchRequest, JobAccepted, Page, ParallelismRequest, batch_job_accepted
from api.sse import Event, after, event_stream
from api.watches import BatchWatches

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]


class BatchesOfKnowledgeBase(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/batches"
    tags = ["Batches"]

    @post(summary="Open a batch; uploads join it with `?batch=`")
    async def create(
        self, kb: str, data: BatchRequest, request: AnyRequest, catalog: Catalog, settings: Settings,
        principal: Principal,
    ) -> BatchInfo:  # fmt: skip
        record = await catalog.knowledge_bases.get(kb)
        parallelism = data.parallelism or settings.api.batch_parallelism
        batch = await catalog.batches.create(record.id, data.name, parallelism, principal.subject, closed=False)
        return BatchInfo.of(batch, await catalog.batches.tally(batch.id), record.name, language_of(request))

    @get(summary="List batches, newest first")
    async def index(
        self, kb: str, request: AnyRequest, catalog: Catalog, cursor: str | None = None, limit: Limit = 20
    ) -> Page[BatchInfo]:
        record = await catalog.knowledge_bases.get(kb)
        found = await catalog.batches.page(record.id, cursor, limit)
        items = [
            BatchInfo.of(batch, await catalog.batches.tally(batch.id), record.name, language_of(request))
            for batch in found
        ]
        return Page(items=items, next_cursor=found[-1].id if len(found) == limit else None)


class BatchController(Controller):
    path = "/api/v1/batches/{batch_id:str}"
    tags = ["Batches"]

    @get(summary="Get a batch: documents by state, rate, time left")
    async def show(self, batch_id: str, request: AnyRequest, catalog: Catalog) -> BatchInfo:
        batch = await catalog.batches.get(batch_id)
        knowledge_base = await catalog.knowledge_bases.by_id(batch.knowledge_base_id)
        return BatchInfo.of(batch, await catalog.batches.tally(batch.id), knowledge_base.name, language_of(request))

    @get("/events", summary="Stream a batch's states as server-sent events until the batch ends")
    async def events(self, batch_id: str, request: AnyRequest, catalog: Catalog, batch_watches: BatchWatches) -> Stream:
        batch = await catalog.batches.get(batch_id)
        name = (await catalog.knowledge_bases.by_id(batch.knowledge_base_id)).name
        language = language_of(request)

        def show(value: tuple[Batch, Tally]) -> Event:
            info = BatchInfo.of(*value, name, language)
            return Event("state", info, f"{info.done}.{info.total}.{info.state}")

        states = batch_watches.events(batch_id, language, show)
        return event_stream(after(request.headers.get("last-event-id"), states))

    @post("/pause", status_code=202, summary="Pause a batch")
    async def pause(self, batch_id: str, catalog: Catalog, batch_control: BatchControl) -> JobAccepted:
        await batch_control.signal(await catalog.batches.get(batch_id), "pause")
        return batch_job_accepted(batch_id, "paused")

    @post("/resume", status_code=202, summary="Resume a batch")
    async def resume(self, batch_id: str, catalog: Catalog, batch_control: BatchControl) -> JobAccepted:
        await batch_control.signal(await catalog.batches.get(batch_id), "resume")
        return batch_job_accepted(batch_id, "running")

    @post("/cancel", status_code=202, summary="Cancel a batch; finished documents stay")
    async def cancel(self, batch_id: str, catalog: Catalog, batch_control: BatchControl) -> JobAccepted:
        await batch_control.signal(await catalog.batches.get(batch_id), "cancel")
        return batch_job_accepted(batch_id, "canceled")

    @post("/set-parallelism", status_code=202, summary="Set how many documents of a batch are indexed at once")
    async def set_parallelism(
        self, batch_id: str, data: ParallelismRequest, catalog: Catalog, batch_control: BatchControl
    ) -> JobAccepted:
        batch = await catalog.batches.get(batch_id)
        await batch_control.signal(batch, "set_parallelism", data.parallelism)
        return batch_job_accepted(batch_id, batch.state)

    @post("/retry-failed", status_code=202, summary="Retry the failed and canceled documents of a batch")
    async def retry_failed(self, batch_id: str, catalog: Catalog, batch_control: BatchControl) -> JobAccepted:
        await batch_control.retry_failed(await catalog.batches.get(batch_id))
        return batch_job_accepted(batch_id, "running")

    @post("/close", status_code=202, summary="Close a batch; it takes no more documents")
    async def close(self, batch_id: str, catalog: Catalog, batch_control: BatchControl) -> JobAccepted:
        batch = await catalog.batches.get(batch_id)
        went_on = await batch_control.close(batch)
        return batch_job_accepted(batch_id, batch.state if went_on else "ready")
