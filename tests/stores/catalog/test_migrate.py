"""Migrations of the catalogue: they produce the tables of the code, keep data, and can be undone."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from activities.errors import CatalogNotMigrated
from activities.settings import Settings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import alembic_config, upgrade
from activities.stores.catalog.records import IndexedVersion, KnowledgeBase
from activities.stores.catalog.revision import REVISIONS
from activities.stores.catalog.tables import AuditRow, Table
from tests.stores.catalog.conftest import TWO, accepted, publishing, sql

T = TypeVar("T")


@pytest.fixture
def postgresql_settings(tmp_path: Path, postgresql_url: str) -> Settings:
    """Settings of a catalogue in a database of its own."""
    return load({"HOLDFAST_DATA": str(tmp_path / "data"), "HOLDFAST_CATALOG_URL": postgresql_url})


async def test_the_migrations_make_the_tables_of_the_code(settings: Settings) -> None:
    """Autogeneration finds nothing to change after the last migration; a second upgrade does nothing."""
    await upgrade(settings)

    def check(connection: Connection) -> None:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Table.metadata) == []
        heads = ScriptDirectory.from_config(alembic_config(settings.catalog_url)).get_heads()
        assert list(context.get_current_heads()) == heads
        assert len(heads) == 1

    await _on(settings, check)


async def test_the_migrations_can_be_undone(settings: Settings) -> None:
    """Down to nothing and up again."""
    await asyncio.to_thread(command.downgrade, alembic_config(settings.catalog_url), "base")
    assert await _on(settings, lambda connection: inspect(connection).get_table_names()) == ["alembic_version"]
    await upgrade(settings)
    assert await sql(settings, select(func.count()).select_from(AuditRow)) == [(0,)]


async def test_a_ping_tells_whether_the_tables_are_there(settings: Settings) -> None:
    """A database without tables, and one of an earlier version, are named; a later one serves on."""
    config = alembic_config(settings.catalog_url)
    await asyncio.to_thread(command.downgrade, config, "base")
    catalog = Catalog(settings.catalog_url)
    with pytest.raises(CatalogNotMigrated, match="migrate"):
        await catalog.ping()
    await asyncio.to_thread(command.upgrade, config, REVISIONS[-2])
    with pytest.raises(CatalogNotMigrated, match=REVISIONS[-2]):
        await catalog.ping()
    await upgrade(settings)
    await catalog.ping()
    await sql(settings, "UPDATE alembic_version SET version_num = '9999'")
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
    before = await _on(settings, _indexes)
    await asyncio.to_thread(command.downgrade, config, "0005")
    keys = await sql(settings, "SELECT document_id, chunks_key, vectors_key FROM versions ORDER BY document_id")
    assert keys == [(one, "chunks/1", "vectors/1"), (two, None, None)]
    await sql(settings, "UPDATE knowledge_bases SET generation = 7")
    await upgrade(settings)
    columns = "document_id, version, generation, chunks_key, vectors_key, rows"
    rows = await sql(settings, f"SELECT {columns} FROM indexed_versions")
    assert rows == [(one, 1, 7, "chunks/1", "vectors/1", 3)]
    assert await _on(settings, _indexes) == before
    assert "dispatched_at IS NULL" in before["ix_versions_outbox"][1]
    found = await catalog.documents.indexed(one, 1)
    assert found == IndexedVersion(generation=7, chunks_key="chunks/1", vectors_key="vectors/1", rows=3)
    await catalog.documents.delete(one, "ann")
    await catalog.documents.remove(one)
    assert await sql(settings, "SELECT * FROM indexed_versions") == []


async def test_versions_learn_where_they_belong(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Their knowledge base, and when they were replaced; counts and lists are as before."""
    one, _ = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf")
    await catalog.documents.publish(publishing(one, 1))
    await accepted(catalog, kb, sha256=TWO)
    await catalog.close()
    columns = "SELECT document_id, version, knowledge_base_id, replaced_at IS NULL FROM versions ORDER BY 1, 2"
    before, counts = await sql(settings, columns), await catalog.knowledge_bases.counts([kb.id])
    assert counts == {kb.id: {"queued": 2}}
    await catalog.close()
    await asyncio.to_thread(command.downgrade, alembic_config(settings.catalog_url), "0006")
    await upgrade(settings)
    assert await sql(settings, columns) == before
    replaced = "SELECT replaced_at FROM versions WHERE document_id = '{}' AND version = 1"
    newer = "SELECT created_at FROM versions WHERE document_id = '{}' AND version = 2"
    assert await sql(settings, replaced.format(one)) == await sql(settings, newer.format(one))
    assert await catalog.knowledge_bases.counts([kb.id]) == counts
    assert [each.name for each in await catalog.documents.page(kb.id, "queued", None, 9)] == ["b.pdf", "a.pdf"]


async def test_migrations_at_once_wait_for_each_other(settings: Settings) -> None:
    """Each succeeds, as from the start of several pods; the tables are made once."""
    await asyncio.to_thread(command.downgrade, alembic_config(settings.catalog_url), "base")
    environ = os.environ | {"HOLDFAST_DATA": settings.data, "HOLDFAST_CATALOG_URL": settings.catalog_url}
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "api.cli", "migrate", env=environ, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        for _ in range(3)
    ]  # fmt: skip
    printed = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0, 0, 0], printed
    assert len(await sql(settings, "SELECT * FROM alembic_version")) == 1


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


async def test_questions_of_an_old_catalogue_get_conversations(settings: Settings) -> None:
    """A catalogue of the earlier schema keeps every question; a conversation belongs to its first asker."""
    await asyncio.to_thread(command.downgrade, alembic_config(settings.catalog_url), "0002")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    await sql(
        settings,
        text(
            "INSERT INTO knowledge_bases (id, name, title, description, max_tokens, overlap_tokens, generation,"
            " created_by, created_at, updated_at) VALUES ('k', 'handbook', '', '', 350, 0, 1, 'root', :at, :at)"
        ).bindparams(at=at),
    )
    for n, (conversation, actor) in enumerate([("c1", "ann"), ("c2", "bob"), ("c1", "ann")]):
        await sql(
            settings,
            text(
                "INSERT INTO questions (id, knowledge_base_id, conversation_id, question, mode, state, tokens,"
                " actor, created_at) VALUES (:id, 'k', :c, :question, 'extractive', 'ready', 0, :actor, :at)"
            ).bindparams(
                id=f"q{n}",
                c=conversation,
                question=f"Question {n}? " * 20,
                actor=actor,
                at=at + timedelta(minutes=n),
            ),
        )
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


async def _on(settings: Settings, read: Callable[[Connection], T]) -> T:
    """What ``read`` finds in the database."""
    engine = create_async_engine(settings.catalog_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(read)
    await engine.dispose()
    return found


def _indexes(connection: Connection) -> dict[str | None, tuple[list[str | None], str]]:
    """Columns and options (the condition of a partial index) of the indexes of versions."""
    return {
        index["name"]: (
            index["column_names"],
            str({option: str(value) for option, value in index.get("dialect_options", {}).items()}),
        )
        for index in inspect(connection).get_indexes("versions")
    }
