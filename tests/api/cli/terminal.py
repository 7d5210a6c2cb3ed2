"""The command line on a real terminal: a pseudo-terminal of its own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.api.cli.fake_api import ENGLISH, FakeApi

#: What moves the cursor or changes colours.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Screen:
    """What a command wrote, and its exit code."""

    text: str
    exit_code: int


@dataclass
class Terminal:
    """Runs commands against ``fake``, with ``folder`` as the user's configuration and data."""

    fake: FakeApi
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *argv: str, columns: int = 80, typed: str = "", prompt: str = "") -> Screen:
        """Run `holdfast …`; ``typed`` is written to the terminal once it shows ``prompt``."""
        reader, terminal = os.openpty()
        environ = os.environ | {
            "HOLDFAST_URL": self.fake.url, "HOLDFAST_API_KEY": "hf_key", "HOLDFAST_DATA": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"), "TERM": "xterm", "LC_ALL": ENGLISH,
            "COLUMNS": str(columns), **self.environ,
        }  # fmt: skip
        command = [sys.executable, "-m", "api.cli", *argv]
        with subprocess.Popen(
            command, env=environ, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
        ) as process:
            os.close(terminal)
            written = b""
            with suppress(OSError):  # reading a terminal without a writer is an error
                while chunk := os.read(reader, 65536):
                    written += chunk
                    if typed and prompt.encode() in written:
                        os.write(reader, typed.encode())
                        typed = ""
            code = process.wait(60)
        os.close(reader)
        return Screen(ESCAPES.sub("", written.decode()).replace("\r\n", "\n"), code)
