"""Makes the key with which the audit log is signed (``activities.audit_log.notes``)."""

from __future__ import annotations

import os
from pathlib import Path

from activities.audit_log.notes import new_signing_key
from api.http import key_files

#: What the name of a log begins with; random digits follow.
ORIGIN = "holdfast.audit"


def create(file: Path) -> bool:
    """Make a file with a new key of a new name, for its owner only; False if there is one."""
    return key_files.create(file, new_signing_key(f"{ORIGIN}/{os.urandom(4).hex()}"))
