"""Room on the disks that an installation writes to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from activities.settings import Settings
from api.client.problems import Message
from api.installation.findings import Finding

#: Room below which uploads and databases are about to fail, and as a part of what is used already.
ENOUGH_BYTES, ENOUGH_OF_USED = 2 * 1024**3, 0.1


def space(settings: Settings) -> Iterator[Finding]:
    """The data folder, and the folder of the files if it is on another disk."""
    data = settings.data_dir
    yield _room(data, Message("doctor.disk"))
    files = urlsplit(settings.blobs_url)
    if files.scheme == "file" and settings.blobs.url:
        folder = Path(unquote(files.path))
        if _existing(folder).stat().st_dev != _existing(data).stat().st_dev:
            yield _room(folder, Message("doctor.disk_files"))


def _room(folder: Path, check: Message) -> Finding:
    there = _existing(folder)
    free, used = shutil.disk_usage(there).free, _used(folder)
    writable = os.access(there, os.W_OK)
    ok = writable and free >= max(ENOUGH_BYTES, used * ENOUGH_OF_USED)
    found = Message("doctor.disk_free", free=free / 1e9, path=folder, used=used / 1e9)
    if not writable:
        return Finding(check, False, found, Message("doctor.disk_unwritable", path=folder))
    return Finding(check, ok, found, None if ok else Message("doctor.disk_do"))


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _used(folder: Path) -> int:
    """Bytes of all files below; those that vanish meanwhile, or may not be read, count nothing."""
    used = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                used += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return used
