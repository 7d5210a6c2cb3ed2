"""Who has which role in a knowledge base, by its managers."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Controller, delete, get, put
from litestar.params import Parameter

from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.records import Grant
from activities.stores.catalog.records import KnowledgeBase, Principal
from api.http.access import needs
from api.http.schemas import Page
from api.identity.schemas import GrantInfo, SetGrant

MANAGES = needs("manager", "knowledge_base")
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]
Cursor = Annotated[str | None, Parameter(pattern=r"^(user|group)/.*$(?!\n)")]


class GrantsController(Controller):
    path = "/api/v1/knowledge-bases/{kb:str}/grants"
    tags = ["Users"]

    @get(access=MANAGES, summary="List the grants of a knowledge base")
    async def index(
        self, knowledge_base: KnowledgeBase, catalog: Catalog, cursor: Cursor = None, limit: Limit = 100
    ) -> Page[GrantInfo]:
        kind, _, name = (cursor or "").partition("/")
        found = await catalog.grants.page(knowledge_base.id, (kind, name) if cursor else None, limit)
        last = f"{found[-1].kind}/{found[-1].name}" if len(found) == limit else None
        return Page(items=[_info(grant) for grant in found], next_cursor=last)

    @put("/user/{name:str}", access=MANAGES, summary="Give a user a role in a knowledge base")
    async def set_user(
        self, knowledge_base: KnowledgeBase, name: str, data: SetGrant, catalog: Catalog, principal: Principal
    ) -> GrantInfo:
        return await _set(catalog, knowledge_base, "user", name, data, principal)

    @put("/group/{name:str}", access=MANAGES, summary="Give a group a role in a knowledge base")
    async def set_group(
        self, knowledge_base: KnowledgeBase, name: str, data: SetGrant, catalog: Catalog, principal: Principal
    ) -> GrantInfo:
        return await _set(catalog, knowledge_base, "group", name, data, principal)

    @delete("/user/{name:str}", status_code=204, access=MANAGES, summary="Take a user's role away")
    async def remove_user(
        self, knowledge_base: KnowledgeBase, name: str, catalog: Catalog, principal: Principal
    ) -> None:
        await catalog.grants.remove(knowledge_base.id, "user", name, principal.subject)

    @delete("/group/{name:str}", status_code=204, access=MANAGES, summary="Take a group's role away")
    async def remove_group(
        self, knowledge_base: KnowledgeBase, name: str, catalog: Catalog, principal: Principal
    ) -> None:
        await catalog.grants.remove(knowledge_base.id, "group", name, principal.subject)


async def _set(
    catalog: Catalog,
    knowledge_base: KnowledgeBase,
    kind: Literal["user", "group"],
    name: str,
    data: SetGrant,
    principal: Principal,
) -> GrantInfo:
    return _info(await catalog.grants.set(knowledge_base.id, kind, name, data.role, principal.subject))


def _info(grant: Grant) -> GrantInfo:
    return GrantInfo(
        kind=grant.kind,
        name=grant.name,
        role=grant.role,
        created_at=grant.created_at,
        created_by=grant.created_by,
    )
