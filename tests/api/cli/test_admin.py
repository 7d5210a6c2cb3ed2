"""`holdfast migrate` and `holdfast key …`: a deployment's first steps, directly on the catalogue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from activities.stores.catalog.roles import ROLES
from api.cli.main import cli
from tests.ports import free_port

Holdfast = Callable[..., Result]


@pytest.fixture
def holdfast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """The command line, on an empty data folder."""
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    return lambda *argv: CliRunner().invoke(cli, list(argv), catch_exceptions=False)


def owner(key: str) -> Principal | None:
    """The principal that the API would find for the key."""

    async def find() -> Principal | None:
        catalog = Catalog(load().catalog_url)
        try:
            return await catalog.api_keys.find(key)
        finally:
            await catalog.close()

    return asyncio.run(find())


def test_a_new_key_is_all_that_is_printed(holdfast: Holdfast) -> None:
    """`KEY=$(holdfast key create …)` works, and the key is its subject's, with its role."""
    assert holdfast("migrate").exit_code == 0
    result = holdfast("key", "create", "--subject", "ada", "--role", "admin")
    assert (result.exit_code, result.stderr) == (0, "")
    found = owner(result.stdout.removesuffix("\n"))
    assert found is not None
    assert (found.subject, found.role) == ("ada", "admin")


def test_migrating_again_changes_nothing(holdfast: Holdfast) -> None:
    """Every deployment may run it; earlier keys are kept."""
    holdfast("migrate")
    key = json.loads(holdfast("key", "create", "--subject", "ada", "--json").stdout)["key"]
    assert json.loads(holdfast("migrate", "--json").stdout) == {"migrated": True}
    assert owner(key) is not None


def test_a_new_key_is_a_reader_by_default(holdfast: Holdfast) -> None:
    """Without --role a key gets the lowest role; --help names them all."""
    holdfast("migrate")
    made = json.loads(holdfast("key", "create", "--subject", "ada", "--json").stdout)
    found = owner(made["key"])
    assert found is not None
    assert (found.role, made["role"]) == ("reader", "reader")
    assert all(role in holdfast("key", "create", "--help").stdout for role in ROLES)


@pytest.mark.parametrize(("locale", "said"), [("en_GB.UTF-8", "There is no role “king”"), ("zh_CN.UTF-8", "没有角色")])
def test_a_role_that_is_not_known_is_wrong_usage(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, locale: str, said: str
) -> None:
    """Exit code 2 with the known roles, in both languages; no key is created."""
    monkeypatch.setenv("LC_ALL", locale)
    holdfast("migrate")
    result = holdfast("key", "create", "--subject", "ada", "--role", "king")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert all(role in result.stderr for role in ROLES)
    assert json.loads(holdfast("key", "list", "--json").stdout) == {"items": []}


def test_keys_are_listed_and_revoked(holdfast: Holdfast) -> None:
    """The list has id, subject, role and times, never a key; a revoked key stops working and stays in the list."""
    holdfast("migrate")
    keys = [holdfast("key", "create", "--subject", who, "--role", "manager").stdout.strip() for who in ("ada", "bob")]
    listed = holdfast("key", "list", "--json")
    ada, bob = json.loads(listed.stdout)["items"]
    assert all(key not in listed.stdout for key in keys)
    assert (ada["subject"], ada["role"], ada["revoked_at"]) == ("ada", "manager", None)
    result = holdfast("key", "revoke", ada["id"], "--yes")
    assert (result.exit_code, result.stdout) == (0, f"The key {ada['id']} of ada is revoked.\n")
    assert (owner(keys[0]), owner(keys[1]) is None) == (None, False)
    again = json.loads(holdfast("key", "revoke", ada["id"], "--yes", "--json").stdout)
    assert again["revoked_at"] >= ada["created_at"]
    rows = [line.split("\t") for line in holdfast("key", "list").stdout.splitlines()]
    assert [row[:3] for row in rows] == [[ada["id"], "ada", "manager"], [bob["id"], "bob", "manager"]]
    assert [bool(row[4]) for row in rows] == [True, False]


@pytest.mark.parametrize(("locale", "said"), [("en_GB.UTF-8", "There is no key x"), ("zh_CN.UTF-8", "没有密钥 x")])
def test_a_key_that_is_not_there_cannot_be_revoked(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, locale: str, said: str
) -> None:
    """Exit code 1 with the command that lists keys."""
    monkeypatch.setenv("LC_ALL", locale)
    holdfast("migrate")
    result = holdfast("key", "revoke", "x", "--json")
    assert result.exit_code == 1
    assert result.stderr.startswith(said)
    assert "holdfast key list" in result.stderr
    assert json.loads(result.stdout)["error"]["code"] == "no-key"


def test_a_key_before_the_tables_says_what_to_do(holdfast: Holdfast) -> None:
    """Without tables the error is one sentence that names the command, not a traceback."""
    result = holdfast("key", "create", "--subject", "ada")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "The catalogue has no tables yet; run `holdfast migrate` first.\n"


@pytest.mark.parametrize(
    "argv", [("migrate",), ("key", "create", "--subject", "ada"), ("key", "list"), ("key", "revoke", "x")]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_database_that_is_down_is_one_sentence(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], host: str
) -> None:
    """Refused or unknown (a stopped container has no name): exit code 1, a reason, and never the password."""
    url = f"postgresql+asyncpg://holdfast:hunter2@{host}:{free_port()}/holdfast"
    monkeypatch.setenv("HOLDFAST_CATALOG_URL", url)
    result = holdfast(*argv)
    assert result.exit_code == 1
    assert result.stderr.startswith("The catalogue")
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.output
