"""The lower bound: the platform's own functions in a plain loop, without Temporal, catalogue, HTTP and files.

The document is parsed in the process itself (the platform: in a child that a hostile file may kill), chunked,
embedded through the same Triton with the same requests, and its rows are written to a collection of its own in
the same Milvus.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from activities.contracts.documents import Chunk, Chunking
from activities.ingest.chunking import chunk_document, counter, info_of
from activities.ingest.document_names import name_words
from activities.ingest.embed import embed_chunks
from activities.ingest.index import BATCH, rows_of
from activities.ingest.parse import parse_file
from activities.stores.blob_keys import digest
from activities.stores.blobs import Blobs
from activities.stores.triton import ModelCard
from activities.stores.vectors import Vectors
from tests.bench.instance import Bench
from tests.bench.measures import Spent
from tests.bench.shelf import Document, Run


class Loop:
    """The same functions, one after the other."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._memory = Blobs("memory:///")
        self._collection = f"bench_{uuid.uuid4().hex}"

    async def add(self, documents: Sequence[Document]) -> Run:
        """Ingest all documents, timed."""
        spent, chunks = Spent(), 0
        began = time.perf_counter()
        for document in documents:
            chunks += await self._one(document, spent)
        return Run(time.perf_counter() - began, sum(document.characters for document in documents), chunks, spent)

    async def drop(self) -> None:
        """Remove the rows."""
        await self._bench.stores.milvus.drop(self._collection)

    async def _one(self, document: Document, spent: Spent) -> int:
        triton, milvus = self._bench.stores.triton, self._bench.stores.milvus
        card, tokenizer = await triton.card(), await triton.tokenizer()
        with timed(spent, "parse"), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "original"
            path.write_bytes(document.content)
            parsed = parse_file(path, document.name, self._bench.settings.parse, lambda done, total: None)
        with timed(spent, "chunk"):
            info = info_of(tokenizer, card.prompts.get("passage", ""))
            chunks = chunk_document(
                parsed, info.fitted(Chunking(), card.max_tokens), counter(tokenizer), name_words(document.name)
            )
        with timed(spent, "embed"):
            vectors = await self._embed(card, chunks)
        with timed(spent, "index"):
            await milvus.create(self._collection, card.dimension)
            rows = rows_of(uuid.uuid4().hex, 1, chunks)
            for start in range(0, len(rows), BATCH):
                await milvus.upsert(self._collection, rows[start : start + BATCH], vectors[start : start + BATCH])
        return len(chunks)

    async def _embed(self, card: ModelCard, chunks: Sequence[Chunk]) -> Vectors:
        """The platform's own requests: equal texts once, sorted by length, as many in flight; nothing is stored."""
        texts = {digest(chunk.searched): chunk for chunk in chunks}
        ordered = sorted(texts, key=lambda key: texts[key].tokens)
        made = await embed_chunks(
            self._bench.stores.triton,
            card,
            self._memory,
            uuid.uuid4().hex,
            {key: texts[key].searched for key in ordered},
            self._bench.settings.embed,
            len(chunks),
        )
        return np.stack([made[digest(chunk.searched)] for chunk in chunks])


@contextmanager
def timed(spent: Spent, step: str) -> Iterator[None]:
    """Add the block's time to ``step``."""
    began = time.perf_counter()
    try:
        yield
    finally:
        spent.add(step, time.perf_counter() - began)
