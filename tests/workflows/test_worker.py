"""The worker process: it waits for what it needs, and then works."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import msgspec
from structlog.testing import capture_logs

from activities.contracts.queues import Queue
from activities.settings import TemporalSettings, load
from activities.stores.catalog.migrate import upgrade
from tests.conftest import assert_eventually
from workflows.worker import _work


async def test_a_worker_waits_for_the_migration(temporal_server: TemporalSettings, tmp_path: Path) -> None:
    """It takes no work before the catalogue has its tables, and needs no restart when it has them."""
    ready = tmp_path / "ready"
    settings = msgspec.structs.replace(load({"HOLDFAST_DATA": str(tmp_path / "data")}), temporal=temporal_server)
    settings.data_dir.mkdir()
    with capture_logs() as logged:
        work = asyncio.create_task(_work([Queue.STORE], settings, ready))

        async def waits() -> bool:
            return any(each.get("dependency") == "catalog" and "migrate" in each["reason"] for each in logged)

        await assert_eventually(waits)
        assert not ready.exists()
        await upgrade(settings)

        async def works() -> bool:
            return ready.exists()

        await assert_eventually(works)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
