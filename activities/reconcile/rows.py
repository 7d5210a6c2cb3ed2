"""Catalogue ↔ Milvus: every live version has its rows, and no other row stays."""

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
from activities.reconcile.slices import PAGE, TimeSlice, older_than
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.temporal import is_running
from activities.stores.blob_keys import original_key, vectors_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Generation, LiveVersion, VersionStatus
from activities.stores.milvus import ID, Milvus
from activities.stores.vectors import VectorSet

#: A collection as ``knowledge_bases`` names it.
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
        """Collections that belong to no generation are dropped, if they are surely ours.

        Several installations may share one Milvus. Ids of knowledge bases are unique in the world and never
        forgotten by the catalogue that made them; a collection of an id that it never had is another's.
        """
        found = Discrepancies()
        there = await self._milvus.collections()  # first: a collection is never made before its generation
        known, knowledge_bases = await self._catalog.references.collections()
        for name in sorted(set(there) - known):
            if (match := COLLECTION.fullmatch(name)) is None:
                continue
            if match[1] not in knowledge_bases:
                found.add("foreign_collections", name)
                continue
            if input.repair:
                await self._milvus.drop(name)
            found.add("unknown_collections", name, mended=input.repair)
        return ScanResult(findings=found.list())

    @activity.defn(name="mend_rows")
    @heartbeating
    async def repair_rows(self, input: ScanInput) -> ScanResult:
        """Rows without a live version are purged, live versions without (all) their rows are written anew."""
        found, end, after = Discrepancies(), TimeSlice(), input.after
        since = older_than(input.grace_seconds)
        while page := await self._catalog.references.generations(after, PAGE):
            for after, generations in page:
                for number, generation in enumerate(generations):
                    rows = await self._rows(generation.collection)
                    await self._purge(generation, rows, since, input.repair, found)
                    if number == 0:  # the live one
                        await self._write(generation, rows, input.repair, found)
                if end.is_over():
                    return ScanResult(findings=found.list(), next=after)
        return ScanResult(findings=found.list())

    async def _rows(self, collection: str) -> Rows:
        rows: Rows = Counter()
        try:
            async for page in self._milvus.versions(collection):
                rows.update(page)
                report(rows.total())
        except KeyError:
            return Counter()  # nothing was ever indexed there
        return rows

    # --- rows that nobody has -------------------------------------------------------------------------

    async def _purge(
        self, generation: Generation, rows: Rows, since: datetime, repair: bool, found: Discrepancies
    ) -> None:
        each = iter(rows)
        while page := list(islice(each, PAGE)):
            version_statuses = await self._catalog.stalled_runs.version_statuses(page)
            for key in page:
                if _is_stray(version_statuses.get(key), since) and not await is_running(
                    activity.client(), ingest_id(*key)
                ):
                    await self._purge_one(generation.collection, key, rows[key], since, repair, found)

    async def _purge_one(
        self, collection: str, key: tuple[str, int], rows: int, since: datetime, repair: bool, found: Discrepancies
    ) -> None:
        document_id, version = key
        example = f"{collection}: {document_id} v{version}, {rows} rows"
        if not ID.fullmatch(document_id):
            await log.awarning("rows are not ours", collection=collection, document=document_id)
            found.add("rows_without_version", example, failed=True)
            return
        if not repair:
            found.add("rows_without_version", example)
            return
        now = (await self._catalog.stalled_runs.version_statuses([key])).get(key)
        if not _is_stray(now, since):
            return  # it was retried in this moment
        await self._milvus.delete(collection, document_id, version)
        if left := await self._milvus.count(collection, document_id, version):
            raise MilvusUnavailable(detail=Phrase.ROWS_LEFT, rows=left)
        found.add("rows_without_version", example, mended=True)

    # --- rows that a live version lacks ---------------------------------------------------------------

    async def _write(self, generation: Generation, rows: Rows, repair: bool, found: Discrepancies) -> None:
        async for page in self._catalog.references.live_versions(generation):
            for done, live in enumerate(page):
                report(done, len(page))
                if rows[live.document_id, live.version] != live.chunks:
                    await self._write_one(generation, live, repair, found)

    async def _write_one(self, generation: Generation, live: LiveVersion, repair: bool, found: Discrepancies) -> None:
        there = await self._count(generation.collection, live)
        if there == live.chunks or await self._catalog.references.live_version(generation, live.document_id) != live:
            return  # it was published, or replaced, since the rows were counted
        example = f"{live.name} v{live.version}: {there} rows, {live.chunks} chunks"
        mended = repair and (await self._rewrite(generation, live) or await self._ingest_again(live))
        if repair and not mended:
            await log.awarning("a document's files are lost", document=live.document_id, version=live.version)
        found.add("wrong_counts", example, mended=mended, failed=repair and not mended)

    async def _count(self, collection: str, live: LiveVersion) -> int:
        try:
            return await self._milvus.count(collection, live.document_id, live.version)
        except KeyError:
            return 0

    async def _rewrite(self, generation: Generation, live: LiveVersion) -> bool:
        """Whether the rows could be written from the blobs that the version was indexed from."""
        if live.chunks_key is None or generation.model_fingerprint is None:
            return False
        try:
            chunks = await self._blobs.load(live.chunks_key, list[Chunk])
            vectors = await self._blobs.load(vectors_key(live.chunks_key, generation.model_fingerprint), VectorSet)
        except KeyError:
            return False
        if not len(chunks) == len(vectors.hashes) == live.chunks:
            return False  # they were made anew since, for another version of the steps
        rows, matrix = rows_of(live.document_id, live.version, chunks), vectors.matrix()
        await self._milvus.create(generation.collection, vectors.dimension)
        await write_rows(self._milvus, generation.collection, rows, matrix)
        if await self._count(generation.collection, live) != len(rows):
            await self._milvus.delete(generation.collection, live.document_id, live.version)  # there are too many
            await write_rows(self._milvus, generation.collection, rows, matrix)
            if await self._count(generation.collection, live) != len(rows):
                raise MilvusUnavailable(detail=Phrase.ROWS_LOST, rows=len(rows))
        now = await self._catalog.references.live_version(generation, live.document_id)
        if now is None or now.version != live.version:  # replaced meanwhile: its rows may have been purged before
            await self._milvus.delete(generation.collection, live.document_id, live.version)
        return True

    async def _ingest_again(self, live: LiveVersion) -> bool:
        """Whether the version could be put back in line: what it is made of is there."""
        sources = [original_key(live.sha256), *([live.parsed_key] if live.parsed_key else [])]
        if not any([await self._blobs.exists(key) for key in sources]):
            return False
        return await self._catalog.stalled_runs.ingest_again(live.document_id, live.version)


def _is_stray(standing: VersionStatus | None, since: datetime) -> bool:
    """Gone, or replaced, failed or canceled for a while; what is deleted is its deletion's business."""
    if standing is None:
        return True
    return not (standing.live or standing.pending or standing.deleted) and standing.changed_at < since
