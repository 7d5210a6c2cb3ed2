"""Migrations of the catalogue: they produce the tables of the code, keep data, and can be undone."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, inspect, select, text

from activities.errors import CatalogNotMigrated
from activities.settings import Settings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import alembic_config, upgrade
from activities.stores.catalog.records import IndexedVersion, KnowledgeBase
from activities.stores.catalog.revision import REVISIONS
from activities.stores.catalog.tables import AuditRow, Table
from tests.stores.catalog.conftest import accepted, publishing, sql


async def test_the_migrations_make_the_tables_of_the_code(settings: Settings) -> None:
    """Autogeneration finds nothing to change after the last migration; a second upgrade does nothing."""
    await upgrade(settings)
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Table.metadata) == []
        heads = ScriptDirectory.from_config(alembic_config(settings.catalog_url)).get_heads()
        assert list(context.get_current_heads()) == heads
        assert len(heads) == 1
    engine.dispose()


async def test_the_migrations_can_be_undone(settings: Settings) -> None:
    """Down to nothing and up again."""
    config = alembic_config(settings.catalog_url)
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    await asyncio.to_thread(command.downgrade, config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    await upgrade(settings)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(AuditRow)) == 0
    engine.dispose()


async def test_a_ping_tells_whether_the_tables_are_there(tmp_path: Path) -> None:
    """A database without tables, and one of an earlier version, are named; a later one serves on."""
    settings = load({"HOLDFAST_DATA": str(tmp_path)})
    catalog = Catalog(settings.catalog_url)
    config = alembic_config(settings.catalog_url)
    with pytest.raises(CatalogNotMigrated, match="migrate"):
        await catalog.ping()
    await asyncio.to_thread(command.upgrade, config, REVISIONS[-2])
    with pytest.raises(CatalogNotMigrated, match=REVISIONS[-2]):
        await catalog.ping()
    await upgrade(settings)
    await catalog.ping()
    with closing(sqlite3.connect(settings.data_dir / "catalog.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    await catalog.ping()
    await catalog.close()


def test_the_last_revision_is_that_of_the_migrations() -> None:
    """The files' names say it as well as Alembic does."""
    assert ScriptDirectory.from_config(alembic_config("")).get_current_head() == REVISIONS[-1]


async def test_what_was_indexed_keeps_its_keys(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Keys move to the live generation's rows and back; indexes of the rebuilt table keep their conditions."""
    one, two = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf")
    await catalog.documents.publish(publishing(one, 1))
    await catalog.documents.publish(msgspec.structs.replace(publishing(one, 1), chunks_key="shadow", generation=2))
    config = alembic_config(settings.catalog_url)
    await catalog.close()
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'versions' ORDER BY name"
    before = sql(settings, indexes)
    await asyncio.to_thread(command.downgrade, config, "0005")
    keys = sql(settings, "SELECT document_id, chunks_key, vectors_key FROM versions ORDER BY document_id")
    assert keys == [(one, "chunks/1", "vectors/1"), (two, None, None)]
    sql(settings, "UPDATE knowledge_bases SET generation = 7")
    await upgrade(settings)
    rows = sql(settings, "SELECT document_id, version, generation, chunks_key, vectors_key, rows FROM indexed_versions")
    assert rows == [(one, 1, 7, "chunks/1", "vectors/1", 3)]
    assert sql(settings, indexes) == before
    assert any("WHERE" in (definition or "") for _, definition in before)
    found = await catalog.documents.indexed(one, 1)
    assert found == IndexedVersion(generation=7, chunks_key="chunks/1", vectors_key="vectors/1", rows=3)
    await catalog.documents.delete(one, "ann")
    await catalog.documents.remove(one)
    assert sql(settings, "SELECT * FROM indexed_versions") == []


def test_the_migrations_can_be_printed_for_postgresql() -> None:
    """Without a database; names are unique among live rows there too."""
    config = alembic_config("postgresql+asyncpg://u:p@h/d")
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    sql = config.output_buffer.getvalue()
    partial = "CREATE UNIQUE INDEX {} ON {} WHERE deleted_at IS NULL;"
    assert partial.format("uq_knowledge_bases_name_live", "knowledge_bases (name)") in sql
    assert partial.format("uq_documents_name_live", "documents (knowledge_base_id, name)") in sql
    assert "TIMESTAMP WITH TIME ZONE" in sql
    assert all(f"CREATE TABLE {table}" in sql for table in Table.metadata.tables)


async def test_questions_of_an_old_catalogue_get_conversations(tmp_path: Path) -> None:
    """A catalogue of the earlier schema keeps every question; a conversation belongs to its first asker."""
    settings = load({"HOLDFAST_DATA": str(tmp_path / "old")})
    settings.data_dir.mkdir()
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    await _migrated(settings, "0002")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO knowledge_bases (id, name, title, description, max_tokens, overlap_tokens, generation,"
                " created_by, created_at, updated_at) VALUES ('k', 'handbook', '', '', 350, 0, 1, 'root', :at, :at)"
            ),
            {"at": at},
        )
        for n, (conversation, actor) in enumerate([("c1", "ann"), ("c2", "bob"), ("c1", "ann")]):
            connection.execute(
                text(
                    "INSERT INTO questions (id, knowledge_base_id, conversation_id, question, mode, state, tokens,"
                    " actor, created_at) VALUES (:id, 'k', :c, :question, 'extractive', 'ready', 0, :actor, :at)"
                ),
                {"id": f"q{n}", "c": conversation, "question": f"Question {n}? " * 20, "actor": actor,
                 "at": at + timedelta(minutes=n)},
            )  # fmt: skip
    engine.dispose()
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    try:
        (found,) = await catalog.conversations.page("ann", None, None, 10)
        assert (found.id, found.questions, found.title) == ("c1", 2, ("Question 0? " * 20)[:80])
        assert (found.created_at, found.updated_at) == (at, at + timedelta(minutes=2))
        assert [each.id for each in await catalog.conversations.turns("c1", "ann")] == ["q0", "q2"]
        assert all(each.feedback is None for each in await catalog.conversations.turns("c1", "ann"))
    finally:
        await catalog.close()


async def _migrated(settings: Settings, revision: str) -> None:
    await asyncio.to_thread(command.upgrade, alembic_config(settings.catalog_url), revision)
