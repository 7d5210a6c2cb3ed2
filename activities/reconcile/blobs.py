"""Catalogue ↔ blobs: deletes unreferenced blobs older than the grace period.

Originals and parsed documents are keyed by content, and the same content may be uploaded at any time: they are deleted
under the content's lock (``catalog.content_locks``), together with all blobs derived from them. Chunks and vectors
whose source blob is gone are deleted only while no document is pending: a running ingestion could recreate the source
and then rely on the existing output of the next activity.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.contracts.ids import RECONCILE
from activities.contracts.reconcile import Discrepancies, RecordReconcileInput, ScanInput, ScanResult
from activities.ingest.deletion import remove_content
from activities.reconcile.slices import older_than
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.temporal import translated
from activities.stores.blob_keys import digest, original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog

#: SHA-256 of an upload, by which its blobs are named.
CONTENT = re.compile(r"[0-9a-f]{64}")

#: Retention of the answers stored for an Idempotency-Key.
ANSWERS_KEPT = timedelta(hours=24)


class BlobRepairActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog) -> None:
        self._blobs, self._catalog = blobs, catalog

    @activity.defn(name="mend_blobs")
    @heartbeating
    async def repair_blobs(self, input: ScanInput) -> ScanResult:
        """Finds, and with ``repair`` deletes, unreferenced originals, derived blobs and sources of questions."""
        discrepancies, since = Discrepancies(), older_than(input.grace_seconds)
        holder = (activity.info().workflow_run_id or "").replace("-", "")
        if input.repair and await _is_alone():
            for sha256 in await self._catalog.references.abandoned_removals(holder):
                await self._remove(sha256, holder, discrepancies)  # begun by a run that ended during the removal
        seen: set[str] = set()
        for kind in ("originals", "parsed"):
            async for keys in self._old(kind, since):
                names = {_name(key): key for key in keys if _name(key) not in seen}
                used = await self._catalog.references.contents(names)
                for sha256 in names.keys() - used:
                    seen.add(sha256)
                    await self._remove_content(sha256, names[sha256], holder, input.repair, discrepancies)
        await self._remove_derived(since, input.repair, discrepancies)
        async for keys in self._old("questions", since):
            known = await self._catalog.references.questions({_name(key) for key in keys})
            for key in keys:
                if _name(key) not in known:
                    await self._delete(key, input.repair, discrepancies)
        return ScanResult(findings=discrepancies.list())

    async def _old(self, prefix: str, since: datetime) -> AsyncIterator[list[str]]:
        """Keys under a prefix that were last modified before ``since``, in pages."""
        total = 0
        async for page in self._blobs.entries(prefix):
            total += len(page)
            report(total)
            yield [entry.key for entry in page if entry.modified_at < since]

    async def _remove_content(
        self, sha256: str, key: str, holder: str, repair: bool, discrepancies: Discrepancies
    ) -> None:
        if not repair:
            discrepancies.add("stray_blobs", key)
        elif not CONTENT.fullmatch(sha256):
            await self._delete(key, repair, discrepancies)  # not a SHA-256: no upload can have this key
        elif await self._catalog.content_locks.begin_stray_removal(sha256, holder):
            await self._remove(sha256, holder, discrepancies)

    async def _remove(self, sha256: str, holder: str, discrepancies: Discrepancies) -> None:
        if await remove_content(self._blobs, sha256):
            discrepancies.add("stray_blobs", original_key(sha256), mended=True)
        await self._catalog.content_locks.end_removal(sha256)

    async def _remove_derived(self, since: datetime, repair: bool, discrepancies: Discrepancies) -> None:
        """Removes chunks whose parsed document is gone, and vectors whose chunks are gone."""
        parsed, chunks = await self._catalog.references.derived()
        parsed |= await self._digests("parsed")
        await self._remove_orphans("chunks", since, parsed.__contains__, repair, discrepancies)
        chunks |= await self._digests("chunks")
        await self._remove_orphans("vectors", since, chunks.__contains__, repair, discrepancies)

    async def _digests(self, prefix: str) -> set[str]:
        return {digest(entry.key) async for page in self._blobs.entries(prefix) for entry in page}

    async def _remove_orphans(
        self, prefix: str, since: datetime, is_known: Callable[[str], bool], repair: bool, discrepancies: Discrepancies
    ) -> None:
        async for keys in self._old(prefix, since):
            for key in keys:
                if not is_known(_name(key)) and not await self._catalog.intake.pending():
                    await self._delete(key, repair, discrepancies)

    async def _delete(self, key: str, repair: bool, discrepancies: Discrepancies) -> None:
        if repair:
            await self._blobs.delete(key)
        discrepancies.add("stray_blobs", key, mended=repair)

    @activity.defn(name="record_reconcile")
    async def record_reconcile(self, input: RecordReconcileInput) -> None:
        """Records the result in the audit trail; with ``repair``, also tends the catalogue.

        Expired answers of idempotency keys are deleted, and the database's statistics updated.
        """
        counts = {finding.kind: {"count": finding.count, "mended": finding.mended} for finding in input.findings}
        await self._catalog.references.note_reconcile(
            input.reconcile_id[:32], input.actor, {"repair": input.repair, "findings": counts}
        )
        if input.repair:
            await self._catalog.intake.forget_answers(datetime.now(UTC) - ANSWERS_KEPT)
            await self._catalog.analyze()


async def _is_alone() -> bool:
    """Whether no other reconciliation is running, which could be in the middle of a removal."""
    query = f"WorkflowType = '{RECONCILE}' AND ExecutionStatus = 'Running'"
    own_run_id = activity.info().workflow_run_id
    async with translated():
        async for run in activity.client().list_workflows(query):
            if run.run_id != own_run_id:
                return False
    return True


def _name(key: str) -> str:
    """The second segment of a key, which identifies what the blob was made from."""
    return key.split("/")[1]
