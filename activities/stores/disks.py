"""Room on local disks."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder


def free_bytes(folder: Path) -> int:
    """Free bytes where a folder is, or will be. Raises OSError."""
    return shutil.disk_usage(existing(folder)).free


def used_bytes(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; those that are gone, or may not be read, count nothing."""
    files = [path] if not path.is_dir() else (Path(at, name) for at, _, names in os.walk(path) for name in names)
    used = 0
    for file in files:
        with suppress(OSError):
            used += file.lstat().st_size
    return used
