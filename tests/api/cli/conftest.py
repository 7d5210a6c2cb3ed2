"""The command line, and a fake API for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.fake_api import FakeApi, Holdfast, command_line, serving
from tests.api.cli.terminal import Terminal


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    """A server that stands in for the API."""
    with serving() as fake:
        yield fake


@pytest.fixture
def holdfast(fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """The command line, connected to ``fake``."""
    return command_line(fake, tmp_path, monkeypatch)


@pytest.fixture
def terminal(fake: FakeApi, tmp_path: Path) -> Terminal:
    """The command line on a terminal, connected to ``fake``."""
    return Terminal(fake, tmp_path)
