"""Sources: folders and S3 prefixes that a knowledge base follows, and the syncs by which it does."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, patch, post
from litestar.params import Parameter
from litestar.response import Stream

from activities.errors import Forbidden
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Principal
from activities.stores.catalog.roles import includes
from activities.stores.catalog.source_records import Source, Sync
from api.http.access import Access, has, needs
from api.http.described import JOB_STREAM
from api.http.language import language_of
from api.http.schemas import JobAccepted, Page, page_of
from api.http.sse import after, event_stream, job_states, state_event
from api.sources.control import SourceControl
from api.sources.schemas import SourceChange, SourceInfo, SourceRequest, SyncInfo, SyncRequest
from api.sources.views import source_info, sync_info, sync_job

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]

#: The files of a server are an operator's to give, also to those who manage a knowledge base.
CREATES = needs("operator", "knowledge_base")
MANAGES = needs("manager", "source", also=("operator",))
CONTROLS = needs("manager", "sync", also=("operator",))


class SourcesOfKnowledgeBase(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/sources"
    tags = ["Sources"]

    @post(access=CREATES, summary="Let a knowledge base follow a folder of the server or an S3 prefix")
    async def create(
        self,
        knowledge_base: KnowledgeBase,
        data: SourceRequest,
        request: AnyRequest,
        source_control: SourceControl,
        principal: Principal,
    ) -> SourceInfo:
        source = await source_control.create(knowledge_base, data, principal.subject)
        return source_info(source, language_of(request), manages=True)

    @get(access=needs("reader", "knowledge_base"), summary="List the sources of a knowledge base, newest first")
    async def index(
        self,
        knowledge_base: KnowledgeBase,
        request: AnyRequest,
        catalog: Catalog,
        access: Access,
        principal: Principal,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Page[SourceInfo]:
        found = await catalog.sources.page(knowledge_base.id, cursor, limit)
        manages = await _manages(access, principal, knowledge_base)
        return page_of(found, limit, lambda source: source_info(source, language_of(request), manages=manages))


class SourceController(Controller):
    path = "/api/v1/sources/{source_id:str}"
    tags = ["Sources"]

    @get(access=needs("reader", "source"), summary="Get a source with its newest sync")
    async def show(
        self, source: Source, knowledge_base: KnowledgeBase, request: AnyRequest, access: Access, principal: Principal
    ) -> SourceInfo:
        manages = await _manages(access, principal, knowledge_base)
        return source_info(source, language_of(request), manages=manages)

    @patch(
        access=MANAGES,
        summary="Change a source; operators also change which files it takes",
    )
    async def change(
        self,
        source: Source,
        data: SourceChange,
        request: AnyRequest,
        source_control: SourceControl,
        principal: Principal,
    ) -> SourceInfo:
        if (data.include is not None or data.exclude is not None) and not has(principal, "operator"):
            raise Forbidden(role="operator")  # they say which files of a server are given
        changed = await source_control.change(source, data, principal.subject)
        return source_info(changed, language_of(request), manages=True)

    @delete(access=MANAGES, summary="Follow a source no longer; its documents stay")
    async def remove(self, source: Source, source_control: SourceControl, principal: Principal) -> None:
        await source_control.delete(source, principal.subject)

    @post("/sync", status_code=202, access=MANAGES, summary="Add, update and delete documents by the difference")
    async def sync(
        self,
        source: Source,
        source_control: SourceControl,
        principal: Principal,
        data: SyncRequest | None = None,
    ) -> JobAccepted:
        preview = data is not None and data.preview
        sync = await source_control.start(source, principal.subject, preview=preview)
        return sync_job(sync, sync.state)

    @get("/syncs", access=needs("reader", "source"), summary="List the syncs and previews of a source, newest first")
    async def syncs(
        self,
        source: Source,
        knowledge_base: KnowledgeBase,
        request: AnyRequest,
        catalog: Catalog,
        access: Access,
        principal: Principal,
        cursor: str | None = None,
        limit: Limit = 20,
    ) -> Page[SyncInfo]:
        found = await catalog.syncs.page(source.id, cursor, limit)
        manages = await _manages(access, principal, knowledge_base)
        return page_of(found, limit, lambda sync: sync_info(sync, language_of(request), manages=manages))


class SyncController(Controller):
    path = "/api/v1/syncs/{sync_id:str}"
    tags = ["Sources"]

    @get(access=needs("reader", "sync"), summary="Get a sync: stage, changes, report")
    async def show(
        self, sync: Sync, knowledge_base: KnowledgeBase, request: AnyRequest, access: Access, principal: Principal
    ) -> SyncInfo:
        return sync_info(sync, language_of(request), manages=await _manages(access, principal, knowledge_base))

    @get(
        "/events",
        access=needs("reader", "sync"),
        summary="Stream a sync's states as server-sent events",
        responses=JOB_STREAM,
    )
    async def events(
        self,
        sync: Sync,
        knowledge_base: KnowledgeBase,
        request: AnyRequest,
        catalog: Catalog,
        access: Access,
        principal: Principal,
    ) -> Stream:
        manages = await _manages(access, principal, knowledge_base)
        language = language_of(request)
        states = job_states(
            sync,
            lambda: catalog.syncs.get(sync.id),
            lambda record: state_event(sync_info(record, language, manages=manages)),
        )
        return event_stream(after(request.headers.get("last-event-id"), states))

    @post("/pause", status_code=202, access=CONTROLS, summary="Pause a sync; what was applied stays")
    async def pause(self, sync: Sync, source_control: SourceControl, principal: Principal) -> JobAccepted:
        await source_control.signal(sync, "pause", principal.subject)
        return sync_job(sync, "paused")

    @post("/resume", status_code=202, access=CONTROLS, summary="Resume a sync")
    async def resume(self, sync: Sync, source_control: SourceControl, principal: Principal) -> JobAccepted:
        await source_control.signal(sync, "resume", principal.subject)
        return sync_job(sync, "running")

    @post("/cancel", status_code=202, access=CONTROLS, summary="Cancel a sync; what was applied stays")
    async def cancel(self, sync: Sync, source_control: SourceControl, principal: Principal) -> JobAccepted:
        await source_control.signal(sync, "cancel", principal.subject)
        return sync_job(sync, "canceled")

    @post("/confirm", status_code=202, access=CONTROLS, summary="Allow the deletions that a sync asks about")
    async def confirm(self, sync: Sync, source_control: SourceControl, principal: Principal) -> JobAccepted:
        await source_control.confirm(sync, principal.subject)
        return sync_job(sync, "running")


async def _manages(access: Access, principal: Principal, knowledge_base: KnowledgeBase) -> bool:
    """Whether the caller may see where a source is."""
    role = await access.role_in(principal, knowledge_base)
    return has(principal, "operator") or (role is not None and includes(role, "manager"))
