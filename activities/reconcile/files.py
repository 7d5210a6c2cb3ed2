"""Catalogue ↔ blobs: looks for the files that live versions consist of, and has what is lost made again."""

from __future__ import annotations

import asyncio

import structlog
from temporalio import activity

from activities.contracts.reconcile import Discrepancies, ScanInput, ScanResult
from activities.reconcile.slices import TimeSlice
from activities.runtime.heartbeat import heartbeating, report
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import LiveFiles, LiveVersion

#: Documents that a scan samples, unless it looks at all of them.
SAMPLE = 200

#: Documents that are looked at concurrently.
AT_ONCE = 16

log = structlog.get_logger()


class FileRepairActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog) -> None:
        self._blobs, self._catalog = blobs, catalog

    @activity.defn(name="mend_files")
    @heartbeating
    async def repair_files(self, input: ScanInput) -> ScanResult:
        """Finds live versions whose original, chunks or vectors are lost; a sample of them, or all with ``all_files``.

        Chunks and vectors are made again, by ingesting the document again. A lost original is only reported: an upload
        of the same file restores it.
        """
        discrepancies, end, after = Discrepancies(), TimeSlice(), input.after
        if not input.all_files:
            await self._look(await self._catalog.references.sampled_files(SAMPLE), input.repair, discrepancies)
            return ScanResult(findings=discrepancies.list())
        while page := await self._catalog.references.live_files(after, SAMPLE):
            await self._look(page, input.repair, discrepancies)
            after = page[-1].document_id
            if end.is_over():
                return ScanResult(findings=discrepancies.list(), next=after)
        return ScanResult(findings=discrepancies.list())

    async def _look(self, page: list[LiveFiles], repair: bool, discrepancies: Discrepancies) -> None:
        for start in range(0, len(page), AT_ONCE):
            report(start, len(page))
            some = page[start : start + AT_ONCE]
            for files, lost in zip(some, await asyncio.gather(*map(self._lost, some)), strict=True):
                if lost and await self._catalog.references.still_live(files):  # else it was replaced or deleted
                    await self._repair(files, lost, repair, discrepancies)

    async def _lost(self, files: LiveFiles) -> list[str]:
        """The names of the parts that are not in the blob store."""
        keys = {"original": original_key(files.sha256), "chunks": files.chunks_key, "vectors": files.vectors_key}
        return [name for name, key in keys.items() if key and not await self._blobs.exists(key)]

    async def _repair(self, files: LiveFiles, lost: list[str], repair: bool, discrepancies: Discrepancies) -> None:
        example = f"{files.knowledge_base}/{files.name} v{files.version}: {', '.join(lost)}"
        if repair:
            await log.awarning("files are lost", document=files.document_id, version=files.version, lost=lost)
        if "original" in lost:
            discrepancies.add("lost_originals", example, failed=repair)
        if set(lost) - {"original"}:
            made = repair and await ingest_again(self._blobs, self._catalog, files)
            discrepancies.add("lost_passages", example, mended=made, failed=repair and not made)


async def ingest_again(blobs: Blobs, catalog: Catalog, live: LiveFiles | LiveVersion) -> bool:
    """Requeues a live version for ingestion; False when neither its original nor its parsed document exists."""
    for source in (original_key(live.sha256), live.parsed_key):
        if source and await blobs.exists(source):
            return await catalog.stalled_runs.ingest_again(live.document_id, live.version)
    return False
