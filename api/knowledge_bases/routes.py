"""Knowledge bases: create, list, look at, change, delete."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.params import Parameter

from activities.contracts.deletion import DeleteKnowledgeBaseJob
from activities.contracts.documents import Chunking
from activities.ingest.models import usable_model
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Principal
from activities.stores.connections import Stores
from api.http.access import Access, needs, visible
from api.http.callers import Callers
from api.http.schemas import JobAccepted, Page
from api.knowledge_bases.schemas import ChangeKnowledgeBase, CreateKnowledgeBase, KnowledgeBaseInfo
from api.knowledge_bases.views import knowledge_base_info
from workflows.client.jobs import Jobs

Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]


class KnowledgeBaseController(Controller):
    path = "/api/v1/knowledge-bases"
    tags = ["Knowledge bases"]

    @post(access=needs("manager"), summary="Create a knowledge base")
    async def create(
        self, data: CreateKnowledgeBase, catalog: Catalog, stores: Stores, principal: Principal, callers: Callers
    ) -> KnowledgeBaseInfo:
        model = await usable_model(stores.triton, data.embedding_model) if data.embedding_model else None
        chunking = Chunking(max_tokens=data.chunking.max_tokens, overlap_tokens=data.chunking.overlap_tokens)
        created = await catalog.knowledge_bases.create(
            data.name, data.title, data.description, chunking, principal.subject, model, principal.user_id
        )
        callers.forget_all()  # who creates one manages it from the next request on
        return knowledge_base_info(created, {}, data.embedding_model)

    @get(access=needs("reader"), summary="List knowledge bases by name")
    async def index(
        self, catalog: Catalog, access: Access, principal: Principal, cursor: str | None = None, limit: Limit = 100
    ) -> Page[KnowledgeBaseInfo]:
        found = await catalog.knowledge_bases.page(cursor, limit, visible(principal))
        shown = await access.readable(principal, found)
        ids = [record.id for record in shown]
        counts = await catalog.knowledge_bases.counts(ids)
        models = await catalog.knowledge_bases.embedding_models(ids)
        return Page(
            items=[knowledge_base_info(record, counts.get(record.id, {}), models.get(record.id)) for record in shown],
            next_cursor=found[-1].name if len(found) == limit else None,
        )

    @get("/{kb:str}", access=needs("reader", "knowledge_base"), summary="Get a knowledge base")
    async def show(
        self, knowledge_base: KnowledgeBase, catalog: Catalog, access: Access, principal: Principal
    ) -> KnowledgeBaseInfo:
        info = await _info(catalog, knowledge_base)
        return msgspec.structs.replace(info, role=await access.strongest_role(principal, knowledge_base))

    @patch("/{kb:str}", access=needs("manager", "knowledge_base"), summary="Update a knowledge base")
    async def change(
        self, knowledge_base: KnowledgeBase, data: ChangeKnowledgeBase, catalog: Catalog, principal: Principal
    ) -> KnowledgeBaseInfo:
        changes = given(data)
        answers = changes.pop("answers", None)
        record = await catalog.knowledge_bases.update(
            knowledge_base.name, changes, principal.subject, answers and given(answers)
        )
        return await _info(catalog, record)

    @delete(
        "/{kb:str}",
        status_code=202,
        access=needs("manager", "knowledge_base"),
        summary="Delete a knowledge base and all its documents",
    )
    async def remove(
        self, knowledge_base: KnowledgeBase, catalog: Catalog, jobs: Jobs, principal: Principal
    ) -> JobAccepted:
        await jobs.ping()
        record = await catalog.knowledge_bases.delete(knowledge_base.name, principal.subject)
        job = DeleteKnowledgeBaseJob(knowledge_base_id=record.id, knowledge_base=record.name, actor=principal.subject)
        return JobAccepted(id=record.id, state="running", workflow_id=await jobs.delete_knowledge_base(job))


async def _info(catalog: Catalog, record: KnowledgeBase) -> KnowledgeBaseInfo:
    counts = await catalog.knowledge_bases.counts([record.id])
    models = await catalog.knowledge_bases.embedding_models([record.id])
    return knowledge_base_info(record, counts.get(record.id, {}), models.get(record.id))


def given(data: msgspec.Struct) -> dict[str, Any]:
    """The fields of a request that were given."""
    return {name: value for name, value in msgspec.structs.asdict(data).items() if value is not msgspec.UNSET}
