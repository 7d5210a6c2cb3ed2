"""The embed activity: computes the vector of every chunk, each only once.

Vectors are keyed by (text of the chunk in its context, model). Those that an interrupted attempt saved (``part-*``
blobs) and those of earlier versions of the document are reused; only the rest is sent to Triton.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext

import msgspec
import numpy as np
import structlog
from temporalio import activity

from activities.contracts.documents import Chunk
from activities.contracts.ingest import Embedded, EmbedInput, Indexed, IndexInput
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.lanes import Lane
from activities.settings import EmbedSettings
from activities.stores.blob_keys import digest, vectors_key, vectors_prefix
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.triton import ModelCard, Triton
from activities.stores.vectors import Vectors, VectorSet, vector_set
from activities.telemetry import metrics

log = structlog.get_logger()

#: Texts whose vectors are saved together; a killed worker loses at most this many for each group in flight.
GROUP = 64

#: Texts above which embedding is long work (see ``activities.runtime.lanes``): a few seconds on a CPU.
LONG = 4 * GROUP


class EmbedActivities:
    """Runs on the ``gpu`` queue."""

    def __init__(
        self,
        blobs: Blobs,
        triton: Triton,
        catalog: Catalog,
        settings: EmbedSettings,
        index: Callable[[IndexInput], Awaitable[Indexed]],
        lane: Lane,
    ) -> None:
        """``index`` is the next activity, called directly for inputs with ``EmbedInput.index``."""
        self._lane = lane
        self._blobs, self._triton, self._catalog, self._settings = blobs, triton, catalog, settings
        self._index = index

    @activity.defn(name="embed")
    @heartbeating
    async def embed(self, input: EmbedInput) -> Embedded:
        """Computes the missing vectors. Progress counts chunks that have their vector."""
        embedded = await self._embed(input)
        if input.index is None or embedded.remaining:
            return embedded
        return msgspec.structs.replace(embedded, indexed=await self._index(input.index.of(embedded)))

    async def _embed(self, input: EmbedInput) -> Embedded:
        card = await self._triton.card(input.embedding)
        prefix = vectors_prefix(input.chunks_key, card.fingerprint)
        key = vectors_key(input.chunks_key, card.fingerprint)
        if input.force:
            for stale_key in await self._blobs.list(prefix):
                await self._blobs.delete(stale_key)
        elif await self._blobs.exists(key):
            complete = await self._blobs.load(key, VectorSet)
            return _embedded(key, card, len(complete.hashes), embedded=0)
        chunks = await self._blobs.load(input.chunks_key, list[Chunk])
        texts = {digest(chunk.searched): chunk for chunk in chunks}
        known = {} if input.force else await self._earlier(input, card.fingerprint)
        new = sorted((hash for hash in texts if hash not in known), key=lambda text_hash: texts[text_hash].tokens)
        groups = {part_key(prefix, group): group for group in grouped(new)}
        stored = set(await self._blobs.list(prefix))
        # Parts of these groups are loaded when all are there: a long document takes many runs of this activity.
        known |= await self._load(stored - groups.keys())
        done = stored & groups.keys()
        missing = [hash for part in groups if part not in done for hash in groups[part] if hash not in known]
        with self._lane.place(key) if len(missing) > LONG else nullcontext():
            made = await self._made(card, prefix, texts, missing, len(chunks), input.slice_seconds)
        if remaining := len(missing) - len(made):
            return _embedded(key, card, len(chunks), embedded=len(made), remaining=remaining)
        known |= made | await self._load(done)
        known |= await self._made(card, prefix, texts, [hash for hash in texts if hash not in known], len(chunks))
        hashes = [digest(chunk.searched) for chunk in chunks]
        await self._blobs.save(key, vector_set(hashes, np.stack([known[hash] for hash in hashes])))
        if len(chunks) > GROUP:
            await self._remove_parts(prefix, key)
        metrics.CHUNKS.labels("made").inc(len(missing))
        metrics.CHUNKS.labels("reused").inc(len(chunks) - len(missing))
        return _embedded(key, card, len(chunks), embedded=len(missing))

    async def _made(
        self,
        card: ModelCard,
        prefix: str,
        texts: Mapping[str, Chunk],
        hashes: Sequence[str],
        total: int,
        seconds: float | None = None,
    ) -> dict[str, Vectors]:
        wanted = {hash: texts[hash].searched for hash in hashes}
        return await embed_chunks(self._triton, card, self._blobs, prefix, wanted, self._settings, total, seconds)

    async def _remove_parts(self, prefix: str, complete_key: str) -> None:
        for part in await self._blobs.list(prefix):
            if part != complete_key:
                await self._blobs.delete(part)

    async def _earlier(self, input: EmbedInput, fingerprint: str) -> dict[str, Vectors]:
        """Vectors by text hash of the document's last two versions, in every index generation."""
        if input.version == 1 and input.generation in (None, 1):
            return {}
        keys = await self._catalog.documents.vectors(input.document_id, input.version - 1)
        return await self._load(key for key in keys if key.split("/")[2] == fingerprint)

    async def _load(self, keys: Iterable[str]) -> dict[str, Vectors]:
        """Vectors by text hash; those of blobs that are gone are left out, and made again."""
        found: dict[str, Vectors] = {}
        for key in keys:
            try:
                vectors = await self._blobs.load(key, VectorSet)
            except KeyError:
                continue
            found.update(zip(vectors.hashes, vectors.matrix(), strict=True))
        return found


