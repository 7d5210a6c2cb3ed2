"""Temporary folders: their own for each process, gone with it or after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MAKE = "from activities.sandbox import scratch; folder = scratch.folder('a'); print(folder.name, flush=True); "


def run(folder: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKE + code],
        env={"TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def made(process: subprocess.Popen[str]) -> Path:
    """The folder that the process reports."""
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def test_the_folders_of_a_killed_process_are_removed_by_the_next(tmp_path: Path) -> None:
    """Those of a process that runs stay."""
    with run(tmp_path, "input()") as living, run(tmp_path, "input()") as killed:
        kept, left = made(living), made(killed)
        killed.kill()
        killed.wait()
        assert kept.is_dir()
        assert left.is_dir()
        with run(tmp_path, "") as another:
            made(another)
        assert kept.is_dir()
        assert not left.parent.exists()
        living.communicate("\n")
    assert list(tmp_path.iterdir()) == []
