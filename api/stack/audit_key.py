"""Makes the key with which the audit log is signed (``activities.audit_log.notes``)."""

from __future__ import annotations

import os
from pathlib import Path

from activities.audit_log.notes import new_signing_key

#: What the name of a log begins with; random digits follow.
ORIGIN = "holdfast.audit"


def create(file: Path) -> bool:
    """Make a file with a new key of a new name, for its owner only; False if there is one."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as written:
        written.write(f"{new_signing_key(f'{ORIGIN}/{os.urandom(4).hex()}')}\n")
        written.flush()
        os.fsync(descriptor)
    return True
