"""The file in the data folder by which the next start knows that it is the first one after a restore."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from activities.settings import Settings

MARKER = "restored.json"

#: The embedded Temporal's file in the data folder.
TEMPORAL = "temporal.db"


class Restored(msgspec.Struct, frozen=True):
    """When the restore was, when its backup was made, and the keys that were missing then."""

    restored_at: datetime
    created_at: datetime
    missing_keys: list[str] = []


def mark(folder: Path, restored: Restored) -> None:
    """Writes what tells the next start, in a folder of what is restored."""
    (folder / MARKER).write_bytes(msgspec.json.encode(restored))


def is_marked(settings: Settings) -> bool:
    """Whether this start is the first one after a restore."""
    return marker_of(settings).exists()


def marker_of(settings: Settings) -> Path:
    """Its path."""
    return settings.data_dir / MARKER


def keys_needed(settings: Settings) -> list[str]:
    """Keys that are still missing after a restore, and without which new ones would be made that open nothing.

    ``payload.keys`` opens what Temporal's file holds, ``audit.key`` has signed the checkpoints.
    """
    if not is_marked(settings):
        return []
    missing = msgspec.json.decode(marker_of(settings).read_bytes(), type=Restored).missing_keys
    payload = Path(settings.temporal.payload_keys.file or settings.keys_file)
    needs = (
        (settings.keys_file.name, payload, settings.data_dir / TEMPORAL),
        ("audit.key", settings.audit_key_file, settings.checkpoints_file),
    )
    return [name for name, file, data in needs if name in missing and data.exists() and not file.is_file()]
