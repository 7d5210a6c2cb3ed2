"""Starts to generate an answer before the step that streams it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import NamedTuple

from tokenizers import Tokenizer

from activities.answering.prompts import build_prompt, max_tokens, sampling
from activities.retrieval.passages import SourceTexts
from activities.settings import GenerateSettings
from activities.stores.triton import Generated, Triton
from activities.text.scripts import query_language

#: Generations that may wait to be claimed. More would take the language model's time from answers being streamed.
MAX_PENDING = 2

#: A generation that is not claimed for so long is stopped; a canceled question stops within a second.
CLAIM_SECONDS = 0.8


class PendingGeneration(NamedTuple):
    """Text that is being generated from ``used``, as many texts of ``found`` as fit; at most ``max_tokens`` long."""

    found: SourceTexts
    used: list[str]
    max_tokens: int
    tokens: TokenStream
    endings: list[Generated]

    @property
    def ending(self) -> Generated:
        """How it ended, once all its pieces have come."""
        return self.endings[-1] if self.endings else Generated()

    @property
    def is_cut(self) -> bool:
        """Whether it ended at the limit."""
        finish = self.ending.finish
        return finish == "length" if finish else self.tokens.count >= self.max_tokens


class GenerationPrefetch:
    """Lets the `retrieve` step start what the `answer` step streams, in a process that runs both.

    The language model reads the prompt while the workflow goes from one to the other. An answer step in another
    process, or too late, starts a generation of its own.
    """

    def __init__(self, triton: Triton, settings: GenerateSettings) -> None:
        self._triton, self._settings = triton, settings
        self._pending: dict[str, PendingGeneration] = {}

    async def start(self, key: str, found: SourceTexts) -> None:
        """Start a generation to be claimed by ``key``; does nothing while ``MAX_PENDING`` others wait."""
        self._drop(key, self._pending.get(key))
        if len(self._pending) >= MAX_PENDING or not self._settings.writes(query_language(found.question)):
            return
        pending = self._pending[key] = await self._generate(found)
        asyncio.get_running_loop().call_later(CLAIM_SECONDS, self._drop, key, pending)

    async def claim(self, key: str, found: SourceTexts) -> PendingGeneration:
        """The generation that was started for the same texts, or a new one.

        The caller stops it: ``async with pending.tokens``.
        """
        pending = self._pending.get(key)
        if pending is not None and pending.found == found:
            return self._pending.pop(key)
        return await self._generate(found)

    async def _generate(self, found: SourceTexts) -> PendingGeneration:
        used = within_budget(await self._triton.tokenizer(), found.texts, self._settings.context_tokens)
        prompt = build_prompt(found.question, used, found.settings.instructions)
        parameters = sampling(self._settings, found.settings)
        endings: list[Generated] = []
        tokens = TokenStream(self._triton.generate(prompt, parameters, endings.append))
        return PendingGeneration(found, used, max_tokens(self._settings, found.settings), tokens, endings)

    def _drop(self, key: str, pending: PendingGeneration | None) -> None:
        if pending is not None and self._pending.get(key) is pending:
            del self._pending[key]
            pending.tokens.stop()


def within_budget(tokenizer: Tokenizer, texts: Sequence[str], room: int) -> list[str]:
    """As many of the best passages as fit in ``room`` tokens; the first one always, cut if it is longer."""
    used: list[str] = []
    for text in texts:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        if len(encoding.ids) > room:
            if not used:
                used.append(text[: encoding.offsets[room - 1][1]])
            break
        used.append(text)
        room -= len(encoding.ids)
    return used


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
