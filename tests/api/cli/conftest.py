"""The command line, and a server that plays the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.fake_api import FakeApi, Holdfast, command_line, serving


@pytest.fixture
def api_fake() -> Iterator[FakeApi]:
    """A server that plays the API."""
    with serving() as fake:
        yield fake


@pytest.fixture
def holdfast(api_fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """The command line, which talks to ``api_fake``."""
    return command_line(api_fake, tmp_path, monkeypatch)
