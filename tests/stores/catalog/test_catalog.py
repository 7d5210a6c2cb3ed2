"""The catalogue as a whole, on a real SQLite file: time zones, ids and outages."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from activities.contracts.questions import RecordAnswerInput
from activities.errors import CatalogUnavailable
from activities.settings import CatalogSettings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import new_id
from tests.ports import free_port
from tests.stores.catalog.conftest import MISSING, ONE, accepted


async def test_every_time_comes_back_with_its_zone(catalog: Catalog, kb: KnowledgeBase) -> None:
    """SQLite drops the zone; no reader sees a time without one."""
    id = await accepted(catalog, kb)
    question = await catalog.questions.create(kb.id, "Why?", "extractive", None, "ann")
    await catalog.questions.record(RecordAnswerInput(question_id=question.id))
    read = [
        await catalog.knowledge_bases.get(kb.name),
        await catalog.documents.get(id),
        (await catalog.documents.page(kb.id, None, None, 1))[0],
        await catalog.questions.get(question.id),
    ]
    times = [value for record in read for value in msgspec.structs.astuple(record) if isinstance(value, datetime)]
    assert len(times) == 8
    assert all(time.utcoffset() is not None and time.utcoffset().total_seconds() == 0 for time in times)  # type: ignore[union-attr]


async def test_ids_sort_by_their_time() -> None:
    """Later ids sort after earlier ones, so that pages by id are pages by time."""
    ids = [new_id() for _ in range(2000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
async def test_an_unreachable_database_is_an_outage(tmp_path: Path, kind: str) -> None:
    """Reading, writing and pinging raise CatalogUnavailable, never an error of the driver."""
    urls = {
        "postgresql": f"postgresql+asyncpg://u:secret@127.0.0.1:{free_port()}/d",
        "sqlite": f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'catalog.db'}",
    }
    catalog = Catalog(urls[kind])
    for action in (
        catalog.ping(),
        catalog.documents.get(MISSING),
        catalog.documents.accept(MISSING, "a.pdf", ONE, 7, "ann"),
        catalog.content_locks.begin_removal(ONE, MISSING),
        catalog.knowledge_bases.page(None, 1),
        catalog.questions.get(MISSING),
        catalog.api_keys.find("holdfast_x"),
    ):
        with pytest.raises(CatalogUnavailable) as caught:
            await action
        assert "secret" not in str(caught.value)
    await catalog.close()


async def test_a_database_without_tables_is_an_outage(tmp_path: Path) -> None:
    """Before `upgrade`, work waits instead of failing."""
    settings = msgspec.structs.replace(
        load({"HOLDFAST_DATA": str(tmp_path)}), catalog=CatalogSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'c.db'}")
    )
    catalog = Catalog(settings.catalog_url)
    with pytest.raises(CatalogUnavailable):
        await catalog.ping()
    with pytest.raises(CatalogUnavailable):
        await catalog.documents.get(MISSING)
    await catalog.close()
