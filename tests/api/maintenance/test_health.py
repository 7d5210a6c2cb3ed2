"""Readiness and metrics: a dead loop, and what was accepted and has no run, are told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from activities.contracts.documents import Chunking
from activities.runtime import loops
from activities.settings import Settings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Upload
from api.app import create_app
from tests.api.http.test_access import started
from tests.ports import free_port

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Deprecated '(query|header)' parameter:DeprecationWarning"),
]


TOKEN = "a-token-for-prometheus"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a process without any service."""
    return load(
        {
            "HOLDFAST_DATA": str(tmp_path),
            "HOLDFAST_METRICS_TOKEN": TOKEN,
            "HOLDFAST_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
            "HOLDFAST_TRITON_ADDRESS": f"127.0.0.1:{free_port()}",
            "HOLDFAST_MILVUS_URI": f"http://127.0.0.1:{free_port()}",
        }
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Litestar]:
    """The started application."""
    app = create_app(settings)
    async with started(app):
        yield app


async def get(app: Litestar, path: str, key: str = "") -> httpx.Response:
    """The response of a path."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:  # type: ignore[arg-type]
        return await client.get(path, headers=headers)


async def readiness(app: Litestar) -> dict[str, Any]:
    """What /health/ready says."""
    answer = await get(app, "/health/ready")
    assert answer.status_code == 503
    found: dict[str, Any] = answer.json()
    return found


async def test_a_catalogue_that_is_not_migrated_is_named(app: Litestar, settings: Settings) -> None:
    """The API starts nevertheless, and is ready for it once it is migrated."""

    async def catalog() -> dict[str, Any]:
        return next(each for each in (await readiness(app))["dependencies"] if each["name"] == "catalog")

    assert "holdfast migrate" in (await catalog())["detail"]
    await upgrade(settings)
    assert (await catalog())["ready"]
    assert all(loop["ready"] for loop in (await readiness(app))["loops"])


async def test_a_loop_that_is_dead_or_stuck_is_told(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    """By readiness with its name, and by a metric."""
    states = (await readiness(app))["loops"]
    assert {state["name"]: state["ready"] for state in states} == {
        "dispatcher": True,
        "document-watches": True,
        "batch-watches": True,
        "webhooks": True,
        "audit-log": True,
        "refusals": True,
    }
    monkeypatch.setattr(loops, "LATE_SECONDS", -100)
    states = (await readiness(app))["loops"]
    assert not any(state["ready"] for state in states)
    assert "log" in states[0]["detail"]


async def test_what_has_no_run_after_a_minute_is_told(app: Litestar, settings: Settings) -> None:
    """By readiness and by metrics; what was accepted just now is not overdue."""
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    kb = await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")
    key = await catalog.api_keys.create("ann", "operator")
    upload = Upload(knowledge_base_id=kb.id, name="a.txt", sha256="0" * 64, bytes=1, actor="ann")
    await catalog.intake.accept([upload])
    batch = await catalog.batches.create(kb.id, "b", 1, "ann", closed=True, archive_sha256="0" * 64)
    assert (await readiness(app))["overdue"] is None
    before = (datetime.now(UTC) - timedelta(seconds=100)).strftime("%Y-%m-%d %H:%M:%S.%f")

    def backdate() -> None:
        with closing(sqlite3.connect(settings.data_dir / "catalog.db", timeout=60)) as database, database:
            database.execute("UPDATE versions SET updated_at = ?", (before,))
            database.execute("UPDATE batches SET updated_at = ? WHERE id = ?", (before, batch.id))

    await asyncio.to_thread(backdate)  # a loop of the API that ends may still write
    overdue = (await readiness(app))["overdue"]
    assert overdue["count"] == 2
    assert 99 < overdue["oldest_seconds"] < 200
    metrics = (await get(app, "/metrics", key)).text
    assert "holdfast_overdue 2.0" in metrics
    assert 'holdfast_loop_up{loop="dispatcher"} 1.0' in metrics
    assert 'holdfast_documents{state="queued"} 1.0' in metrics
    assert 'holdfast_dependency_up{dependency="catalog"} 1.0' in metrics
    assert 'holdfast_dependency_up{dependency="temporal"} 0.0' in metrics
    assert "holdfast_queue_backlog{" not in metrics  # Temporal is down: absent, rather than of some earlier moment
    assert (await get(app, "/metrics", TOKEN)).status_code == 200
    assert (await get(app, "/api/v1/knowledge-bases", TOKEN)).status_code == 401
    await catalog.close()
