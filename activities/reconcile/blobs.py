"""Catalogue ↔ blobs: deletes unreferenced blobs older than the grace period.

Originals and parsed documents are keyed by content, and the same content may be uploaded at any time: they are deleted
under the content's lock (``catalog.content_locks``), together with all blobs derived from them. Chunks and vectors
that no version refers to, and whose source blob is gone, are deleted only while no document is pending: a running
ingestion could recreate the source and then rely on the existing output of the next activity.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

from temporalio import activity

from activities.contracts.ids import RECONCILE
from activities.contracts.reconcile import Discrepancies, RecordReconcileInput, ScanInput, ScanResult
from activities.ingest.deletion import remove_content
from activities.reconcile.slices import PAGE, TimeSlice, older_than
from activities.runtime.heartbeat import heartbeating, report
from activities.runtime.temporal import translated
from activities.settings import ReconcileSettings
from activities.stores.blob_keys import digest, original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.telemetry import metrics

#: SHA-256 of an upload, by which its blobs are named.
CONTENT = re.compile(r"[0-9a-f]{64}")

#: The kinds of blobs in the order of their scans, and what chunks and vectors are made from.
KINDS = ("originals", "parsed", "chunks", "vectors", "questions", "syncs", "gates")
SOURCES = {"chunks": "parsed", "vectors": "chunks"}

#: Unreferenced chunks or vectors that are looked up together, which bounds the memory of a scan.
MAX_SUSPECTS = 20_000

#: Retention of the answers stored for an Idempotency-Key, and of webhook events with their deliveries.
ANSWERS_KEPT, EVENTS_KEPT = timedelta(hours=24), timedelta(days=7)

#: Retention of sessions that ended, and of invitations that were used or expired.
SIGN_INS_KEPT = timedelta(days=30)


class BlobRepairActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog, settings: ReconcileSettings) -> None:
        self._blobs, self._catalog, self._settings = blobs, catalog, settings
        self._looks = {
            "originals": self._contents,
            "parsed": self._contents,
            "chunks": self._chunks,
            "vectors": self._vectors,
            "questions": self._sources,
            "syncs": self._listings,
            "gates": self._gates,
        }

    @activity.defn(name="expire_versions")
    @heartbeating
    async def expire_versions(self, input: ScanInput) -> ScanResult:
        """Forgets versions that were replaced longer ago than they are kept; their blobs are then unreferenced.

        Events of webhooks, ended sessions and useless invitations expire too.
        """
        discrepancies, end, after = Discrepancies(), TimeSlice(), ("", 0)
        while input.repair and await self._catalog.deliveries.expire(datetime.now(UTC) - EVENTS_KEPT):
            report(0)
        while input.repair and await self._catalog.leftovers.remove(datetime.now(UTC) - SIGN_INS_KEPT):
            report(0)
        if not self._settings.keep_versions_days:
            return ScanResult(findings=[])
        before = datetime.now(UTC) - timedelta(days=self._settings.keep_versions_days)
        while page := await self._catalog.retention.expired(after, PAGE, before, forget=input.repair):
            for document_id, version, name in page:
                discrepancies.add("expired_versions", f"{name} v{version}", mended=input.repair)
                after = (document_id, version)
            if input.repair and end.is_over():
                return ScanResult(findings=discrepancies.list(), next="more")
        return ScanResult(findings=discrepancies.list())

    @activity.defn(name="mend_blobs")
    @heartbeating
    async def repair_blobs(self, input: ScanInput) -> ScanResult:
        """Finds, and with ``repair`` deletes, unreferenced originals, derived blobs and sources of questions.

        The cursor is the last key of the slice, or the kind of blobs that comes next.
        """
        discrepancies, end = Discrepancies(), TimeSlice()
        holder = (activity.info().workflow_run_id or "").replace("-", "")
        if not input.after and input.repair and await _is_alone():
            for sha256 in await self._catalog.references.abandoned_removals(holder):
                await self._remove(sha256, holder, discrepancies)  # begun by a run that ended during the removal
        begun, _, rest = (input.after or KINDS[0]).partition("/")
        after = input.after if rest else None
        for kind, following in zip_longest(KINDS[KINDS.index(begun) :], KINDS[KINDS.index(begun) + 1 :]):
            last = await self._scan(kind, after, holder, input, end, discrepancies)
            if last is not None or end.is_over():
                return ScanResult(findings=discrepancies.list(), next=last or following)
            after = None
        return ScanResult(findings=discrepancies.list())

    async def _scan(
        self, kind: str, after: str | None, holder: str, input: ScanInput, end: TimeSlice, discrepancies: Discrepancies
    ) -> str | None:
        """Scans the blobs of a kind, after the key ``after``; the last key if the slice ended before the scan."""
        since, seen, last = older_than(input.grace_seconds), 0, None
        suspects: list[str] = []
        async for page in self._blobs.entries(kind, after):
            report(seen := seen + len(page))
            old = [entry.key for entry in page if entry.modified_at < since]
            suspects += await self._looks[kind](old, holder, input.repair, discrepancies)
            if len(suspects) >= MAX_SUSPECTS:
                await self._remove_orphans(kind, suspects, input.repair, discrepancies)
                suspects = []
            if self._blobs.is_ordered and end.is_over():
                last = page[-1].key
                break
        await self._remove_orphans(kind, suspects, input.repair, discrepancies)
        return last

    async def _contents(self, keys: list[str], holder: str, repair: bool, discrepancies: Discrepancies) -> list[str]:
        """Removes contents that no document uses, of which these are originals or parsed documents."""
        names = {_name(key): key for key in keys}
        for sha256 in names.keys() - await self._catalog.references.contents(names):
            await self._remove_content(sha256, names[sha256], holder, repair, discrepancies)
        return []

    async def _sources(self, keys: list[str], holder: str, repair: bool, discrepancies: Discrepancies) -> list[str]:
        """Removes what is left of questions that do not exist."""
        known = await self._catalog.references.questions({_name(key) for key in keys})
        for key in keys:
            if _name(key) not in known:
                await self._delete(key, repair, discrepancies)
        return []

    async def _listings(self, keys: list[str], holder: str, repair: bool, discrepancies: Discrepancies) -> list[str]:
        """Removes what is left of syncs that have finished, or do not exist."""
        known = await self._catalog.syncs.known({_name(key) for key in keys})
        for key in keys:
            if _name(key) not in known:
                await self._delete(key, repair, discrepancies)
        return []

    async def _gates(self, keys: list[str], holder: str, repair: bool, discrepancies: Discrepancies) -> list[str]:
        """Removes the question sets of re-indexes that have ended."""
        known = await self._catalog.gates.known(keys)
        for key in keys:
            if key not in known:
                await self._delete(key, repair, discrepancies)
        return []

    async def _chunks(self, keys: list[str], holder: str, repair: bool, discrepancies: Discrepancies) -> list[str]:
        """Those that no version refers to: stray unless what they were made from exists."""
        known = await self._catalog.references.chunks(keys)
        return [key for key in keys if key not in known]

    async def _vectors(self, keys: list[str], holder: str, repair: bool, discrepancies: Discrepancies) -> list[str]:
        """The same for vectors."""
        known = await self._catalog.references.vectors(keys)
        return [key for key in keys if key not in known]

    async def _remove_content(
        self, sha256: str, key: str, holder: str, repair: bool, discrepancies: Discrepancies
    ) -> None:
        if not repair:
            if key == original_key(sha256) or not await self._blobs.exists(original_key(sha256)):
                discrepancies.add("stray_blobs", key)  # otherwise it is counted with its original
        elif not CONTENT.fullmatch(sha256):
            await self._delete(key, repair, discrepancies)  # not a SHA-256: no upload can have this key
        elif await self._catalog.content_locks.begin_stray_removal(sha256, holder):
            await self._remove(sha256, holder, discrepancies)

    async def _remove(self, sha256: str, holder: str, discrepancies: Discrepancies) -> None:
        if await remove_content(self._blobs, sha256):
            discrepancies.add("stray_blobs", original_key(sha256), mended=True)
        await self._catalog.content_locks.end_removal(sha256)

    async def _remove_orphans(self, kind: str, suspects: list[str], repair: bool, discrepancies: Discrepancies) -> None:
        """Removes chunks whose parsed document is gone, and vectors whose chunks are gone, from ``suspects``."""
        if not suspects:
            return
        made_from = {_name(key) for key in suspects}
        seen = 0
        async for page in self._blobs.entries(SOURCES[kind]):
            report(seen := seen + len(page))
            made_from.difference_update(digest(entry.key) for entry in page)
        for key in suspects:
            if _name(key) in made_from and not await self._catalog.references.any_pending():
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
        counts = {
            finding.kind: {"count": finding.count, "mended": finding.mended}
            | ({"failed": finding.failed} if finding.failed else {})
            for finding in input.findings
        }
        await self._catalog.references.note_reconcile(
            input.reconcile_id[:32], input.actor, {"repair": input.repair, "findings": counts}
        )
        if input.repair:
            await self._catalog.intake.forget_answers(datetime.now(UTC) - ANSWERS_KEPT)
            await self._catalog.analyze()
        for finding in input.findings:
            metrics.DISCREPANCIES.labels(finding.kind).inc(finding.count)
        metrics.RECONCILED.set_to_current_time()


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
