"""Changes of many documents: delete, retry, tag or untag those that are selected, or all that match a filter."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import Parameter

from activities.contracts import addresses
from activities.contracts.bulk import BulkAction, BulkRequested
from activities.contracts.ids import bulk_workflow_id
from activities.contracts.names import only_tag
from activities.contracts.selection import DocumentFilter
from activities.errors import InvalidRequest, Language
from activities.phrases import Phrase
from activities.stores.catalog.bulk_changes import BulkChange
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Principal
from api.background.dispatcher import Dispatcher
from api.documents.bulk_schemas import BulkAccepted, BulkFailureInfo, BulkInfo, BulkRequest, FilterRequest
from api.http.access import Access, Needs, needs
from api.http.language import language_of
from api.http.schemas import Page, page_of
from workflows.client.jobs import Jobs

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]

#: What each action needs, as for a single document.
ACTIONS: dict[BulkAction, Needs] = {
    "delete": needs("manager", "knowledge_base"),
    "retry": needs("contributor", "knowledge_base", also=("operator",)),
    "tag": needs("contributor", "knowledge_base"),
    "untag": needs("contributor", "knowledge_base"),
}


class BulkChangesOfKnowledgeBase(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/documents/bulk"
    tags = ["Documents"]

    @post(
        status_code=202,
        access=needs("contributor", "knowledge_base", also=("operator",)),
        summary="Delete, retry, tag or untag many documents",
    )
    async def start(
        self,
        knowledge_base: KnowledgeBase,
        data: BulkRequest,
        catalog: Catalog,
        access: Access,
        jobs: Jobs,
        dispatcher: Dispatcher,
        principal: Principal,
    ) -> BulkAccepted:
        await access.named(principal, ACTIONS[data.action], knowledge_base.name)
        asked = _requested(knowledge_base.id, data, principal.subject)
        await jobs.ensure_available()
        change = await catalog.bulk_changes.create(asked, data.expected)
        dispatcher.hint()
        return BulkAccepted(
            id=change.id,
            action=change.action,
            documents=change.total,
            state=change.state,
            workflow_id=bulk_workflow_id(change.id),
            status_url=addresses.bulk_change(change.id),
        )

    @get(access=needs("reader", "knowledge_base"), summary="List changes of many documents, newest first")
    async def index(
        self,
        knowledge_base: KnowledgeBase,
        request: AnyRequest,
        catalog: Catalog,
        cursor: str | None = None,
        limit: Limit = 20,
    ) -> Page[BulkInfo]:
        found = await catalog.bulk_changes.page(knowledge_base.id, cursor, limit)
        return page_of(found, limit, lambda change: bulk_info(change, language_of(request)))


class BulkChangeController(Controller):
    path = "/api/v1/bulk-changes/{bulk_id:str}"
    tags = ["Documents"]

    @get(access=needs("reader", "bulk_change"), summary="Get a change of many documents")
    async def show(self, bulk_change: BulkChange, request: AnyRequest) -> BulkInfo:
        return bulk_info(bulk_change, language_of(request))

    @post(
        "/cancel",
        status_code=200,
        access=needs("contributor", "bulk_change", also=("operator",)),
        summary="Cancel a change of many documents; what was changed stays",
    )
    async def cancel(
        self, bulk_change: BulkChange, request: AnyRequest, catalog: Catalog, principal: Principal
    ) -> BulkInfo:
        change = await catalog.bulk_changes.cancel(bulk_change.id, principal.subject)
        return bulk_info(change, language_of(request))


def bulk_info(change: BulkChange, language: Language) -> BulkInfo:
    """A change with its failures in a language."""
    return BulkInfo(
        id=change.id,
        action=change.action,
        tag=change.tag,
        state=change.state,
        stage=change.stage,
        total=change.total,
        done=change.changed + change.unchanged + change.failed,
        changed=change.changed,
        unchanged=change.unchanged,
        failed=change.failed,
        failures=[
            BulkFailureInfo(
                id=each.id, name=each.name, reason=each.reason.render(language), reason_code=each.reason.code
            )
            for each in change.failures
        ],
        actor=change.actor,
        created_at=change.created_at,
        updated_at=change.updated_at,
        finished_at=change.finished_at,
        canceled_by=change.canceled_by,
        workflow_id=bulk_workflow_id(change.id),
    )


def _requested(knowledge_base_id: str, data: BulkRequest, actor: str) -> BulkRequested:
    """What is asked for. Raises InvalidRequest."""
    if (data.ids is None) == (data.filter is None):
        raise InvalidRequest(detail=Phrase.IDS_OR_FILTER)
    if (data.tag is not None) != (data.action in ("tag", "untag")):
        raise InvalidRequest(detail=Phrase.TAG_NEEDED)
    return BulkRequested(
        knowledge_base_id=knowledge_base_id,
        action=data.action,
        actor=actor,
        tag=only_tag(data.tag) if data.tag is not None else None,
        ids=data.ids,
        filter=_filter(data.filter) if data.filter is not None else None,
    )


def _filter(given: FilterRequest) -> DocumentFilter:
    return DocumentFilter(
        state=given.state,
        search=given.search,
        tag=only_tag(given.tag) if given.tag else None,
        source=given.source or None,
        batch_id=given.batch or None,
    )
