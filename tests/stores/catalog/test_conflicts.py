"""Concurrent transactions: they wait for each other in one order, and a conflict is repeated, not reported.

SQLite runs one write after the other. On PostgreSQL, a second connection plays the concurrent process: it holds a lock
until what is tested waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from activities.errors import CatalogUnavailable, NotFound
from activities.settings import Settings
from activities.stores.catalog import engine
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.engine import ATTEMPTS, TransactionConflict, repeats_conflicts
from activities.stores.catalog.records import RunProgress
from tests.conftest import assert_eventually
from tests.stores.catalog.conftest import ONE, TWO, accepted, created, publishing, sql


@pytest.fixture
async def catalog(postgresql_settings: Settings) -> AsyncIterator[Catalog]:
    """A catalogue on PostgreSQL."""
    catalog = Catalog(postgresql_settings.catalog_url)
    yield catalog
    await catalog.close()


@asynccontextmanager
async def other_process(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A transaction of a concurrent process; committed at the end unless before."""
    engine = create_async_engine(settings.catalog_url)
    async with engine.begin() as connection:
        yield connection
    await engine.dispose()


async def waiting(settings: Settings, count: int = 1) -> None:
    """Wait until as many transactions wait for a lock."""

    async def check() -> bool:
        blocked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(await sql(settings, blocked) == [(count,)])

    await assert_eventually(check, seconds=30, step=0.02)


