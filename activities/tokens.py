"""Buffered token stream that keeps reading while it is not consumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import TracebackType


class TokenStream:
    """Pieces of generated text, buffered as they come; leaving the context, or ``stop``, stops the generation."""

    def __init__(self, pieces: AsyncIterator[str]) -> None:
        self._pieces = pieces
        self._buffer: asyncio.Queue[str | None] = asyncio.Queue()
        self.count = 0
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(_retrieve_error)

    def stop(self) -> None:
        """Stop the generation without waiting for its end."""
        self._reading.cancel()

    async def __aenter__(self) -> TokenStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the pieces; raises the error of the generation."""
        while (piece := await self._buffer.get()) is not None:
            self.count += 1
            yield piece
        await self._reading

    async def _read(self) -> None:
        try:
            async with aclosing(self._pieces) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    self._buffer.put_nowait(piece)
        finally:
            self._buffer.put_nowait(None)


def _retrieve_error(reading: asyncio.Task[None]) -> None:
    """Mark the error of a stream that is never consumed as seen, so that asyncio does not log it."""
    if not reading.cancelled():
        reading.exception()
