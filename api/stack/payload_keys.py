"""Makes the key with which the embedded platform encrypts what Temporal stores (``activities.runtime.encryption``)."""

from __future__ import annotations

import base64
import os
from pathlib import Path

FIRST_KEY = "first"
BYTES = 32


def create(file: Path) -> bool:
    """Make a file with one new key, for its owner only; False if there is one."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as written:
        written.write(f"{FIRST_KEY} {base64.b64encode(os.urandom(BYTES)).decode()}\n")
        written.flush()
        os.fsync(descriptor)
    return True
