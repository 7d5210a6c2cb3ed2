"""`holdfast group` and `holdfast grant`: who may do what in a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.output import Output, kb_option, talks_to_api, yes_option
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from api.client.client import Api

group_option = click.option("--group", "of_group", is_flag=True, help=say("help.grant.group"))


@click.group(name="group", help=say("help.group"))
def group_group() -> None:
    """Group of the commands on groups of users."""


@group_group.command("add", help=say("help.group.add"))
@click.argument("name")
@talks_to_api
async def group_add(api: Api, out: Output, name: str) -> None:
    """POST /groups."""
    added = await api.groups.add(name)
    out.document(added.json)
    out.text(say("group.added", name=added.value.name))


@group_group.command("list", help=say("help.group.list"))
@talks_to_api
async def group_list(api: Api, out: Output) -> None:
    """GET /groups."""
    found = [group async for group in api.groups.all()]
    out.document({"items": [group.json for group in found]})
    rows = [] if out.json else [(each.value.name, each.value.source, each.value.members) for each in found]
    out.table_or_nothing(("name", "source", "members"), rows, whole=("name",))


@group_group.command("show", help=say("help.group.show"))
@click.argument("name")
@talks_to_api
async def group_show(api: Api, out: Output, name: str) -> None:
    """GET /groups/{name}: its members, one a line."""
    found = await api.groups.get(name)
    out.document(found.json)
    out.table_or_nothing(("name",), [(member,) for member in found.value.members], whole=("name",))


@group_group.command("remove", help=say("help.group.remove"))
@click.argument("name")
@yes_option
@talks_to_api
async def group_remove(api: Api, out: Output, name: str, yes: bool) -> None:
    """DELETE /groups/{name}."""
    out.confirm(say("group.sure", name=name), yes)
    await api.groups.remove(name)
    out.document({"name": name, "removed": True})
    out.text(say("group.removed", name=name))


@group_group.command("join", help=say("help.group.join"))
@click.argument("name")
@click.argument("user")
@talks_to_api
async def group_join(api: Api, out: Output, name: str, user: str) -> None:
    """PUT /groups/{name}/members/{user}."""
    await api.groups.join(name, user)
    out.document({"name": name, "user": user, "member": True})
    out.text(say("group.joined", name=name, user=user))


@group_group.command("leave", help=say("help.group.leave"))
@click.argument("name")
@click.argument("user")
@talks_to_api
async def group_leave(api: Api, out: Output, name: str, user: str) -> None:
    """DELETE /groups/{name}/members/{user}."""
    await api.groups.leave(name, user)
    out.document({"name": name, "user": user, "member": False})
    out.text(say("group.left", name=name, user=user))


@click.group(name="grant", help=say("help.grant"))
def grant_group() -> None:
    """Group of the commands on roles in a knowledge base."""


@grant_group.command("set", help=say("help.grant.set"))
@click.argument("name")
@click.argument("role", type=click.Choice(["reader", "contributor", "manager"]))
@kb_option
@group_option
@talks_to_api
async def grant_set(api: Api, out: Output, name: str, role: str, kb: str, of_group: bool) -> None:
    """PUT /knowledge-bases/{kb}/grants/{kind}/{name}."""
    grant = await api.grants.set(kb, _kind(of_group), name, role)
    out.document(grant.json)
    out.text(say("grant.is_set", name=grant.value.name, role=grant.value.role, kb=kb))


@grant_group.command("list", help=say("help.grant.list"))
@kb_option
@talks_to_api
async def grant_list(api: Api, out: Output, kb: str) -> None:
    """GET /knowledge-bases/{kb}/grants."""
    found = [grant async for grant in api.grants.all(kb)]
    out.document({"items": [grant.json for grant in found]})
    rows = [] if out.json else [(each.value.kind, each.value.name, each.value.role) for each in found]
    out.table_or_nothing(("kind", "name", "role"), rows, whole=("name",))


@grant_group.command("remove", help=say("help.grant.remove"))
@click.argument("name")
@kb_option
@group_option
@talks_to_api
async def grant_remove(api: Api, out: Output, name: str, kb: str, of_group: bool) -> None:
    """DELETE /knowledge-bases/{kb}/grants/{kind}/{name}."""
    await api.grants.remove(kb, _kind(of_group), name)
    out.document({"kind": _kind(of_group), "name": name, "knowledge_base": kb, "removed": True})
    out.text(say("grant.removed", name=name, kb=kb))


def _kind(of_group: bool) -> str:
    return "group" if of_group else "user"
