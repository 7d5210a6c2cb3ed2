"""Processes of the embedded platform: their logs are rotated."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.stack import processes


def test_large_logs_are_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is large at a start is rotated; only the newest three old ones are kept."""
    monkeypatch.setattr(processes, "LOG_BYTES", 2)
    log = tmp_path / "x.log"
    for text in ("one", "two", "three", "four", "five"):
        processes.rotate(log)
        log.write_text(text)
    found = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert found == {"x.log": "five", "x.log.1": "four", "x.log.2": "three", "x.log.3": "two"}
