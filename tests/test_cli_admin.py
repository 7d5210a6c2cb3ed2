"""`holdfast migrate` and `holdfast key create`: a deployment's first steps, straight on the catalogue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from activities.settings import load
from activities.stores.catalog import Catalog
from activities.stores.catalog.records import Principal
from api.cli import cli
from api.processes import free_port

Holdfast = Callable[..., Result]


@pytest.fixture
def holdfast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """The command line, on an empty data folder."""
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    return lambda *argv: CliRunner().invoke(cli, list(argv), catch_exceptions=False)


def owner(key: str) -> Principal | None:
    """Who the key belongs to, as the API would find out."""

    async def find() -> Principal | None:
        catalog = Catalog(load().catalog_url)
        try:
            return await catalog.keys.find(key)
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
    """Every deployment may run it; keys made before are still there."""
    holdfast("migrate")
    key = json.loads(holdfast("key", "create", "--subject", "ada", "--json").stdout)["key"]
    assert json.loads(holdfast("migrate", "--json").stdout) == {"migrated": True}
    assert owner(key) is not None


def test_a_key_before_the_tables_says_what_to_do(holdfast: Holdfast) -> None:
    """Out of order is one sentence that names the command, not a trace."""
    result = holdfast("key", "create", "--subject", "ada")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "The catalogue has no tables yet; run `holdfast migrate` first.\n"


@pytest.mark.parametrize("argv", [("migrate",), ("key", "create", "--subject", "ada")])
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
