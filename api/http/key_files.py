"""Files with secret keys: made once, whole, and for their owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def create(file: Path, line: str) -> bool:
    """Make the file with this line, whole or not at all; False if there is one, which another process may have made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as written:
            written.write(f"{line}\n")
            written.flush()
            os.fsync(descriptor)
        os.link(name, file)
    except FileExistsError:
        return False
    finally:
        os.unlink(name)
    return True
