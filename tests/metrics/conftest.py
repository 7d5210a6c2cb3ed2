"""Prometheus's programs, from Debian's package."""

from __future__ import annotations

import os
import shutil

import pytest


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed (Debian's package prometheus)")
    return found


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool."""
    return _program("promtool")


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The path of Prometheus."""
    return _program("prometheus")
