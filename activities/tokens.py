"""Generated text as it comes, whoever looks, and before anybody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import TracebackType
from typing import Any

#: Seconds that a head start waits to be taken.
KEPT_SECONDS = 1.0

#: What the language model was asked: the prompt, and how to write.
Request = tuple[str, dict[str, Any]]


class Tokens:
    """Pieces of text that go on coming while nobody looks; leaving it stops the generation."""

    def __init__(self, pieces: AsyncIterator[str]) -> None:
        self._pieces = pieces
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self.count = 0

    def start(self) -> None:
        """Begin to read, if that was not done before."""
        self._reading = self._reading or asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Stop the generation."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)  # whoever still listened has its error

    async def __aenter__(self) -> Tokens:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Raises what the generation raised."""
        while (piece := await self._waiting.get()) is not None:
            self.count += 1
            yield piece
        if self._reading is not None:
            await self._reading

    async def _read(self) -> None:
        try:
            async with aclosing(self._pieces) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    self._waiting.put_nowait(piece)
        finally:
            self._waiting.put_nowait(None)


class HeadStarts:
    """Answers that the language model writes already while their step is still on its way to this worker.

    One that nobody takes is stopped after KEPT_SECONDS: its question was canceled, or another worker answers it.
    """

    def __init__(self) -> None:
        self._begun: dict[str, tuple[Request, Tokens]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def begin(self, key: str, request: Request, tokens: Tokens) -> None:
        """Start reading the answer to ``request``, until somebody asks for it by ``key``."""
        self._end(key)
        tokens.start()
        self._begun[key] = (request, tokens)
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._end_if, key, tokens)

    def take(self, key: str, request: Request) -> Tokens | None:
        """The answer that was begun to the same request."""
        begun = self._begun.get(key)
        if begun is None or begun[0] != request:
            self._end(key)
            return None
        del self._begun[key]
        return begun[1]

    def _end_if(self, key: str, tokens: Tokens) -> None:
        if key in self._begun and self._begun[key][1] is tokens:
            self._end(key)

    def _end(self, key: str) -> None:
        if key in self._begun:
            ending = asyncio.create_task(self._begun.pop(key)[1].stop())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
