"""Generated text as it comes, whoever looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import TracebackType


class Tokens:
    """Pieces of text that go on coming while nobody looks; leaving it, or ``stop``, stops the generation."""

    def __init__(self, pieces: AsyncIterator[str]) -> None:
        self._pieces = pieces
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self.count = 0
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(_seen)

    def stop(self) -> None:
        """Nobody is going to look."""
        self._reading.cancel()

    async def __aenter__(self) -> Tokens:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Raises what the generation raised."""
        while (piece := await self._waiting.get()) is not None:
            self.count += 1
            yield piece
        await self._reading

    async def _read(self) -> None:
        try:
            async with aclosing(self._pieces) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    self._waiting.put_nowait(piece)
        finally:
            self._waiting.put_nowait(None)


def _seen(reading: asyncio.Task[None]) -> None:
    """Whoever still listens has the error; of one that nobody takes, there is nothing to say."""
    if not reading.cancelled():
        reading.exception()
