"""Logs say where an error happened; what a library says of what it was given stays out of them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from activities.errors import BlobsUnavailable, DamagedDocument, InvalidRequest, SettingsError
from activities.telemetry.exceptions import Exceptions, shown

TEXT = "the heron's invoice"


def _outage() -> None:
    raise BlobsUnavailable(detail="no space left")


def _quoting() -> None:
    try:
        int(TEXT)
    except ValueError as exc:
        exc.add_note(TEXT)
        raise ExceptionGroup(TEXT, [KeyError(TEXT), OSError(28, "No space left on device")]) from exc


def _both(raising: Callable[[], None], *, messages: bool = False) -> tuple[str, str]:
    """The exception as in JSON, and as people see it."""
    exceptions = Exceptions(messages=messages)
    try:
        raising()
    except Exception:  # noqa: BLE001
        info: Any = sys.exc_info()
    out = io.StringIO()
    exceptions.console(out, info)
    return json.dumps(exceptions(info)), out.getvalue()


def test_messages_of_libraries_are_left_out() -> None:
    """Of causes, groups and notes too; classes, places, and what the system says, are there."""
    for text in _both(_quoting):
        assert "heron" not in text
        assert all(part in text for part in ("ValueError", "ExceptionGroup", "KeyError", "_quoting", "No space left"))


def test_debug_shows_them() -> None:
    """Operators can ask for them."""
    assert all("heron" in text for text in _both(_quoting, messages=True))


def test_what_is_down_is_told() -> None:
    """In our own words."""
    assert all("no space left" in text for text in _both(_outage))


@pytest.mark.parametrize(
    ("exc", "text"),
    [
        (DamagedDocument(format="html", detail=TEXT), "damaged"),
        (InvalidRequest(detail=TEXT), "invalid-request"),
        (ValueError(TEXT), "ValueError"),
        (SettingsError(key="K", value="v", problem="p"), "The setting K=v cannot be used: p."),
        (ConnectionResetError(104, "Connection reset by peer"), "[Errno 104] Connection reset by peer"),
    ],
)
def test_a_line_names_the_error(exc: Exception, text: str) -> None:
    """A document's error by its code, an unforeseen one by its class, an outage by its sentence."""
    assert shown(exc) == text
