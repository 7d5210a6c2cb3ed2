"""What a re-index has to do, before it does it: counted for every live document, and estimated from some of them."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict

import msgspec
import numpy as np
from temporalio import activity

from activities.contracts.documents import Chunk
from activities.contracts.ingest import ChunkInput
from activities.contracts.reindex import ReindexInput, ReindexPlan
from activities.errors import FileLost
from activities.ingest.chunk import ChunkActivities
from activities.ingest.embed import embed_chunks
from activities.ingest.models import usable_card
from activities.ingest.parse import parser_fingerprint
from activities.runtime.heartbeat import heartbeating, report
from activities.settings import EmbedSettings, ParseSettings
from activities.stores.blob_keys import digest, parsed_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Generation, LivePlan, Reindex
from activities.stores.triton import ModelCard, Triton
from activities.stores.vectors import VectorSet

#: Live documents of one query.
PAGE = 1000

#: Documents that are cut for the estimate, and their chunks that are embedded to time the model.
SAMPLED, TIMED = 40, 48

#: How often these are embedded, unless that takes longer than so many seconds.
ROUNDS, ROUNDS_SECONDS = 5, 3.0

#: What a document costs beside its embedding, in seconds of one of the places that work at once.
DOCUMENT_SECONDS = 0.15

#: What it costs to write a chunk into the new index, in seconds: Milvus Lite on two cores; servers are faster.
ROW_SECONDS = 0.002

#: What begins and ends it, whatever its size: this comparison again, and the verification's samples.
FIXED_SECONDS = 4.0


class _Sample(msgspec.Struct):
    """Counts of the sampled documents."""

    old: int = 0
    new: int = 0
    embedded: int = 0
    tokens: int = 0
    text_bytes: int = 0
    texts: list[Chunk] = msgspec.field(default_factory=list)


class PlanActivities:
    """Runs on the ``cpu`` queue."""

    def __init__(
        self,
        blobs: Blobs,
        triton: Triton,
        catalog: Catalog,
        chunking: ChunkActivities,
        parse: ParseSettings,
        embed: EmbedSettings,
    ) -> None:
        self._blobs, self._triton, self._catalog, self._chunking = blobs, triton, catalog, chunking
        self._parse, self._embed = parse, embed

    @activity.defn(name="plan_reindex")
    @heartbeating
    async def plan_reindex(self, input: ReindexInput) -> ReindexPlan:
        """Compares what each live document is made of with what would be made of it. Nothing is left of the samples.

        Raises NotFound.
        """
        reindex = await self._catalog.reindexes.get(input.reindex_id)
        generation = await self._catalog.knowledge_bases.generation(reindex.knowledge_base_id, reindex.previous)
        card = await usable_card(self._triton, reindex.embedding)
        same_model = generation.model_fingerprint == card.fingerprint
        groups: dict[str, list[LivePlan]] = defaultdict(list)
        documents, after = 0, ""
        while page := await self._catalog.generations.live(reindex.knowledge_base_id, reindex.previous, after, PAGE):
            for live in page:
                groups[await self._what(live, reindex, same_model)].append(live)
            documents, after = documents + len(page), page[-1].document_id
            report(documents)
        changed = [live for name, members in groups.items() if name for live in members]
        chunks = sum(live.rows for members in groups.values() for live in members)
        begun = time.monotonic()
        sample = await self._sampled(changed, reindex, same_model)
        chunk_seconds = (time.monotonic() - begun) / max(1, min(SAMPLED, len(changed)))
        old = sum(live.rows for live in changed)
        share = old / sample.old if sample.old else 0.0
        new = round(sample.new * share)
        tokens = round(sample.tokens * share)
        rate = await self._rate(card, sample.texts)
        places = min(len(changed), reindex.parallelism) or 1
        overhead = len(changed) * (DOCUMENT_SECONDS + chunk_seconds) / min(places, 4) + new * ROW_SECONDS
        return ReindexPlan(
            documents=documents,
            parsed_again=len(groups["parse"]),
            cut_again=len(groups["chunk"]),
            embedded_again=len(groups["embed"]),
            chunks=chunks,
            new_chunks=chunks - old + new,
            embedded=round(sample.embedded * share),
            tokens=tokens,
            bytes=round(new * card.dimension * 4 + 2 * sample.text_bytes * share),
            seconds=round(tokens / rate + overhead + FIXED_SECONDS, 1) if changed else 0.0,
            sampled=min(SAMPLED, len(changed)),
            settings_differ=not documents and await self._has_other_settings(generation, reindex, card),
        )

    async def _has_other_settings(self, generation: Generation, reindex: Reindex, card: ModelCard) -> bool:
        knowledge_base = await self._catalog.knowledge_bases.by_id(reindex.knowledge_base_id)
        model = generation.model_fingerprint or (await self._triton.card()).fingerprint
        return model != card.fingerprint or knowledge_base.chunking != reindex.chunking

    async def _what(self, live: LivePlan, reindex: Reindex, same_model: bool) -> str:
        """The first stage whose output does not fit any more; empty if all of them do."""
        parsed = parsed_key(live.sha256, parser_fingerprint(live.name, self._parse.ocr, self._parse.hidden))
        if live.parsed_key != parsed:
            return "parse"
        if live.chunks_key != await self._chunking.key(_chunk_input(live, parsed, reindex)):
            return "chunk"
        return "" if same_model else "embed"

    async def _sampled(self, changed: list[LivePlan], reindex: Reindex, same_model: bool) -> _Sample:
        """Cuts some documents, chosen by the digest of their ids, and looks which of their vectors are there."""
        sample = _Sample()
        for live in sorted(changed, key=lambda live: digest(live.document_id))[:SAMPLED]:
            if live.parsed_key is None or live.chunks_key is None:
                continue
            try:
                chunks = await self._cut(live, live.parsed_key, reindex)
                known = set((await self._blobs.load(live.vectors_key or "", VectorSet)).hashes) if same_model else set()
            except (KeyError, FileLost):
                continue  # its files are lost: the build tells so
            new = [chunk for chunk in chunks if digest(chunk.searched) not in known]
            sample.old, sample.new = sample.old + live.rows, sample.new + len(chunks)
            sample.embedded += len(new)
            sample.tokens += sum(chunk.tokens for chunk in new)
            sample.text_bytes += sum(len(chunk.text.encode()) for chunk in chunks)
            sample.texts += new[:: max(1, len(new) // 8)]
            report(sample.new)
        return sample

    async def _cut(self, live: LivePlan, parsed: str, reindex: Reindex) -> list[Chunk]:
        input = _chunk_input(live, parsed, reindex)
        existed = await self._blobs.exists(await self._chunking.key(input))
        key = (await self._chunking.chunk(input)).chunks_key
        chunks = await self._blobs.load(key, list[Chunk])
        if not existed:
            await self._blobs.delete(key)
        return chunks

    async def _rate(self, card: ModelCard, texts: list[Chunk]) -> float:
        """The tokens that the model embeds in a second: the median of some rounds, as questions interrupt it."""
        sample = sorted({digest(chunk.searched): chunk for chunk in texts}.items(), key=lambda item: item[1].tokens)
        timed = [sample[index] for index in np.linspace(0, len(sample) - 1, min(TIMED, len(sample))).astype(int)]
        if not timed:
            return 1.0
        await self._embed_timed(card, timed[:1])  # the first request of a model takes longer
        end, rates = time.monotonic() + ROUNDS_SECONDS, [await self._embed_timed(card, timed)]
        while len(rates) < ROUNDS and time.monotonic() < end:
            rates.append(await self._embed_timed(card, timed))
        return statistics.median(rates)

    async def _embed_timed(self, card: ModelCard, timed: list[tuple[str, Chunk]]) -> float:
        """Tokens of these chunks, ordered by length, in a second."""
        begun = time.monotonic()
        wanted = {hash: chunk.searched for hash, chunk in timed}
        await embed_chunks(self._triton, card, self._blobs, "", wanted, self._embed, len(wanted))
        tokens: int = sum(chunk.tokens for _, chunk in timed)
        return tokens / (time.monotonic() - begun)


def _chunk_input(live: LivePlan, parsed: str, reindex: Reindex) -> ChunkInput:
    return ChunkInput(
        parsed_key=parsed, chunking=reindex.chunking, document_name=live.name, embedding=reindex.embedding
    )
