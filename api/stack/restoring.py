"""Restores a backup into the data folder of a platform that does not run, and keeps it from starting meanwhile."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from activities.settings import Settings
from api.backup.create import Tell
from api.backup.manifest import Manifest
from api.backup.restore import restore
from api.client.problems import Problem
from api.stack import processes


def run(
    settings: Settings, path: Path, replace: bool, tell: Tell, *, take_over: bool = False
) -> tuple[Manifest, list[str]]:
    """See ``restore``. Raises Problem."""
    before = os.umask(0o077)
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with processes.only_one(settings.data_dir / "run" / "lock"):
            return asyncio.run(restore(settings, path, replace=replace, tell=tell, take_over=take_over))
    except processes.AlreadyRunning as exc:
        raise Problem("running", data=settings.data_dir, pid=exc.pid) from exc
    except OSError as exc:
        raise Problem("data-folder", path=settings.data_dir, detail=exc.strerror) from exc
    finally:
        os.umask(before)
