"""The catalogue's frequent queries read what they need by an index, however much else there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from activities.contracts.retention import ExpiredInput
from activities.contracts.schedules import RetentionOptions
from activities.contracts.selection import DocumentFilter
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.mapping import by_index
from activities.stores.catalog.records import KnowledgeBase, Upload
from activities.stores.catalog.tables import VersionRow, now

ALL = DocumentFilter()

#: Tables that grow for ever.
LARGE = ("documents", "versions", "syncs", "bulk_changes", "reindex_alls")


def expired(kb: str, after: str = "") -> ExpiredInput:
    """What a retention asks of its next page."""
    options = RetentionOptions(days=1)
    return ExpiredInput(knowledge_base_id=kb, cutoff=now(), options=options, after=after, limit=2)


Query = Callable[[Catalog, str, str], Awaitable[object]]

QUERIES: dict[str, Query] = {
    "backlog": lambda catalog, kb, batch: catalog.backlog.of_knowledge_base(kb),
    "next_documents": lambda catalog, kb, batch: catalog.batches.next_documents(batch, "page", 2),
    "finished": lambda catalog, kb, batch: catalog.batches.finished([("a", 1), ("b", 1)]),
    "tally": lambda catalog, kb, batch: catalog.batches.tally(batch),
    "undispatched": lambda catalog, kb, batch: catalog.intake.undispatched(10),
    "pending": lambda catalog, kb, batch: catalog.intake.pending(),
    "counts": lambda catalog, kb, batch: catalog.knowledge_bases.counts([kb]),
    "page": lambda catalog, kb, batch: catalog.documents.page(kb, None, "f" * 32, 2),
    "page of a state": lambda catalog, kb, batch: catalog.documents.page(kb, "failed", None, 2),
    "page of a batch": lambda catalog, kb, batch: catalog.documents.page(kb, None, None, 2, batch),
    "page by name": lambda catalog, kb, batch: catalog.document_list.page(kb, ALL, "name", limit=2),
    "page by change": lambda catalog, kb, batch: catalog.document_list.page(kb, ALL, "updated_at", limit=2),
    "page by size": lambda catalog, kb, batch: catalog.document_list.page(kb, ALL, "bytes", limit=2),
    "page by state": lambda catalog, kb, batch: catalog.document_list.page(kb, ALL, "state", limit=2),
    "search": lambda catalog, kb, batch: catalog.document_list.page(kb, DocumentFilter(search="1"), "bytes", limit=2),
    "tagged": lambda catalog, kb, batch: catalog.document_list.page(kb, DocumentFilter(tag="a"), "name", limit=2),
    "count": lambda catalog, kb, batch: catalog.document_list.counts(kb, DocumentFilter(search="1")),
    "bulk changes": lambda catalog, kb, batch: catalog.bulk_changes.undispatched(),
    "lookup of a name": lambda catalog, kb, batch: catalog.lookup.documents([kb], "7.md", 2),
    "lookup of a beginning": lambda catalog, kb, batch: catalog.lookup.documents([kb], batch[:20], 2),
    "job counts": lambda catalog, kb, batch: catalog.operations.jobs.counts(),
    "page of syncs": lambda catalog, kb, batch: catalog.operations.jobs.page(None, 20, "sync"),
    "page of bulk changes": lambda catalog, kb, batch: catalog.operations.jobs.page(None, 20, "bulk_change"),
    "page of re-indexes of many": lambda catalog, kb, batch: catalog.operations.jobs.page(None, 20, "reindex_all"),
    "not started": lambda catalog, kb, batch: catalog.operations.jobs.not_started(),
    "jobs": lambda catalog, kb, batch: catalog.operations.jobs.page(None, 20),
    "failures": lambda catalog, kb, batch: catalog.operations.failures.groups(),
    "retry": lambda catalog, kb, batch: catalog.operations.failures.requeue("empty", kb, now(), 9, "ann"),
    "last hour": lambda catalog, kb, batch: catalog.operations.throughput.last_hour(),
    "expired": lambda catalog, kb, batch: catalog.old_documents.page(expired(kb)),
    "expired, after a page": lambda catalog, kb, batch: catalog.old_documents.page(expired(kb, f"{now()} a")),
    "any_live": lambda catalog, kb, batch: catalog.documents.any_live(kb),
}

#: Those that walk an index in its order, whatever they skip: nothing is sorted.
WALKS = ("expired", "expired, after a page")


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
async def test_a_frequent_query_reads_no_whole_table(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase, query: Query
) -> None:
    """With the statistics of a catalogue that has little else than ready documents."""
    batch = await catalog.batches.create(kb.id, "files", 4, "ann", closed=True)
    uploads = [
        Upload(knowledge_base_id=kb.id, name=f"{n}.md", sha256=f"{n:064}", bytes=7, actor="ann", batch_id=batch.id)
        for n in range(40)
    ]
    await catalog.intake.accept(uploads)
    await catalog.analyze()
    statements: list[tuple[str, Any]] = []
    engine = catalog._engine._engine.sync_engine

    @event.listens_for(engine, "before_cursor_execute")
    def executed(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:
        statements.append((statement, parameters))

    await query(catalog, kb.id, batch.id)
    event.remove(engine, "before_cursor_execute", executed)
    plans = await _plans(settings, [each for each in statements if each[0].startswith(("SELECT", "UPDATE"))])
    assert plans
    for plan in plans:
        whole = [line for line in plan if _reads_a_table(line)]
        assert not whole, "\n".join(plan)
        if query in [QUERIES[walk] for walk in WALKS]:
            assert not [line for line in plan if "Sort" in line or "B-TREE" in line], "\n".join(plan)


async def _plans(settings: Settings, statements: list[tuple[str, Any]]) -> list[list[str]]:
    """The lines of each statement's plan; PostgreSQL would read a table as small as this one as a whole."""
    engine = create_async_engine(settings.catalog_url)
    explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"

    def explained(connection: Connection) -> list[list[str]]:
        return [
            [str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)]
            for statement, parameters in statements
        ]

    async with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(text("SET enable_seqscan = off"))
        plans = await connection.run_sync(explained)
    await engine.dispose()
    return plans


def _reads_a_table(line: str) -> bool:
    """Whether a line of a plan reads all of one of the large tables."""
    if "Seq Scan on" in line:
        return any(f"Seq Scan on {table}" in line for table in LARGE)
    return line.startswith(tuple(f"SCAN {table}" for table in LARGE)) and "USING" not in line


async def test_sqlite_is_told_the_index() -> None:
    """SQLAlchemy's own compiler leaves such hints out without a word."""
    engine = Engine("sqlite+aiosqlite://")
    query = by_index(select(VersionRow.version), "ix_versions_outbox")
    assert str(query.compile(dialect=engine._engine.dialect)).endswith("FROM versions INDEXED BY ix_versions_outbox")
    await engine.close()
