"""`holdfast user`: people and service accounts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from api.cli import passwords
from api.cli.output import Output, talks_to_api, yes_option
from api.cli.passwords import password_stdin
from api.cli.texts.messages import say

if TYPE_CHECKING:
    from api.client.client import Api
    from api.identity.schemas import InvitationInfo, UserInfo

PLATFORM = click.Choice(["operator", "auditor", "admin"])


@click.group(name="user", help=say("help.user"))
def user_group() -> None:
    """Group of the commands on users."""


@user_group.command("add", help=say("help.user.add"))
@click.argument("name")
@click.option("--display-name", help=say("help.user.display_name"))
@click.option("--service", is_flag=True, help=say("help.user.service"))
@click.option("--role", "roles", multiple=True, type=PLATFORM, help=say("help.user.roles"))
@click.option("--password", is_flag=True, help=say("help.user.ask_password"))
@password_stdin
@talks_to_api
async def user_add(
    api: Api,
    out: Output,
    name: str,
    display_name: str | None,
    service: bool,
    roles: tuple[str, ...],
    password: bool,
    password_stdin: bool,
) -> None:
    """POST /users."""
    has_password = password or password_stdin
    added = await api.users.add(
        name,
        display_name=display_name,
        kind="service" if service else None,
        roles=list(roles) or None,
        password=passwords.ask(out, say("password.new", name=name), password_stdin, twice=True)
        if has_password
        else None,
        must_change_password=True if has_password else None,
    )
    out.document(added.json)
    code = "user.added_password" if has_password else "user.added_service" if service else "user.added"
    out.text(say(code, name=added.value.name))


@user_group.command("list", help=say("help.user.list"))
@talks_to_api
async def user_list(api: Api, out: Output) -> None:
    """GET /users."""
    found = [user async for user in api.users.all()]
    out.document({"items": [user.json for user in found]})
    rows = [] if out.json else [_row(user.value) for user in found]
    out.table_or_nothing(("name", "display_name", "kind", "roles", "state", "last_sign_in"), rows, whole=("name",))


def _row(user: UserInfo) -> tuple[object, ...]:
    state = say("user.is_disabled") if user.disabled else ""
    return (user.name, user.display_name, user.kind, ", ".join(user.roles), state, _moment(user.last_sign_in_at))


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}{at:%z}" if at else ""


@user_group.command("show", help=say("help.user.show"))
@click.argument("name")
@talks_to_api
async def user_show(api: Api, out: Output, name: str) -> None:
    """GET /users/{name}."""
    user = await api.users.get(name)
    out.document(user.json)
    for key, value in user.json.items():
        out.text(f"{key}: {_plain(value)}")


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


@user_group.command("disable", help=say("help.user.disable"))
@click.argument("name")
@talks_to_api
async def user_disable(api: Api, out: Output, name: str) -> None:
    """PATCH /users/{name}."""
    await _change(api, out, name, "user.disabled", disabled=True)


@user_group.command("enable", help=say("help.user.enable"))
@click.argument("name")
@talks_to_api
async def user_enable(api: Api, out: Output, name: str) -> None:
    """PATCH /users/{name}."""
    await _change(api, out, name, "user.enabled", disabled=False)


@user_group.command("role", help=say("help.user.role"))
@click.argument("name")
@click.argument("roles", nargs=-1, type=PLATFORM)
@click.option("--none", "nothing", is_flag=True, help=say("help.user.none"))
@talks_to_api
async def user_role(api: Api, out: Output, name: str, roles: tuple[str, ...], nothing: bool) -> None:
    """PATCH /users/{name}: the roles of the platform, in place of the ones before."""
    if bool(roles) == nothing:
        raise click.UsageError(say("user.roles-or-none"))
    await _change(api, out, name, "user.has_roles" if roles else "user.has_no_role", roles=list(roles))


async def _change(api: Api, out: Output, name: str, said: str, **fields: Any) -> None:
    changed = await api.users.change(name, **fields)
    out.document(changed.json)
    out.text(say(said, name=changed.value.name, roles=", ".join(changed.value.roles)))


@user_group.command("password", help=say("help.user.password"))
@click.argument("name", required=False)
@password_stdin
@talks_to_api
async def user_password(api: Api, out: Output, name: str | None, password_stdin: bool) -> None:
    """PATCH /users/{name} with a password that has to be changed; POST /auth/password for one's own."""
    if name is None:
        me = (await api.identity.me()).value
        if not me.session_id:
            raise click.UsageError(say("password.of-nobody"))
        current = passwords.ask(out, say("password.current", name=me.name), password_stdin)
        new = passwords.ask(out, say("password.new", name=me.name), password_stdin, twice=True)
        await api.users.set_own_password(current, new)
        out.document({"name": me.name, "password": "set"})
        out.text(say("password.changed"))
        return
    new = passwords.ask(out, say("password.new", name=name), password_stdin, twice=True)
    await _change(api, out, name, "password.set", password=new)


@user_group.command("invite", help=say("help.user.invite"))
@click.argument("name")
@talks_to_api
async def user_invite(api: Api, out: Output, name: str) -> None:
    """POST /users/{name}/invitation."""
    made = await api.users.invite(name)
    out.document({**made.json, "url": _link(api, made.value)})
    out.text(say("user.invited", name=name, until=_moment(made.value.expires_at)))
    out.text(_link(api, made.value))


def _link(api: Api, invitation: InvitationInfo) -> str:
    """The page where the user chooses a password."""
    return f"{api.url}/#/invitation/{invitation.token}"


@user_group.command("sign-out", help=say("help.user.sign_out"))
@click.argument("name")
@talks_to_api
async def user_sign_out(api: Api, out: Output, name: str) -> None:
    """POST /users/{name}/sign-out."""
    await api.users.sign_out(name)
    out.document({"name": name, "signed_out": True})
    out.text(say("user.signed_out", name=name))


@user_group.command("remove", help=say("help.user.remove"))
@click.argument("name")
@yes_option
@talks_to_api
async def user_remove(api: Api, out: Output, name: str, yes: bool) -> None:
    """DELETE /users/{name}."""
    out.confirm(say("user.sure", name=name), yes)
    await api.users.remove(name)
    out.document({"name": name, "removed": True})
    out.text(say("user.removed", name=name))
