"""Sessions that ended long ago."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.reconcile import ScanInput
from activities.errors import NotFound
from activities.reconcile import blobs as module
from activities.reconcile.blobs import BlobRepairActivities
from activities.settings import ReconcileSettings, load
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.people.records import NewUser


async def test_ended_sessions_are_removed_by_a_repair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time; a look alone removes nothing."""
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    user = await catalog.users.create(NewUser(name="rita"), "ann")
    ended = (await catalog.sessions.create(user.id, timedelta(days=1))).session
    await catalog.sessions.end(ended.id, "rita")
    look = BlobRepairActivities(Blobs("memory:///"), catalog, ReconcileSettings()).expire_versions
    for kept, repair in ((30, True), (-1, False)):
        monkeypatch.setattr(module, "SIGN_INS_KEPT", timedelta(days=kept))
        await ActivityEnvironment().run(look, ScanInput(repair=repair, grace_seconds=0))
        await catalog.sessions.get(ended.id)
    await ActivityEnvironment().run(look, ScanInput(repair=True, grace_seconds=0))
    with pytest.raises(NotFound):
        await catalog.sessions.get(ended.id)
    await catalog.close()
