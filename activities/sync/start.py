"""Begins a sync: recorded first, then started. What schedules and people begin syncs with."""

from __future__ import annotations

from temporalio.client import Client

from activities.runtime import starts
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.source_records import Sync


async def start_sync(
    catalog: Catalog, client: Client, source_id: str, actor: str, *, occurrence: str = "", preview: bool = False
) -> Sync:
    """Records and starts a sync. Starting one ``occurrence`` twice, or beside an unfinished sync, is starting it once.

    An ``occurrence`` names the time that a schedule starts it for; without one, each call stands for itself. One that
    is recorded and was not started is started by the next call, and by Reconcile. Raises NotFound and DependencyErrors.
    """
    sync = await catalog.syncs.start(source_id, occurrence, actor, preview=preview)
    if sync.finished_at is None:
        await starts.sync(client, sync.to_run())
    return sync
