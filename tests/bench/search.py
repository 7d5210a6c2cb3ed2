"""Searches through the API with 1,000, 10,000 and 100,000 chunks.

Embedding 100,000 chunks takes an hour on two cores and does not affect searching. So the chunks are written directly
into the stores, by the same client as the index step's: rows in Milvus with texts of the library's sentences and
vectors of a few real ones plus noise, and documents in the catalogue that are live already. The searches are real:
words from the library's sentences, embedded by Triton, found by vector and by word, checked against the catalogue.
One after the other on an idle platform, over one connection.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from sqlalchemy import delete, select

from activities.ingest.index import write_rows
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import Generation
from activities.stores.catalog.tables import DocumentRow, VersionRow, new_id, now
from activities.stores.milvus import Row, row_id
from activities.stores.vectors import Vectors
from activities.text.sentences import sentences
from tests.bench.instance import Bench
from tests.bench.measures import Measure, quantile, say
from tests.bench.shelf import Shelf
from tests.bench.texts import Library

CHUNKS_OF_DOCUMENT = 10
SENTENCES_OF_CHUNK = 8
WRITTEN_AT_ONCE = 5000
REAL_VECTORS = 256
NOISE = 0.6
SEARCHES = 200
TARGET = "≤ 60 ms"


async def searches(bench: Bench, library: Library, sizes: Sequence[int]) -> list[Measure]:
    """p50 and p95 at each size; at the largest one also with a filter that half of the documents pass."""
    shelf = await Shelf.create(bench)
    maker = await Maker.of(bench, shelf, library)
    measures: list[Measure] = []
    try:
        for size in sizes:
            await maker.grow(size)
            last = size == sizes[-1]
            values = await _searched(bench, shelf, maker.queries)
            measures += _measured(f"{size:,} chunks", values, TARGET if last else "")
        values = await _searched(bench, shelf, maker.queries, filter={"name": "*-1.txt"})
        measures += _measured(f"{sizes[-1]:,} chunks, half filtered", values)
    finally:
        await maker.remove()
        await shelf.drop()
    return measures


def _measured(what: str, values: list[float], target: str = "") -> list[Measure]:
    return [
        Measure(name=f"search, {what}, p50", values=values, unit="ms", target=target),
        Measure(name=f"search, {what}, p95", values=[quantile(values, 0.95)], unit="ms"),
    ]


async def _searched(bench: Bench, shelf: Shelf, queries: Sequence[str], **more: object) -> list[float]:
    """Milliseconds of each search. Raises RuntimeError when one finds less than it should."""
    values: list[float] = []
    for number in range(SEARCHES):
        began = time.perf_counter()
        body = {"query": queries[number % len(queries)], **more}
        found = await bench.api.call("POST", f"/knowledge-bases/{shelf.name}/search", json=body)
        values.append((time.perf_counter() - began) * 1000)
        if len(found["hits"]) < 10:
            raise RuntimeError(f"only {len(found['hits'])} hits")
    return values


class Maker:
    """Fills a knowledge base with chunks that no model has embedded."""

    def __init__(self, bench: Bench, generation: Generation, texts: list[str], vectors: Vectors) -> None:
        self._bench, self._generation = bench, generation
        self._sentences = [part.strip() for text in texts for part in sentences(" ".join(text.split()))]
        self._vectors = vectors
        self._dice = np.random.default_rng(0)
        self._chunks = 0
        self.queries = self._sentences[:: max(1, len(self._sentences) // SEARCHES)]

    @classmethod
    async def of(cls, bench: Bench, shelf: Shelf, library: Library) -> Maker:
        """With an index for the served model."""
        catalog, triton = bench.stores.catalog, bench.stores.triton
        record = await catalog.knowledge_bases.get(shelf.name)
        card = await triton.card()
        generation = await catalog.knowledge_bases.generation(record.id)
        generation = await catalog.knowledge_bases.claim_model(generation, card.model, card.fingerprint)
        await bench.stores.milvus.create(generation.collection, card.dimension)
        texts = library.small(REAL_VECTORS)
        real = [await triton.embed([text[:500] for text in texts[at : at + 8]]) for at in range(0, REAL_VECTORS, 8)]
        return cls(bench, generation, texts, np.concatenate(real))

    async def grow(self, chunks: int) -> None:
        """Add documents until there are this many chunks."""
        began = time.monotonic()
        engine = Engine(self._bench.settings.catalog_url)
        while self._chunks < chunks:
            rows = list(self._rows(min(WRITTEN_AT_ONCE, chunks - self._chunks)))
            await write_rows(self._bench.stores.milvus, self._generation.collection, rows, self._made(len(rows)))
            ids = list(dict.fromkeys(row.document_id for row in rows))
            async with engine.write() as session:
                session.add_all(self._document(id, number) for number, id in enumerate(ids))
                await session.flush()
                session.add_all(_version(id) for id in ids)
            self._chunks += len(rows)
        await engine.close()
        say(f"    {chunks:,} chunks after {time.monotonic() - began:.0f} s")

    async def remove(self) -> None:
        """Remove the chunks, which no workflow knows."""
        engine = Engine(self._bench.settings.catalog_url)
        mine = DocumentRow.knowledge_base_id == self._generation.knowledge_base_id
        async with engine.write() as session:
            ids = select(DocumentRow.id).where(mine)
            await session.execute(delete(VersionRow).where(VersionRow.document_id.in_(ids)))
            await session.execute(delete(DocumentRow).where(mine))
        await engine.close()

    def _rows(self, count: int) -> Iterator[Row]:
        for start in range(0, count, CHUNKS_OF_DOCUMENT):
            id = new_id()
            for ordinal in range(min(CHUNKS_OF_DOCUMENT, count - start)):
                chosen = self._dice.integers(len(self._sentences), size=SENTENCES_OF_CHUNK)
                text = " ".join(self._sentences[at] for at in chosen)
                yield Row(
                    id=row_id(id, 1, ordinal), document_id=id, version=1, ordinal=ordinal, page=0, section="", text=text
                )

    def _made(self, count: int) -> Vectors:
        """Unit vectors around the real ones, shape (count, dimension)."""
        chosen = self._vectors[self._dice.integers(len(self._vectors), size=count)]
        noise = self._dice.normal(size=chosen.shape) * NOISE / np.sqrt(chosen.shape[1])
        moved = chosen + noise
        return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)

    def _document(self, id: str, number: int) -> DocumentRow:
        return DocumentRow(
            id=id,
            knowledge_base_id=self._generation.knowledge_base_id,
            name=f"{id}-{number % 2}.txt",
            live_version=1,
            latest_version=1,
            created_by="bench",
        )


def _version(id: str) -> VersionRow:
    moment = now()
    return VersionRow(
        document_id=id, version=1, state="ready", sha256=id * 2, bytes=1, media_type="text/plain", actor="bench",
        chunks=CHUNKS_OF_DOCUMENT, published_at=moment, dispatched_at=moment,
    )  # fmt: skip
