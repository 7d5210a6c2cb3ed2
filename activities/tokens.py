"""Generated text as it comes, whoever looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import TracebackType


class Tokens:
    """Pieces of text that go on coming while nobody looks; leaving it stops the generation."""

    def __init__(self, pieces: AsyncIterator[str]) -> None:
        self._pieces = pieces
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self.count = 0

    async def __aenter__(self) -> Tokens:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)  # whoever still listened has its error

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
