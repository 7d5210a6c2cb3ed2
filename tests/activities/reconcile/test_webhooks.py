"""Events of webhooks that have been kept long enough."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.reconcile import ScanInput
from activities.reconcile import blobs as module
from activities.reconcile.blobs import BlobRepairActivities
from activities.settings import ReconcileSettings, load
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.webhooks.records import NewEndpoint


async def test_old_events_are_removed_by_a_repair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where replaced versions are kept for ever; a look alone removes nothing."""
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    endpoint = await catalog.webhooks.create(
        NewEndpoint(knowledge_base_id=None, url="https://hooks.test/"), "whsec_", "ann"
    )
    old = await catalog.deliveries.test(endpoint, "ann")
    await catalog.deliveries.succeeded(old, 204)
    look = BlobRepairActivities(Blobs("memory:///"), catalog, ReconcileSettings()).expire_versions
    for kept, repair, left in ((7, True, 1), (-1, False, 1), (-1, True, 0)):
        monkeypatch.setattr(module, "EVENTS_KEPT", timedelta(days=kept))
        await ActivityEnvironment().run(look, ScanInput(repair=repair, grace_seconds=0))
        assert len(await catalog.deliveries.page(endpoint.id, None, 10)) == left
    await catalog.close()
