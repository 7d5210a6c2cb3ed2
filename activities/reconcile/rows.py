"""Catalogue ↔ Milvus: restores missing rows of live versions, and deletes all other rows."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from itertools import islice

import structlog
from temporalio import activity

from activities.contracts.documents import Chunk
from activities.contracts.ids import ingest_id
from activities.contracts.reconcile import Discrepancies, ScanInput, ScanResult
from activities.errors import MilvusUnavailable
from activities.ingest.index import rows_of, write_rows
from activities.phrases import Phrase
from activities.reconcile.files import ingest_again
from activities.reconcile.leftovers import left_in_shared
from activities.reconcile.slices import PAGE, TimeSlice, older_than
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.temporal import is_running
from activities.stores.blob_keys import vectors_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Generation, LiveVersion, VersionStatus
from activities.stores.milvus import ID, Milvus
from activities.stores.vectors import VectorSet

#: Name of a collection, as ``catalog.knowledge_bases`` creates it; the group is the knowledge base's id.
COLLECTION = re.compile(r"kb_([0-9a-f]{32})_g\d+")

log = structlog.get_logger()

Rows = Counter[tuple[str, int]]


class RowRepairActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, milvus: Milvus, catalog: Catalog) -> None:
        self._blobs, self._milvus, self._catalog = blobs, milvus, catalog

    @activity.defn(name="mend_collections")
    @heartbeating
    async def repair_collections(self, input: ScanInput) -> ScanResult:
        """Drops collections that belong to no generation, if this installation created them, and parts of shared ones.

        Several installations may share one Milvus. Ids of knowledge bases are globally unique and stay in the
        catalogue forever; a collection with an unknown id therefore belongs to another installation.
        """
        discrepancies = Discrepancies()
        existing = await self._milvus.collections()  # read first: a generation is recorded before its collection
        known, knowledge_bases = await self._catalog.references.collections()
        for name in sorted(set(existing) - known):
            if (match := COLLECTION.fullmatch(name)) is None:
                continue
            if match[1] not in knowledge_bases:
                discrepancies.add("foreign_collections", name)
                continue
            if input.repair:
                await self._milvus.drop(name)
            discrepancies.add("unknown_collections", name, mended=input.repair)
        async for generation in left_in_shared(self._catalog, self._milvus):
            if generation.phase == "retired":  # those of deleted knowledge bases are left to their deletion
                if input.repair:
                    await self._milvus.drop(generation.collection)
                discrepancies.add("unknown_collections", generation.collection, mended=input.repair)
        return ScanResult(findings=discrepancies.list())

    @activity.defn(name="mend_rows")
    @heartbeating
    async def repair_rows(self, input: ScanInput) -> ScanResult:
        """Purges rows without a live version, and rewrites the rows of live versions with a wrong row count."""
        discrepancies, end, after = Discrepancies(), TimeSlice(), input.after
        since = older_than(input.grace_seconds)
        while page := await self._catalog.references.generations(after, PAGE):
            for after, generations in page:
                for number, generation in enumerate(generations):
                    rows = await rows_in(self._milvus, generation.collection)
                    await self._purge(generation, rows, since, input.repair, discrepancies)
                    if number == 0:  # the live one
                        await self._write(generation, rows, input.repair, discrepancies)
                if end.is_over():
                    return ScanResult(findings=discrepancies.list(), next=after)
        return ScanResult(findings=discrepancies.list())

    # --- rows without a version -----------------------------------------------------------------------

    async def _purge(
        self, generation: Generation, rows: Rows, since: datetime, repair: bool, discrepancies: Discrepancies
    ) -> None:
        keys = iter(rows)
        while page := list(islice(keys, PAGE)):
            version_statuses = await self._catalog.stalled_runs.version_statuses(page)
            for key in page:
                if _is_stray(version_statuses.get(key), since) and not await is_running(
                    activity.client(), ingest_id(*key)
                ):
                    await self._purge_one(generation.collection, key, rows[key], since, repair, discrepancies)

    async def _purge_one(
        self,
        collection: str,
        key: tuple[str, int],
        rows: int,
        since: datetime,
        repair: bool,
        discrepancies: Discrepancies,
    ) -> None:
        document_id, version = key
        example = f"{collection}: {document_id} v{version}, {rows} rows"
        if not ID.fullmatch(document_id):
            await log.awarning("rows are not ours", collection=collection, document=document_id)
            discrepancies.add("rows_without_version", example, failed=True)
            return
        if not repair:
            discrepancies.add("rows_without_version", example)
            return
        status = (await self._catalog.stalled_runs.version_statuses([key])).get(key)
        if not _is_stray(status, since):
            return  # it was retried in the meantime
        await self._milvus.delete(collection, document_id, version)
        if left := await self._milvus.count(collection, document_id, version):
            raise MilvusUnavailable(detail=Phrase.ROWS_LEFT, rows=left)
        discrepancies.add("rows_without_version", example, mended=True)

    # --- missing rows of live versions ----------------------------------------------------------------

    async def _write(self, generation: Generation, rows: Rows, repair: bool, discrepancies: Discrepancies) -> None:
        async for page in self._catalog.references.live_versions(generation):
            for done, live in enumerate(page):
                report(done, len(page))
                if rows[live.document_id, live.version] != live.chunks:
                    await self._write_one(generation, live, repair, discrepancies)

    async def _write_one(
        self, generation: Generation, live: LiveVersion, repair: bool, discrepancies: Discrepancies
    ) -> None:
        count = await _count(self._milvus, generation.collection, live)
        if count == live.chunks or await self._catalog.references.live_version(generation, live.document_id) != live:
            return  # it was published, or replaced, since the rows were counted
        current = await self._catalog.knowledge_bases.generation(generation.knowledge_base_id)
        if current.generation != generation.generation:
            return  # the knowledge base was switched to another generation meanwhile
        example = f"{live.name} v{live.version}: {count} rows, {live.chunks} chunks"
        repaired = repair and (
            await rewrite(self._blobs, self._milvus, self._catalog, generation, live)
            or await ingest_again(self._blobs, self._catalog, live)
        )
        if repair and not repaired:
            await log.awarning("a document's files are lost", document=live.document_id, version=live.version)
        discrepancies.add("wrong_counts", example, mended=repaired, failed=repair and not repaired)


async def rewrite(blobs: Blobs, milvus: Milvus, catalog: Catalog, generation: Generation, live: LiveVersion) -> bool:
    """Writes the rows again from the version's blobs; False when the blobs are missing or do not match."""
    if live.chunks_key is None or generation.model_fingerprint is None:
        return False
    try:
        chunks = await blobs.load(live.chunks_key, list[Chunk])
        vectors = await blobs.load(vectors_key(live.chunks_key, generation.model_fingerprint), VectorSet)
    except KeyError:
        return False
    if not len(chunks) == len(vectors.hashes) == live.chunks:
        return False  # the blobs were rebuilt since, by another version of the activities
    rows, matrix = rows_of(live.document_id, live.version, chunks), vectors.matrix()
    await milvus.create(generation.collection, vectors.dimension)
    await write_rows(milvus, generation.collection, rows, matrix)
    if await _count(milvus, generation.collection, live) != len(rows):
        await milvus.delete(generation.collection, live.document_id, live.version)  # extra rows
        await write_rows(milvus, generation.collection, rows, matrix)
        if await _count(milvus, generation.collection, live) != len(rows):
            raise MilvusUnavailable(detail=Phrase.ROWS_LOST, rows=len(rows))
    current = await catalog.references.live_version(generation, live.document_id)
    if current is None or current.version != live.version:  # replaced meanwhile: its purge may already be over
        await milvus.delete(generation.collection, live.document_id, live.version)
    return True


async def rows_in(milvus: Milvus, collection: str) -> Rows:
    """The number of rows of each version; empty if there is no such collection."""
    rows: Rows = Counter()
    try:
        async for page in milvus.versions(collection):
            rows.update(page)
            report(rows.total())
    except KeyError:
        return Counter()  # the collection was never created
    return rows


async def _count(milvus: Milvus, collection: str, live: LiveVersion) -> int:
    try:
        return await milvus.count(collection, live.document_id, live.version)
    except KeyError:
        return 0


def _is_stray(status: VersionStatus | None, since: datetime) -> bool:
    """Whether a version's rows are stray: it is removed, or was replaced, failed or canceled before ``since``.

    Rows of deleted documents are left to their deletion.
    """
    if status is None:
        return True
    return not (status.live or status.pending or status.deleted) and status.changed_at < since
