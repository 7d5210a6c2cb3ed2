"""Programs that readers use where an operator has installed them."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path


@cache
def libreoffice() -> Path | None:
    """LibreOffice's program, beside the start script on the PATH; None where it is not installed."""
    script = shutil.which("soffice") or shutil.which("libreoffice")
    if script is None:
        return None
    program = Path(script).resolve().with_name("soffice.bin")
    return program if program.is_file() else None
