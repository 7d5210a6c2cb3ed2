"""The catalogue's queries on SQLite and PostgreSQL, in a catalogue of hundreds of thousands of documents.

Nothing else runs: a knowledge base of ready documents, and one with a batch of queued ones. The rows are written by
SQL, a few seconds for all. PostgreSQL is one of the test's own, with Debian's settings.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine

from activities.contracts.documents import Chunking
from activities.contracts.search import SearchFilter
from activities.contracts.selection import DocumentFilter
from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Upload
from tests.bench.measures import Measure, milliseconds, say
from tests.postgresql import running_postgresql

ROUNDS = 20

#: Numbers from 0, below ``:n``, in one statement that both databases know.
NUMBERS = "WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < :n)"

DOCUMENTS = f"""
INSERT INTO documents (id, knowledge_base_id, name, name_key, live_version, latest_version, created_by, created_at)
{NUMBERS}
SELECT :prefix || (10000000 + i), :kb, :prefix || i || '.md', :prefix || i || '.md', :live, 1, 'ann', :at FROM numbers
"""

VERSIONS = f"""
INSERT INTO versions (document_id, version, knowledge_base_id, state, sha256, bytes, media_type, chunks, actor,
                      created_at, updated_at, published_at, stage, done, attempt, batch_id)
{NUMBERS}
SELECT :prefix || (10000000 + i), 1, :kb, :state, :prefix || i, 7, 'text/plain', 3, 'ann',
       :at, :at, :published, '', 0, 1, :batch FROM numbers
"""


async def queries(documents: int, queued: int) -> list[Measure]:
    """Milliseconds of each query on both databases."""
    measures = []
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, running_postgresql() as server:
        for database, url in (("SQLite", ""), ("PostgreSQL", server.create("bench"))):
            settings = load({"HOLDFAST_DATA": str(Path(folder)), "HOLDFAST_CATALOG_URL": url})
            await upgrade(settings)
            async with _filled(settings.catalog_url, documents, queued) as (catalog, large, batched, batch):
                if url:
                    server.execute("VACUUM ANALYZE", "bench")  # as PostgreSQL does by itself soon
                for name, target, query in _queries(catalog, large, batched, batch):
                    seconds = [await _seconds(query) for _ in range(ROUNDS)]
                    goal = target if database == "PostgreSQL" or "search" in name else ""
                    measures.append(
                        Measure(name=f"{database}: {name}", values=milliseconds(seconds), unit="ms", target=goal)
                    )
    return measures


async def _seconds(query: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await query()
    return time.perf_counter() - start


def _queries(
    catalog: Catalog, large: str, batched: str, batch: str
) -> list[tuple[str, str, Callable[[], Awaitable[object]]]]:
    """Name, target and call of each query."""
    pages = iter(range(10_000))
    rare, frequent = DocumentFilter(search="A17.md"), DocumentFilter(search="7 md")
    known = [f"a{10_000_000 + n}" for n in range(0, 500, 10)]

    async def search() -> None:
        """All that a search asks the catalogue."""
        await catalog.knowledge_bases.searched(large)
        await catalog.documents.live(known)
        await catalog.backlog.of_knowledge_base(large)

    async def upload() -> None:
        upload = Upload(knowledge_base_id=large, name="a17.md", sha256="a17", bytes=7, actor="ann")
        await catalog.intake.accept([upload])

    return [
        ("search's part", "≤ 10 ms", search),
        ("backlog of the searched", "", lambda: catalog.backlog.of_knowledge_base(large)),
        ("backlog of the batch's", "", lambda: catalog.backlog.of_knowledge_base(batched)),
        ("a filter by name", "", lambda: catalog.search_scope.matching(large, filter=SearchFilter(name="*17.md"))),
        ("any live, where none is", "", lambda: catalog.documents.any_live(batched)),
        ("next_documents", "≤ 15 ms", lambda: catalog.batches.next_documents(batch, f"page-{next(pages)}", 16)),
        ("tally", "", lambda: catalog.batches.tally(batch)),
        ("undispatched", "", lambda: catalog.intake.undispatched(100)),
        ("undispatched batches", "", catalog.batches.undispatched),
        ("pending", "", catalog.intake.pending),
        ("counts", "", lambda: catalog.knowledge_bases.counts([large, batched])),
        ("page", "", lambda: catalog.documents.page(large, None, None, 100)),
        ("page, from the middle", "", lambda: catalog.documents.page(large, None, "a10150000", 100)),
        ("page of the failed", "", lambda: catalog.documents.page(large, "failed", None, 100)),
        ("page of the batch", "", lambda: catalog.documents.page(batched, None, None, 100, batch)),
        ("list by name", "≤ 50 ms", lambda: catalog.document_list.page(large, DocumentFilter(), "name")),
        ("list by change", "≤ 50 ms", lambda: catalog.document_list.page(large, DocumentFilter(), "updated_at")),
        ("list of a rare name", "≤ 300 ms", lambda: catalog.document_list.page(large, rare, "updated_at")),
        ("list of a frequent name", "≤ 300 ms", lambda: catalog.document_list.page(large, frequent, "bytes")),
        ("counts of a frequent name", "", lambda: catalog.document_list.counts(large, frequent)),
        ("an unchanged upload", "", upload),
    ]


@asynccontextmanager
async def _filled(url: str, documents: int, queued: int) -> AsyncIterator[tuple[Catalog, str, str, str]]:
    """A catalogue with ready documents in one knowledge base, and queued ones of a batch in another."""
    catalog = Catalog(url)
    large = (await catalog.knowledge_bases.create("large", "", "", Chunking(), "ann")).id
    batched = (await catalog.knowledge_bases.create("batched", "", "", Chunking(), "ann")).id
    batch = (await catalog.batches.create(batched, "files", 8, "ann", closed=True)).id
    say(f"filling {url.partition(':')[0]} with {documents:,} ready and {queued:,} queued documents")
    at = (  # a second apart
        "TIMESTAMP WITH TIME ZONE '2026-01-01 00:00:00+00' + i * INTERVAL '1 second'"
        if url.startswith("postgresql")
        else "strftime('%Y-%m-%d %H:%M:%S.000000', '2026-01-01', i || ' seconds')"
    )
    ready = {"prefix": "'a'", "kb": f"'{large}'", "batch": "NULL", "state": "'ready'", "n": str(documents), "at": at,
             "live": "1", "published": at}  # fmt: skip
    waiting = {"prefix": "'b'", "kb": f"'{batched}'", "batch": f"'{batch}'", "state": "'queued'", "n": str(queued),
               "live": "CAST(NULL AS INTEGER)", "published": "CAST(NULL AS TIMESTAMP)"}  # fmt: skip
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for values in (ready, ready | waiting):
            for statement in (DOCUMENTS, VERSIONS):
                await connection.exec_driver_sql(_with_values(statement, values))
    await engine.dispose()
    await catalog.analyze()
    try:
        yield catalog, large, batched, batch
    finally:
        await catalog.close()


def _with_values(statement: str, values: dict[str, str]) -> str:
    """The statement with SQL expressions in the places of its parameters."""
    return re.sub(r":(\w+)", lambda name: values[name[1]], statement)
