"""Groups and their members, by administrators."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, delete, get, post, put
from litestar.params import Parameter

from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.people.records import Group
from activities.stores.catalog.records import Principal
from api.http.access import needs
from api.http.schemas import Page
from api.identity.schemas import CreateGroup, GroupDetail, GroupInfo

Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]


class GroupsController(Controller):
    path = "/api/v1/groups"
    tags = ["Users"]

    @get(access=needs("admin"), summary="List groups by name")
    async def index(self, catalog: Catalog, cursor: str | None = None, limit: Limit = 100) -> Page[GroupInfo]:
        found = await catalog.groups.page(cursor, limit)
        cursor = found[-1].name if len(found) == limit else None
        return Page(items=[_info(group) for group in found], next_cursor=cursor)

    @post(access=needs("admin"), summary="Add a group")
    async def create(self, data: CreateGroup, catalog: Catalog, principal: Principal) -> GroupInfo:
        return _info(await catalog.groups.create(data.name, principal.subject, data.source))

    @get("/{group:str}", access=needs("admin"), summary="Get a group with its members")
    async def show(self, group: str, catalog: Catalog) -> GroupDetail:
        found = await catalog.groups.get(group)
        return GroupDetail(name=found.name, source=found.source, members=await catalog.groups.members(group))

    @delete("/{group:str}", status_code=204, access=needs("admin"), summary="Remove a group with its grants")
    async def remove(self, group: str, catalog: Catalog, principal: Principal) -> None:
        await catalog.groups.remove(group, principal.subject)

    @put("/{group:str}/members/{user:str}", status_code=204, access=needs("admin"), summary="Add a member")
    async def add(self, group: str, user: str, catalog: Catalog, principal: Principal) -> None:
        await catalog.groups.add_member(group, user, principal.subject)

    @delete("/{group:str}/members/{user:str}", status_code=204, access=needs("admin"), summary="Remove a member")
    async def take_out(self, group: str, user: str, catalog: Catalog, principal: Principal) -> None:
        await catalog.groups.remove_member(group, user, principal.subject)


def _info(group: Group) -> GroupInfo:
    return GroupInfo(
        name=group.name,
        source=group.source,
        members=group.members,
        created_at=group.created_at,
        created_by=group.created_by,
    )
