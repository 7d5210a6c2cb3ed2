"""Controls the load generator (`tests.bench.load`), which runs in its own process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from api.client.client import Target
from tests.bench.instance import ROOT

ANSWER_BYTES = 1 << 26


class Generator:
    """Sends commands, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Run a command of `load.Load`. Raises RuntimeError when the process has died; its output gives the reason."""
        answer = await self._say({"do": command, **arguments})
        found: dict[str, Any] = json.loads(answer)
        return found

    async def begin(self, target: Target) -> None:
        """Send the API's address; the key goes through the pipe, so that no process list shows it."""
        assert self._process.stdin is not None
        address = urlsplit(target.url)
        first = {"host": address.hostname, "port": address.port or 80, "key": target.key}
        self._process.stdin.write(json.dumps(first).encode() + b"\n")

    async def _say(self, command: dict[str, Any]) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the load generator ended during {command['do']}")
        return answer


@asynccontextmanager
async def generator(target: Target) -> AsyncIterator[Generator]:
    """Start a load generator, and end it afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.load",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=ANSWER_BYTES,
    )
    try:
        made = Generator(process)
        await made.begin(target)
        yield made
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
