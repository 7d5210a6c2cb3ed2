"""`holdfast migrate` and `holdfast key create`: what a deployment without `holdfast up` does by hand.

They talk to the catalogue's database and not to the API: before the first key exists, nobody could sign in.
"""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

from __future__ import annotations

import asyncio

import click

from api.cli_output import Output, json_option
from api.cli_texts import say
from api.problem import Problem


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
@click.option("--subject", required=True, help=say("help.subject"))
@click.option("--role", default="admin", show_default=True, help=say("help.role"))
@json_option
def key_create(subject: str, role: str, as_json: bool) -> None:
    """Print a new key, and nothing else, on stdout; only its hash is kept."""
    out = Output(as_json)
    with out.problems():
        key = asyncio.run(_create(subject, role))
    out.document({"subject": subject, "role": role, "key": key})
    out.text(key)


async def _migrate() -> None:
    from sqlalchemy.exc import DBAPIError

    from activities.settings import load
    from activities.stores.catalog import upgrade

    settings = load()
    try:
        await upgrade(settings)
    except (OSError, DBAPIError) as exc:  # refused, unknown host, wrong password, no such database, no such folder
        raise _no_database(exc) from exc


async def _create(subject: str, role: str) -> str:
    from sqlalchemy.exc import DBAPIError, ProgrammingError

    from activities.errors import CatalogUnavailable
    from activities.settings import load
    from activities.stores.catalog import Catalog

    catalog = Catalog(load().catalog_url)
    try:
        return await catalog.keys.create(subject, role)
    except ProgrammingError as exc:
        raise Problem("not-migrated") from exc
    except CatalogUnavailable as exc:
        if "no such table" in str(exc):  # how SQLite says it
            raise Problem("not-migrated") from exc
        raise
    except (OSError, DBAPIError) as exc:
        raise _no_database(exc) from exc
    finally:
        await catalog.close()


def _no_database(exc: Exception) -> Problem:
    """The database's own first line: it names host and user, never a password."""
    cause = getattr(exc, "orig", None) or exc
    return Problem("no-database", detail=(str(cause).splitlines() or [type(cause).__name__])[0])