async def first_of(*awaitables: Awaitable[object]) -> None:
    """Wait until one of them is done; the others go on, or are canceled if they are no tasks."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each, task in zip(awaitables, tasks, strict=True):
        if task is not each:
            task.cancel()
    await asyncio.gather(*(task for each, task in zip(awaitables, tasks, strict=True) if task is not each),
                         return_exceptions=True)  # fmt: skip


def note(document_id: str) -> RunProgress:
    """Progress of the first version of a document."""
    at = datetime.now(UTC) + timedelta(minutes=1)
    return RunProgress(document_id=document_id, version=1, at=at, state="running", stage="embed", done=1)


async def test_an_upload_during_the_deletion_of_its_knowledge_base_is_deleted_with_it(
    postgresql_settings: Settings, catalog: Catalog
) -> None:
    """The deletion waits for it; an upload after the deletion finds no knowledge base."""
    kb = await created(catalog, "handbook")
    await accepted(catalog, kb)
    async with other_process(postgresql_settings) as other:
        await other.execute(text(f"SELECT * FROM contents WHERE sha256 = '{ONE}' FOR UPDATE"))
        upload = asyncio.create_task(accepted(catalog, kb, "b.pdf"))
        await waiting(postgresql_settings)
        deletion = asyncio.create_task(catalog.knowledge_bases.delete(kb.name, "ann"))
        await first_of(deletion, waiting(postgresql_settings, 2))
    await asyncio.gather(upload, deletion)
    assert await sql(postgresql_settings, "SELECT count(*) FROM documents WHERE deleted_at IS NULL") == [(0,)]
    with pytest.raises(NotFound):
        await accepted(catalog, kb, "c.pdf")


async def test_a_batch_for_a_knowledge_base_that_is_being_deleted_is_refused(
    postgresql_settings: Settings, catalog: Catalog
) -> None:
    """It waits for the end of the deletion."""
    kb = await created(catalog, "handbook")
    async with other_process(postgresql_settings) as other:
        await other.execute(text("UPDATE knowledge_bases SET deleted_at = now()"))
        batch = asyncio.create_task(catalog.batches.create(kb.id, "files", 4, "ann", closed=False))
        await first_of(batch, waiting(postgresql_settings))
    with pytest.raises(NotFound):
        await batch


async def test_a_document_deleted_while_it_is_published_is_not_live(
    postgresql_settings: Settings, catalog: Catalog
) -> None:
    """The deletion sees the version that was published meanwhile, and withdraws it."""
    kb = await created(catalog, "handbook")
    id = await accepted(catalog, kb)
    async with other_process(postgresql_settings) as other:
        await other.execute(text("UPDATE documents SET live_version = 1"))
        deletion = asyncio.create_task(catalog.documents.delete(id, "ann"))
        await waiting(postgresql_settings)
    await deletion
    assert await sql(postgresql_settings, "SELECT live_version FROM documents") == [(None,)]


async def test_a_version_that_is_being_published_does_not_fail(postgresql_settings: Settings, catalog: Catalog) -> None:
    """Recording its failure waits, and then leaves it ready."""
    kb = await created(catalog, "handbook")
    id = await accepted(catalog, kb)
    async with other_process(postgresql_settings) as other:
        await other.execute(text("UPDATE versions SET state = 'ready', published_at = now()"))
        failure = asyncio.create_task(catalog.documents.finish(id, 1, "failed", CatalogUnavailable(detail="x").reason))
        await waiting(postgresql_settings)
    assert await failure
    assert (await catalog.documents.get(id)).state == "ready"


async def test_progress_is_written_in_one_order(postgresql_settings: Settings, catalog: Catalog) -> None:
    """Two workers that write the same versions wait for each other instead of ending in a deadlock."""
    kb = await created(catalog, "handbook")
    first, second = sorted([await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf", TWO)])
    await catalog.intake.dispatched(await catalog.intake.undispatched(2))
    lock = "SELECT * FROM versions WHERE document_id = '{}' FOR UPDATE NOWAIT"
    async with other_process(postgresql_settings) as other:
        await other.execute(text(lock.format(first)))
        progress = asyncio.create_task(catalog.documents.record_progress([note(second), note(first)]))
        await waiting(postgresql_settings)
        await other.execute(text(lock.format(second)))  # raises if the other order had locked it
    await progress
    assert [each.done for each in await catalog.documents.many([first, second])] == [1, 1]


async def test_the_victim_of_a_deadlock_tries_again(postgresql_settings: Settings, catalog: Catalog) -> None:
    """PostgreSQL ends one of the transactions; it is repeated after the other one."""
    kb = await created(catalog, "handbook")
    first, second = sorted([await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf", TWO)])
    await catalog.intake.dispatched(await catalog.intake.undispatched(2))
    lock = "SELECT * FROM versions WHERE document_id = '{}' FOR UPDATE"
    async with other_process(postgresql_settings) as other:
        await other.execute(text("SET deadlock_timeout = '1h'"))  # so that it is not the victim
        await other.execute(text(lock.format(second)))
        progress = asyncio.create_task(catalog.documents.record_progress([note(first), note(second)]))
        await waiting(postgresql_settings)
        await other.execute(text(lock.format(first)))
    await progress
    assert [each.done for each in await catalog.documents.many([first, second])] == [1, 1]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (TransactionConflict("deadlock detected"), CatalogUnavailable),
        (IntegrityError("INSERT", {}, Exception("duplicate key")), IntegrityError),
    ],
)
async def test_a_conflict_is_repeated_so_many_times(error: Exception, raised: type[Exception]) -> None:
    """Then it is raised; any other error is raised at once."""

    @repeats_conflicts
    class Subject:
        calls = 0

        async def change(self, error: Exception) -> None:
            self.calls += 1
            raise error

    subject = Subject()
    with pytest.raises(raised):
        await subject.change(error)
    assert subject.calls == ATTEMPTS
    for other in (DBAPIError("UPDATE", {}, Exception("value too long")), NotFound(kind="document", id="x")):
        subject.calls = 0
        with pytest.raises(type(other)):
            await subject.change(other)
        assert subject.calls == 1


async def test_every_subject_of_the_catalogue_repeats_conflicts(catalog: Catalog) -> None:
    """Each public coroutine method is wrapped."""
    subjects = [subject for name, subject in vars(catalog).items() if not name.startswith("_")]
    methods = [
        method
        for subject in subjects
        for name, method in vars(type(subject)).items()
        if asyncio.iscoroutinefunction(method) and not name.startswith("_")
    ]
    assert methods
    assert [method.__qualname__ for method in methods if not hasattr(method, "__wrapped__")] == []


async def test_a_connection_names_its_process(postgresql_settings: Settings, catalog: Catalog) -> None:
    """Whoever holds a lock can be found; a pool opens no more connections than allowed."""
    mine = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'holdfast %'"
    await catalog.ping()
    (named,) = await sql(postgresql_settings, f"SELECT application_name {mine}")
    assert named[0].startswith("holdfast ")
    few = Catalog(postgresql_settings.catalog_url, connections=2)
    await asyncio.gather(*(few.ping() for _ in range(20)))
    assert (await sql(postgresql_settings, f"SELECT count(*) {mine}"))[0][0] <= 1 + 2
    await few.close()


async def test_a_server_that_hangs_is_an_outage(
    postgresql_settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that gets no answer ends, with its connection; the next one is answered."""
    monkeypatch.setattr(engine, "STATEMENT_SECONDS", 0.5)
    hanging = engine.Engine(postgresql_settings.catalog_url)
    with pytest.raises(CatalogUnavailable, match="no answer in time"):
        async with hanging.read() as session:
            await session.execute(text("SELECT pg_sleep(30)"))
    await hanging.ping()
    await hanging.close()


async def test_publishing_after_a_deletion_is_refused(postgresql_settings: Settings, catalog: Catalog) -> None:
    """The other order of the same two transactions."""
    kb = await created(catalog, "handbook")
    id = await accepted(catalog, kb)
    async with other_process(postgresql_settings) as other:
        await other.execute(text("UPDATE documents SET deleted_at = now(), live_version = NULL"))
        publication = asyncio.create_task(catalog.documents.publish(publishing(id, 1)))
        await waiting(postgresql_settings)
    assert not (await publication).live