def part_key(prefix: str, hashes: Sequence[str]) -> str:
    """Key of the vectors of one group of texts."""
    return f"{prefix}/part-{digest(*hashes)}"


def grouped(hashes: Sequence[str]) -> Iterator[Sequence[str]]:
    """Texts whose vectors are saved together."""
    return (hashes[start : start + GROUP] for start in range(0, len(hashes), GROUP))


async def embed_chunks(
    triton: Triton,
    card: ModelCard,
    blobs: Blobs,
    prefix: str,
    texts: dict[str, str],
    settings: EmbedSettings,
    total: int,
    seconds: float | None = None,
) -> dict[str, Vectors]:
    """Vectors of ``texts`` by hash (``texts`` is keyed by hash and ordered by length); each group is saved as a part.

    ``card`` is that of the model; requests have its batch size, and ``settings.requests_in_flight`` of them are in
    flight, also across group boundaries. After ``seconds`` no group but the first is started, and the result lacks the
    rest.
    """
    passage = card.prompts.get("passage", "")
    requests = asyncio.Semaphore(settings.requests_in_flight)
    # As many groups as fill these requests, and one more for when the last requests of a group are under way. As many
    # others are saved meanwhile: a store that is slower than that holds the model up.
    places = math.ceil(settings.requests_in_flight * min(card.batch_size, GROUP) / GROUP) + 1
    groups, saves = asyncio.Semaphore(places), asyncio.Semaphore(places)
    made: dict[str, Vectors] = {}
    done = total - len(texts)
    end = time.monotonic() + seconds if seconds else math.inf

    async def request(batch: Sequence[str]) -> Vectors:
        async with requests:
            return await triton.embed([passage + texts[hash] for hash in batch], model=card.identity)

    async def group(members: Sequence[str]) -> None:
        nonlocal done
        log.debug("embedding", chunks=len(members))
        batches = [members[i : i + card.batch_size] for i in range(0, len(members), card.batch_size)]
        matrix = np.concatenate(await asyncio.gather(*(request(batch) for batch in batches)))
        async with saves:
            groups.release()
            if len(texts) > GROUP:  # otherwise the caller saves all vectors at once
                await blobs.save(part_key(prefix, members), vector_set(members, matrix))
        made.update(zip(members, matrix, strict=True))
        done += len(members)
        report(done, total)

    report(done, total)
    async with asyncio.TaskGroup() as tasks:
        for number, members in enumerate(grouped(list(texts))):
            await groups.acquire()
            if number and time.monotonic() > end:
                break
            tasks.create_task(group(members))
    return made


def _embedded(key: str, card: ModelCard, vectors: int, embedded: int, remaining: int = 0) -> Embedded:
    return Embedded(
        vectors_key=key,
        model=card.model,
        model_fingerprint=card.fingerprint,
        dimension=card.dimension,
        vectors=vectors,
        embedded=embedded,
        reused=vectors - embedded - remaining,
        remaining=remaining,
    )
