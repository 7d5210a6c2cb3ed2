"""Catalogues on a real SQLite file, and short ways to fill them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from activities.contracts.documents import Chunking
from activities.contracts.ingest import PublishInput
from activities.settings import Settings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import KnowledgeBase

ONE, TWO = "1" * 64, "2" * 64


MISSING = "0" * 32


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Settings of a catalogue in its own folder, with its tables."""
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
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


def sql(settings: Settings, statement: str) -> list[Any]:
    """Run a statement directly on the database, past the catalogue; its rows, if it has any."""
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        rows = list(result) if result.returns_rows else []
    engine.dispose()
    return rows
