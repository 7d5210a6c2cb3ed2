"""Room on the disks that an installation writes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from activities.settings import Settings
from activities.stores.disks import existing, free_bytes, used_bytes
from api.client.problems import Message
from api.installation.findings import Finding

#: Room below which uploads and databases are about to fail, and as a part of what is used already.
ENOUGH_BYTES, ENOUGH_OF_USED = 2 * 1024**3, 0.1


def space(settings: Settings) -> Iterator[Finding]:
    """The data folder, and the folder of the files if it is on another disk."""
    data = settings.data_dir
    yield _room(data, Message("doctor.disk"))
    files = settings.files_dir if settings.blobs.url else None
    if files is not None and existing(files).stat().st_dev != existing(data).stat().st_dev:
        yield _room(files, Message("doctor.disk_files"))


def _room(folder: Path, check: Message) -> Finding:
    free, used = free_bytes(folder), used_bytes(folder)
    writable = os.access(existing(folder), os.W_OK)
    ok = writable and free >= max(ENOUGH_BYTES, used * ENOUGH_OF_USED)
    found = Message("doctor.disk_free", free=free / 1e9, path=folder, used=used / 1e9)
    if not writable:
        return Finding(check, False, found, Message("doctor.disk_unwritable", path=folder))
    return Finding(check, ok, found, None if ok else Message("doctor.disk_do"))
