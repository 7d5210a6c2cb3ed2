"""The first administrator: made once, with a password that is shown once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from api.cli.main import cli
from api.cli.texts.messages import text_of
from api.client.problems import Message
from api.http import auth
from api.stack import first_user, up


async def test_the_first_start_makes_an_administrator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the key of the same name; later starts say nothing, also after a removal. Only the hash is stored."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    await upgrade(settings)
    assert await auth.first_key(settings)
    told: list[Message] = []
    await first_user.introduce(settings, told.append)
    (message,) = told
    password = str(message.params["password"])
    for locale in ("en_GB.UTF-8", "zh_CN.UTF-8"):
        monkeypatch.setenv("LC_ALL", locale)
        assert password in text_of(message)
    catalog = Catalog(settings.catalog_url)
    found = await catalog.users.credentials("admin")
    assert found is not None
    assert (found.user.roles, found.user.must_change_password) == (("admin",), True)
    assert PasswordHasher().verify(found.password_hash or "", password)
    assert not any(password.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    await first_user.introduce(settings, told.append)
    await catalog.users.remove("admin", "ann")
    await first_user.introduce(settings, told.append)
    assert told == [message]
    await catalog.close()


@pytest.mark.parametrize("argv", [["up"], ["up", "--json"]])
def test_without_a_terminal_no_password_is_shown(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written to a file or a journal would keep it; the next start on a terminal makes the user."""
    given: list[Callable[..., Any] | None] = []
    monkeypatch.setattr(up, "run", lambda *args: given.append(args[5]))
    CliRunner().invoke(cli, argv, catch_exceptions=False)
    assert given == [None]
