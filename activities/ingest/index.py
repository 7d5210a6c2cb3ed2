"""Activities on rows in Milvus: idempotent writes, and purges that are verified by counting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext

from temporalio import activity

from activities.contracts.documents import Chunk
from activities.contracts.ingest import Indexed, IndexInput, Published, PublishInput
from activities.errors import MilvusUnavailable, ModelMismatch
from activities.phrases import Phrase
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.lanes import Lane
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.collection import MAX_SECTION_BYTES, MAX_TEXT_BYTES
from activities.stores.milvus import CONTEXT_ENDS, Milvus, Row, row_id
from activities.stores.vectors import Vectors, VectorSet

#: Rows in one request to Milvus.
BATCH = 500

#: Rows above which writing them is long work (see ``activities.runtime.lanes``).
LONG = 5000


def rows_of(document_id: str, version: int, chunks: Sequence[Chunk]) -> list[Row]:
    """The Milvus rows of a version's chunks; section, and text with context, are cut to the limits of Milvus."""
    return [
        Row(
            id=row_id(document_id, version, chunk.ordinal),
            document_id=document_id,
            version=version,
            ordinal=chunk.ordinal,
            page=chunk.page or 0,
            section=_cut(chunk.section, MAX_SECTION_BYTES),
            text=_cut(chunk.text, MAX_TEXT_BYTES - len(chunk.context.encode()) - len(CONTEXT_ENDS)),
            context=chunk.context,
        )
        for chunk in chunks
    ]


async def write_rows(milvus: Milvus, collection: str, rows: Sequence[Row], vectors: Vectors) -> None:
    """Writes rows with their vectors, shape (rows, dimension), in batches; rows of the same id are replaced."""
    for start in range(0, len(rows), BATCH):
        await milvus.upsert(collection, rows[start : start + BATCH], vectors[start : start + BATCH])
        report(min(start + BATCH, len(rows)), len(rows))


class IndexActivities:
    """Runs on the ``store`` queue."""

    def __init__(
        self,
        blobs: Blobs,
        milvus: Milvus,
        catalog: Catalog,
        publish: Callable[[PublishInput], Awaitable[Published]],
        lane: Lane,
    ) -> None:
        """``publish`` is the next activity, called directly for inputs with ``IndexInput.publish``."""
        self._blobs, self._milvus, self._catalog, self._publish, self._lane = blobs, milvus, catalog, publish, lane

    @activity.defn(name="index")
    @heartbeating
    async def index(self, input: IndexInput) -> Indexed:
        """Writes a version's rows into the generation and verifies their count; search ignores them until publishing.

        A generation that was built with another embedding model is given up when it is only kept as the way back;
        otherwise raises ModelMismatch.
        """
        generation = await self._catalog.knowledge_bases.generation(input.knowledge_base_id, input.generation)
        if generation.phase == "retired":  # since the run began; publishing tells which generations it must be in
            return await self._published(input, rows=0)
        if generation.model_fingerprint is None:
            generation = await self._catalog.knowledge_bases.claim_model(
                generation, input.model, input.model_fingerprint
            )
        if generation.model_fingerprint != input.model_fingerprint:
            if generation.phase == "soaking":
                await self._catalog.generations.give_up(generation.knowledge_base_id, generation.generation)
                return await self._published(input, rows=0)
            raise ModelMismatch(indexed=generation.model, serving=input.model)
        collection = generation.collection
        await self._milvus.create(collection, input.dimension)
        rows = rows_of(input.document_id, input.version, await self._blobs.load(input.chunks_key, list[Chunk]))
        vectors = (await self._blobs.load(input.vectors_key, VectorSet)).matrix()
        with self._lane.place(input.vectors_key) if len(rows) > LONG else nullcontext():
            await write_rows(self._milvus, collection, rows, vectors)
        count = await self._milvus.count(collection, input.document_id, input.version)
        if count != len(rows):
            # Rows of an attempt with other chunks: delete the version's rows, the retry writes them again.
            await self._milvus.delete(collection, input.document_id, input.version)
            raise MilvusUnavailable(detail=Phrase.ROWS_DIFFER, rows=count, written=len(rows))
        if generation.phase != "live":
            now = await self._catalog.knowledge_bases.generation(input.knowledge_base_id, generation.generation)
            if now.phase == "retired":  # meanwhile, and its collection was made again here
                await self._milvus.drop(collection)
        return await self._published(input, count)

    async def _published(self, input: IndexInput, rows: int) -> Indexed:
        published = None if input.publish is None else await self._publish(input.publish)
        return Indexed(rows=rows, published=published)


def _cut(text: str, limit: int) -> str:
    """``text`` cut to at most ``limit`` bytes of UTF-8, never inside of a character."""
    data = text.encode()
    return text if len(data) <= limit else data[:limit].decode(errors="ignore")
