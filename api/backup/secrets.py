"""The keys that a platform cannot do without, and that a backup has only when it is told to."""

from __future__ import annotations

from pathlib import Path

from activities.settings import Settings
from api.client import local_env
from api.http.tokens import KEYS_FILE

#: Names of the keys in a backup begin with this.
FOLDER = "keys/"


def key_files(settings: Settings) -> dict[str, Path]:
    """Where these settings have the keys, by their names in the data folder; the files may not exist.

    ``payload.keys`` opens the histories in Temporal, ``audit.key`` signs the audit log, ``token.keys`` the access
    tokens of people, and ``local.env`` has the first API key.
    """
    data = settings.data_dir
    return {
        settings.keys_file.name: Path(settings.temporal.payload_keys.file or settings.keys_file),
        "audit.key": settings.audit_key_file,
        KEYS_FILE: data / KEYS_FILE,
        local_env.NAME: data / local_env.NAME,
    }


def present(settings: Settings) -> dict[str, Path]:
    """Those that exist."""
    return {name: file for name, file in key_files(settings).items() if file.is_file()}
