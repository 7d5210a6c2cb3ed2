"""Makes the key with which the embedded platform encrypts what Temporal stores (``activities.runtime.encryption``)."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from api.http import key_files

FIRST_KEY = "first"
BYTES = 32


def create(file: Path) -> bool:
    """Make a file with one new key, for its owner only; False if there is one."""
    return key_files.create(file, f"{FIRST_KEY} {base64.b64encode(os.urandom(BYTES)).decode()}")
