"""Exports the histories of ended runs before Temporal drops them, and deletes those kept for long enough."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
from temporalio import activity
from temporalio.client import Client, WorkflowExecution

from activities.contracts.histories import ArchiveInput, ArchiveSlice, ExpireInput, ExpireSlice, Window
from activities.histories import export, listing
from activities.reconcile.slices import TimeSlice
from activities.runtime.heartbeat import heartbeating, report
from activities.settings import ArchiveSettings
from activities.stores.blob_keys import run_history_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.runs.records import ArchivedRun, Run, fields_of

#: Temporal's list shows the end of a run some time after it: scans overlap by this time.
OVERLAP = timedelta(minutes=5)

#: Histories that are fetched at once, and recorded with one transaction.
AT_ONCE = 8

#: Histories that are deleted with one transaction.
EXPIRED_AT_ONCE = 100


class HistoryActivities:
    """Runs on the ``store`` queue."""

    def __init__(self, blobs: Blobs, catalog: Catalog, settings: ArchiveSettings) -> None:
        self._blobs, self._archive, self._settings = blobs, catalog.run_archive, settings

    @activity.defn
    @heartbeating
    async def archive_histories(self, input: ArchiveInput) -> ArchiveSlice:
        """Exports the histories of runs that closed since the last scan; archived ones are passed over."""
        client, end, archived = activity.client(), TimeSlice(), 0
        window = input.window or await self._window()
        while True:
            page, token = await listing.page(client, listing.query_of(window), window.page)
            known = await self._archive.known(run.run_id for run in page)
            new = [run for run in page if run.run_id not in known and listing.ended_as(run)]
            for start in range(0, len(new), AT_ONCE):
                archived += await self._store(client, new[start : start + AT_ONCE])
                report(archived)
            if not token:
                await self._archive.set_mark("archive", window.until)
                return ArchiveSlice(archived=archived)
            window = msgspec.structs.replace(window, page=token)
            if end.is_over():
                return ArchiveSlice(archived=archived, window=window)

    async def _window(self) -> Window:
        mark = await self._archive.mark("archive")
        return Window(until=datetime.now(UTC), since=mark - OVERLAP if mark else None)

    async def _store(self, client: Client, runs: list[WorkflowExecution]) -> int:
        found = await asyncio.gather(*(self._export(client, run) for run in runs))
        exports = [each for each in found if each is not None]
        await self._archive.record(exports)
        return len(exports)

    async def _export(self, client: Client, execution: WorkflowExecution) -> ArchivedRun | None:
        """Store a history; None if Temporal has dropped it. It is stored again if it could not be recorded."""
        run, status = listing.run_of(execution), listing.ended_as(execution)
        events = await listing.history(client, run)
        if not events or status is None:
            return None
        data = await asyncio.to_thread(export.pack, events)
        closed_at = execution.close_time or events[-1].event_time.ToDatetime(UTC)
        key = run_history_key(closed_at, run.workflow_id, run.run_id)
        await self._blobs.put(key, data)
        return ArchivedRun(
            **fields_of(run, Run),
            status=status,
            closed_at=closed_at,
            events=len(events),
            bytes=len(data),
            blob_key=key,
            sha256=hashlib.sha256(data).hexdigest(),
        )

    @activity.defn
    @heartbeating
    async def expire_histories(self, input: ExpireInput) -> ExpireSlice:
        """Deletes the histories of runs that closed before the time for which the setting keeps them."""
        if not self._settings.keep_days:
            return ExpireSlice(expired=0)
        before = datetime.now(UTC) - timedelta(days=self._settings.keep_days)
        runs: list[ArchivedRun] = await self._archive.expired(before, EXPIRED_AT_ONCE)
        for done, run in enumerate(runs):
            report(done, len(runs))
            await self._blobs.delete(run.blob_key)
        if runs:
            await self._archive.forget(runs, before)
        return ExpireSlice(expired=len(runs), more=len(runs) == EXPIRED_AT_ONCE)
