"""The chunk activity: a parsed document → chunks, made in a child process within limits of time and memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from temporalio import activity

from activities.contracts.documents import Chunking
from activities.contracts.ingest import Chunked, ChunkInput
from activities.ingest.chunking import (
    TOKENIZERS,
    ChunkCounts,
    TokenizerInfo,
    chunk_file,
    chunking_fingerprint,
    describe_tokenizer,
    load_tokenizer,
)
from activities.ingest.document_names import name_words
from activities.runtime.heartbeat import heartbeating
from activities.runtime.lanes import Lane
from activities.sandbox import runner, scratch
from activities.sandbox.protocol import Limits
from activities.sandbox.runner import run_isolated
from activities.settings import ParseSettings
from activities.stores.blob_keys import chunks_key
from activities.stores.blobs import Blobs
from activities.stores.triton import ModelCard, Triton

_SHARED_BYTES = 1 << 20
"""Longer documents get a process of their own, whose end returns their memory."""

_DESCRIBE = Limits(seconds=120, memory_mb=1024)


class _Tokens(msgspec.Struct):
    """What is counted of a chunk; its text is left out when this type is decoded."""

    tokens: int


class ChunkActivities:
    """The ``chunk`` activity."""

    def __init__(self, blobs: Blobs, triton: Triton, settings: ParseSettings, lane: Lane) -> None:
        self._blobs, self._triton, self._settings = blobs, triton, settings
        self._lane = lane
        self._preparing = asyncio.Lock()
        self._tokenizers: dict[str, TokenizerInfo] = {}  # by the fingerprint of the model, latest last

    @activity.defn(name="chunk")
    @heartbeating
    async def chunk(self, input: ChunkInput) -> Chunked:
        """Chunks a parsed document; existing chunks of the same fingerprint are reused. Raises NoText."""
        card = await self._triton.card(input.embedding)
        title = name_words(input.document_name)
        key, chunking = await self._fitted(card, input, title)
        counts = None if input.force else await self._existing(key)
        if counts is None:
            counts = await self._lane.run(
                key, lambda: self._chunk(card.fingerprint, input.parsed_key, key, chunking, title)
            )
        return Chunked(chunks_key=key, chunks=counts.chunks, tokens=counts.tokens)

    async def key(self, input: ChunkInput) -> str:
        """The key of the chunks that ``chunk`` makes, or has made."""
        card = await self._triton.card(input.embedding)
        return (await self._fitted(card, input, name_words(input.document_name)))[0]

    async def _fitted(self, card: ModelCard, input: ChunkInput, title: str) -> tuple[str, Chunking]:
        """The key of the chunks, and the chunking as the model allows it."""
        tokenizer = await self._prepared(card)
        chunking = tokenizer.fitted(input.chunking, card.max_tokens)
        return chunks_key(input.parsed_key, chunking_fingerprint(chunking, tokenizer, title)), chunking

    async def _existing(self, key: str) -> ChunkCounts | None:
        try:
            chunks = await self._blobs.load(key, list[_Tokens])
        except KeyError:
            return None
        return ChunkCounts(len(chunks), sum(chunk.tokens for chunk in chunks)) if chunks else None

    async def _chunk(self, model: str, parsed_key: str, key: str, chunking: Chunking, title: str) -> ChunkCounts:
        with scratch.folder("chunk") as folder:
            parsed, chunks = Path(folder) / "parsed", Path(folder) / "chunks"
            await self._blobs.download(parsed_key, parsed)
            size = parsed.stat().st_size
            counts = await run_isolated(
                chunk_file,
                model,
                parsed,
                chunks,
                chunking,
                title,
                limits=Limits(seconds=self._settings.seconds(size), memory_mb=self._settings.max_memory_mb),
                harmless=size <= _SHARED_BYTES,
            )
            with chunks.open("rb") as file:
                await self._blobs.put(key, file)
        return counts

    async def _prepared(self, card: ModelCard) -> TokenizerInfo:
        """The model's tokenizer, loaded by the process that child processes are forked from.

        While a knowledge base changes its model, those of two models are used in turn.
        """
        async with self._preparing:
            if card.fingerprint not in self._tokenizers:
                content = await self._triton.tokenizer_file(card.identity)
                await asyncio.to_thread(runner.load, load_tokenizer, card.fingerprint, content, keep=TOKENIZERS)
                prompt = card.prompts.get("passage", "")
                described = await run_isolated(describe_tokenizer, card.fingerprint, prompt, limits=_DESCRIBE)
                self._tokenizers[card.fingerprint] = described
                for earliest in list(self._tokenizers)[:-TOKENIZERS]:
                    del self._tokenizers[earliest]
            return self._tokenizers[card.fingerprint]
