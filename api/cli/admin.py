"""`holdfast migrate` and `holdfast key …`: administration of deployments without `holdfast up`, and one's own keys.

These commands use the catalogue's database, not the API, because no caller can sign in before the first key exists.
Keys of users are made, listed and revoked over the API.
"""

# ruff: noqa: PLC0415 - commands import slow modules themselves

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from api.cli import own_keys
from api.cli.output import Output, json_option, yes_option
from api.cli.texts.messages import language, say
from api.client.problems import Problem

if TYPE_CHECKING:
    from activities.stores.catalog.people.api_keys import ApiKeys
    from activities.stores.catalog.records import ApiKey

T = TypeVar("T")

api_option = click.option("--api", "over_api", is_flag=True, help=say("help.key.api"))

#: The actor of a revocation in the audit trail: access to the database needs no key.
ACTOR = "command line"


class RoleName(click.ParamType[str]):
    """The name of a role; an unknown name is a usage error."""

    name = "role"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, unchanged."""
        from activities.errors import UnknownRole
        from activities.stores.catalog.roles import ROLES

        if value not in ROLES:
            self.fail(UnknownRole(role=value, known=", ".join(ROLES)).reason.render(language()), param, ctx)
        return value


@click.command("migrate", help=say("help.migrate"))
@json_option
def migrate(as_json: bool) -> None:
    """Run the catalogue's migrations; running them again changes nothing."""
    out = Output(as_json)
    with out.problems():
        asyncio.run(_migrate())
    out.document({"migrated": True})
    out.text(say("migrated"))


@click.group(name="key", help=say("help.key"))
def key_group() -> None:
    """Group of the commands on API keys."""


@key_group.command("create", help=say("help.key.create"))
@click.option("--subject", help=say("help.subject"))
@click.option("--role", type=RoleName(), default="reader", show_default=True, help=say("help.role"))
@click.option("--kb", "kbs", multiple=True, metavar="NAME", help=say("help.key.kb"))
@click.option("--days", type=click.IntRange(1, 3650), help=say("help.key.days"))
@click.option("--name", help=say("help.key.name"))
@json_option
def key_create(
    subject: str | None, role: str, kbs: tuple[str, ...], days: int | None, name: str | None, as_json: bool
) -> None:
    """Print a new key, and nothing else, on stdout; only its hash is stored. Without a subject it is one's own."""
    out = Output(as_json)
    if subject is None:
        own_keys.create(out, role, kbs, days, name)
        return
    if kbs or days or name:
        raise click.UsageError(say("key.own-only"))
    with out.problems():
        key = asyncio.run(_with_keys(lambda keys: keys.create(subject, role)))
    out.document({"subject": subject, "role": role, "key": key})
    out.text(key)


@key_group.command("list", help=say("help.key.list"))
@api_option
@json_option
def key_list(over_api: bool, as_json: bool) -> None:
    """List all keys, oldest first, including revoked ones."""
    out = Output(as_json)
    if over_api:
        own_keys.show(out)
        return
    with out.problems():
        found = asyncio.run(_with_keys(lambda keys: keys.all()))
    out.document({"items": msgspec.to_builtins(found)})
    rows = [(each.id, each.subject, each.role, _time(each.created_at), _time(each.revoked_at)) for each in found]
    out.table_or_nothing(("id", "subject", "role", "created", "revoked"), rows)


@key_group.command("revoke", help=say("help.key.revoke"))
@click.argument("key")
@api_option
@yes_option
@json_option
def key_revoke(key: str, over_api: bool, yes: bool, as_json: bool) -> None:
    """Revoke a key, effective within a second; revoking it again changes nothing."""
    out = Output(as_json)
    if over_api:
        own_keys.revoke(out, key, yes)
        return
    with out.problems():
        revoked = asyncio.run(_with_keys(lambda keys: _revoke(keys, key, out, yes)))
    out.document(msgspec.to_builtins(revoked))
    out.text(say("key.revoked", id=revoked.id, subject=revoked.subject))


async def _migrate() -> None:
    from sqlalchemy.exc import DBAPIError

    from activities.settings import load
    from activities.stores.catalog.migrate import upgrade

    settings = load()
    try:
        await upgrade(settings)
    except (OSError, DBAPIError) as exc:  # refused, unknown host, wrong password, no such database, no such folder
        raise _no_database(exc) from exc


async def _revoke(keys: ApiKeys, text: str, out: Output, yes: bool) -> ApiKey:
    """Revoke the key with this id or beginning of one, or the only valid one of this subject."""
    key = own_keys.chosen(out, await keys.all(), text)
    out.confirm(say("key.sure", id=key.id, subject=key.subject, role=key.role), yes)
    return await keys.revoke(key.id, ACTOR)


async def _with_keys(act: Callable[[ApiKeys], Awaitable[T]]) -> T:
    """The result of ``act``. Raises Problem if the database is unavailable or not migrated."""
    from activities.settings import load
    from activities.stores.catalog.catalog import Catalog

    catalog = Catalog(load().catalog_url)
    try:
        async with _problems_of_database():
            return await act(catalog.api_keys)
    finally:
        await catalog.close()


@asynccontextmanager
async def _problems_of_database() -> AsyncIterator[None]:
    from sqlalchemy.exc import DBAPIError, ProgrammingError

    from activities.errors import CatalogUnavailable

    try:
        yield
    except ProgrammingError as exc:
        raise Problem("not-migrated") from exc
    except CatalogUnavailable as exc:
        if "no such table" in str(exc):  # SQLite's message
            raise Problem("not-migrated") from exc
        raise
    except (OSError, DBAPIError) as exc:
        raise _no_database(exc) from exc


def _time(at: datetime | None) -> str:
    return at.isoformat(" ", "seconds").removesuffix("+00:00") if at else ""


def _no_database(exc: Exception) -> Problem:
    """A Problem with the first line of the database's error, which names host and user, never a password."""
    cause = getattr(exc, "orig", None) or exc
    return Problem("no-database", detail=(str(cause).splitlines() or [type(cause).__name__])[0])
