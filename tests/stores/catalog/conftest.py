"""Catalogues on a real SQLite file and on a real PostgreSQL server, and short ways to fill them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable, text
from sqlalchemy.ext.asyncio import create_async_engine

from activities.contracts.documents import Chunking
from activities.contracts.ingest import PublishInput
from activities.settings import Settings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import Table
from tests.postgresql import PostgreSQL

ONE, TWO = "1" * 64, "2" * 64


MISSING = "0" * 32


@pytest.fixture(scope="session")
async def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the catalogue's tables, to copy."""
    settings = load({"HOLDFAST_DATA": str(tmp_path_factory.mktemp("sqlite"))})
    await upgrade(settings)
    return settings.data_dir / "catalog.db"


@pytest.fixture
def sqlite_settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """Settings of an empty catalogue on SQLite, in its own folder."""
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    settings.data_dir.mkdir()
    shutil.copy(sqlite_template, settings.data_dir)
    return settings


@pytest.fixture(scope="session")
def shared_url(postgresql: PostgreSQL, postgresql_template: str) -> str:
    """A catalogue on PostgreSQL that tests share, one after the other: a new database for each costs a tenth second."""
    return postgresql.create("shared", postgresql_template)


@pytest.fixture
def postgresql_settings(tmp_path: Path, postgresql: PostgreSQL, shared_url: str) -> Iterator[Settings]:
    """Settings of an empty catalogue on PostgreSQL."""
    yield load({"HOLDFAST_DATA": str(tmp_path / "data"), "HOLDFAST_CATALOG_URL": shared_url})
    tables = reversed(Table.metadata.sorted_tables)
    postgresql.execute("; ".join(f"DELETE FROM {table.name}" for table in tables), "shared")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings of an empty catalogue; each test runs on both databases."""
    settings: Settings = request.getfixturevalue(f"{request.param}_settings")
    return settings


@pytest.fixture
async def catalog(settings: Settings) -> AsyncIterator[Catalog]:
    """The catalogue of these settings."""
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


@pytest.fixture
async def kb(catalog: Catalog) -> KnowledgeBase:
    """A knowledge base."""
    return await created(catalog, "handbook")


async def created(catalog: Catalog, name: str) -> KnowledgeBase:
    """A new knowledge base with this name."""
    return await catalog.knowledge_bases.create(name, "A title", "", Chunking(), "ann")


def publishing(document_id: str, version: int) -> PublishInput:
    """The input that publishes a version."""
    return PublishInput(
        document_id=document_id, version=version, chunks=3, pages=2, media_type="application/pdf",
        parsed_key=f"parsed/{version}", chunks_key=f"chunks/{version}", vectors_key=f"vectors/{version}",
    )  # fmt: skip


async def accepted(catalog: Catalog, kb: KnowledgeBase, name: str = "a.pdf", sha256: str = ONE) -> str:
    """Upload a document; its id."""
    return (await catalog.documents.accept(kb.id, name, sha256, 7, "ann")).document.id


async def sql(settings: Settings | str, statement: str | Executable, **parameters: object) -> list[Any]:
    """Run a statement directly on the database (or URL), past the catalogue; its rows, if it has any."""
    engine = create_async_engine(settings if isinstance(settings, str) else settings.catalog_url)
    async with engine.begin() as connection:
        result = await connection.execute(text(statement) if isinstance(statement, str) else statement, parameters)
        rows: list[Any] = list(result) if result.returns_rows else []
    await engine.dispose()
    return rows
