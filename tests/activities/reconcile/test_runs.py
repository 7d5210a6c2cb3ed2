"""Whether a pending version still has a run, from what Temporal says of it."""

from __future__ import annotations

from datetime import timedelta

from activities.contracts.ids import INGEST_DOCUMENT, ingest_id
from activities.contracts.queues import Queue
from activities.reconcile.runs import has_run
from activities.runtime import temporal
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings
from activities.stores.catalog.records import PendingVersion
from activities.stores.catalog.tables import new_id, now


async def test_a_version_whose_run_closed_after_it_was_queued_is_stalled(temporal_server: TemporalSettings) -> None:
    """Also one of a running batch, which would wait for it for ever; a run from before its retry says nothing."""
    client, document = await connect(temporal_server), new_id()
    id = ingest_id(document, 1)
    before = now() - timedelta(minutes=1)

    def version(*, awaits_batch: bool, later: bool = False) -> PendingVersion:
        at = now() + timedelta(minutes=1) if later else before
        return PendingVersion(
            document_id=document, version=1, name="a", state="queued", awaits_batch=awaits_batch, updated_at=at
        )

    assert has_run(version(awaits_batch=True), None)
    assert not has_run(version(awaits_batch=False), None)
    await client.start_workflow(INGEST_DOCUMENT, id=id, task_queue=Queue.WORKFLOWS)
    assert has_run(version(awaits_batch=False), await temporal.describe(client, id))
    await client.get_workflow_handle(id).terminate("by hand")
    closed = await temporal.describe(client, id)
    assert not has_run(version(awaits_batch=False), closed)
    assert not has_run(version(awaits_batch=False, later=True), closed)
    assert not has_run(version(awaits_batch=True), closed)
    assert has_run(version(awaits_batch=True, later=True), closed)
