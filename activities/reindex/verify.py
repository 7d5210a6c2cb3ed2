"""Verification of a new index generation: every document counted, sampled vectors made again, sampled searches."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import msgspec
import numpy as np
from temporalio import activity

from activities.contracts.documents import Chunk
from activities.contracts.reindex import ReindexInput, Verified
from activities.errors import ModelMismatch, ModelNotLoaded
from activities.retrieval.retriever import Retriever
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Generation, LivePlan
from activities.stores.milvus import Milvus
from activities.stores.triton import Triton
from activities.stores.vectors import Vectors, VectorSet

#: Live documents of one query.
PAGE = 1000

#: Documents of which a chunk is looked for, by its own vector, which is found with this cosine.
SEARCHED, FOUND = 40, 0.995

#: Of which so many are looked for at once.
AT_ONCE = 8

#: Cosine of a stored vector and the one that the model makes of the same text now.
SAME = 0.999

NOTHING = Verified(documents=0, rows=0)

#: Characters of a chunk that are searched for.
QUERY = 200


class VerifyActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, milvus: Milvus, triton: Triton, catalog: Catalog, retriever: Retriever) -> None:
        self._blobs, self._milvus, self._triton, self._catalog = blobs, milvus, triton, catalog
        self._retriever = retriever

    @activity.defn(name="verify_generation")
    @heartbeating
    async def verify_generation(self, input: ReindexInput) -> Verified:
        """Counts the rows of every live document, and looks at sampled chunks of different documents.

        The rows of documents with a wrong count are deleted. Raises NotFound.
        """
        reindex = await self._catalog.reindexes.get(input.reindex_id)
        generation = await self._catalog.knowledge_bases.generation(reindex.knowledge_base_id, reindex.generation)
        counted: Counter[tuple[str, int]] = Counter()
        try:
            async for page in self._milvus.versions(generation.collection):
                counted.update(page)
                report(counted.total())
        except KeyError:
            pass  # there are no documents
        documents = rows = missing = 0
        wrong: list[tuple[str, int]] = []
        sample: list[LivePlan] = []
        after = ""
        while live := await self._catalog.generations.live(reindex.knowledge_base_id, reindex.generation, after, PAGE):
            after = live[-1].document_id
            right = []
            for each in live:
                key = (each.document_id, each.version)
                if each.chunks_key is None:
                    missing += 1
                elif counted[key] != each.rows and await self._count(generation.collection, each) != each.rows:
                    wrong.append(key)
                else:
                    documents, rows = documents + 1, rows + each.rows
                    right.append(each)
            sample += right[:: max(1, len(right) // SEARCHED)][: SEARCHED - len(sample)]
        for key in wrong:
            await self._milvus.delete(generation.collection, *key)
        await self._catalog.generations.forget(reindex.knowledge_base_id, reindex.generation, wrong)
        verified = Verified(documents=documents, rows=rows, wrong=len(wrong) + missing)
        for first in range(0, len(sample), AT_ONCE):
            verified = _sum(verified, *await self._look_at(generation, sample[first : first + AT_ONCE], first))
            report(min(first + AT_ONCE, len(sample)), len(sample))
        return verified

    async def _count(self, collection: str, live: LivePlan) -> int:
        """The rows of a version now: the scan may be older than its publication."""
        try:
            return await self._milvus.count(collection, live.document_id, live.version)
        except KeyError:
            return 0

    async def _look_at(self, generation: Generation, some: list[LivePlan], first: int) -> list[Verified]:
        """What a chunk of each document shows. All are embedded before any is searched for, as bulk work waits then."""
        chunks: dict[int, tuple[Chunk, Vectors]] = {}
        for number, live in enumerate(some):
            with suppress(KeyError):  # it was deleted or replaced meanwhile
                chunks[number] = await self._chunk(live, first + number)
        made = await self._embedded([chunk for chunk, _ in chunks.values()], generation)
        return await asyncio.gather(
            *(
                self._compare(generation, some[number], chunk, stored, again)
                for (number, (chunk, stored)), again in zip(chunks.items(), made, strict=True)
            )
        )

    async def _compare(
        self, generation: Generation, live: LivePlan, chunk: Chunk, stored: Vectors, again: Vectors
    ) -> Verified:
        """What one chunk shows; what was deleted or replaced meanwhile does not count."""
        hits = await self._milvus.search_dense(generation.collection, stored, 1)
        lost = not hits or hits[0].score < FOUND
        differs = float(stored @ again) < SAME
        in_live, in_new = [await self._finds(generation, chunk, live, each) for each in (None, generation.generation)]
        if (lost or differs or in_live > in_new) and not await self._is_still(generation, live):
            return NOTHING
        return msgspec.structs.replace(
            NOTHING, searched=1, lost=lost, compared=1, differing=differs, found_live=in_live, found_new=in_new
        )

    async def _chunk(self, live: LivePlan, number: int) -> tuple[Chunk, Vectors]:
        """A chunk of a document with its stored vector: the first, the second … by ``number``. Raises KeyError."""
        vectors = (await self._blobs.load(live.vectors_key or "", VectorSet)).matrix()
        chunks = await self._blobs.load(live.chunks_key or "", list[Chunk])
        if not chunks:
            raise KeyError(live.chunks_key)
        place = number % len(chunks)
        return chunks[place], vectors[place]

    async def _embedded(self, chunks: list[Chunk], generation: Generation) -> Vectors:
        """Vectors [chunks, dimension], as the model makes them now."""
        card = await self._triton.card(generation.embedding)
        prompt = card.prompts.get("passage", "")
        if not chunks:
            return np.empty((0, card.dimension), dtype=np.float32)
        return await self._triton.embed([prompt + chunk.searched for chunk in chunks], model=generation.embedding)

    async def _finds(self, generation: Generation, chunk: Chunk, live: LivePlan, number: int | None) -> bool:
        """Whether a search for the chunk's first words finds its document in generation ``number``.

        Nothing is found in the one in use if its embedding model is not there any more.
        """
        query = " ".join(chunk.text.split())[:QUERY]
        try:
            found = await self._retriever.search(generation.knowledge_base_id, query, generation=number)
        except (ModelMismatch, ModelNotLoaded):
            if number is not None:
                raise
            return False
        return any(passage.row.document_id == live.document_id for passage in found.passages)

    async def _is_still(self, generation: Generation, live: LivePlan) -> bool:
        now = await self._catalog.references.live_version(generation, live.document_id)
        return now is not None and (now.version, now.chunks_key) == (live.version, live.chunks_key)


def _sum(*parts: Verified) -> Verified:
    names = Verified.__struct_fields__
    return Verified(**{name: sum(getattr(part, name) for part in parts) for name in names})
