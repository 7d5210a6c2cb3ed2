"""Consistent copies of the databases while others write to them.

Temporal's SQLite file and the catalogue are pinned one after the other, within a millisecond, and copied afterwards.
Temporal first: what it has not recorded yet is done again, as after a crash, while a step that it knows as done and
whose effect the catalogue lacks would never be done.

The catalogue on PostgreSQL is copied with COPY in one transaction, as CSV: pg_dump would have to be there, in a version
that is not older than the server's.
"""

from __future__ import annotations

import asyncio
import csv
import errno
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from alembic import command
from asyncpg import PostgresError
from sqlalchemy import MetaData, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from activities.errors import first_line
from activities.settings import Settings
from activities.stores.catalog.migrate import alembic_config
from activities.stores.catalog.revision import REVISIONS
from api.backup.manifest import Database
from api.client.problems import Problem

#: What a person can compare with a look at the platform.
COUNTED = ("knowledge_bases", "documents", "versions", "questions", "audit_events")

#: The catalogue's part in a backup if it is on SQLite, and what its parts' names begin with on PostgreSQL.
CATALOGUE, TABLES = "catalog.db", "catalog/"

#: The table with the platform's id, which a restored copy does not keep.
PLATFORM = "platform"

REVISION = "SELECT version_num FROM alembic_version"

#: Lets each generated number go on after the greatest that is there.
SEQUENCES = """
DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT table_name, column_name, pg_get_serial_sequence(quote_ident(table_name), column_name) AS sequence
        FROM information_schema.columns WHERE table_schema = current_schema()
    LOOP
        IF each.sequence IS NOT NULL THEN
            EXECUTE format('SELECT setval(%L, (SELECT coalesce(max(%I), 0) + 1 FROM %I), false)',
                each.sequence, each.column_name, each.table_name);
        END IF;
    END LOOP;
END $$
"""

#: Takes a copy: its name in the backup, and how it is written to a file.
Add = Callable[[str, Path], None]


class Pinned(Protocol):
    """A database as it is at one moment, whatever others write to it."""

    async def revision(self) -> str:
        """The revision of the catalogue's tables."""

    async def counts(self) -> dict[str, int]:
        """Rows by table."""

    async def copy(self, scratch: Path, add: Add) -> None:
        """Writes its parts into ``scratch`` and adds each."""


class PinnedFile:
    """A SQLite file, copied by SQLite's online backup. Its writers do not wait: it is in WAL mode."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection, self._name = connection, name

    async def revision(self) -> str:
        """See ``Pinned``."""
        return str(self._connection.execute(REVISION).fetchone()[0])

    async def counts(self) -> dict[str, int]:
        """See ``Pinned``."""
        rows = {table: self._connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in COUNTED}  # noqa: S608
        return {table: int(row[0]) for table, row in rows.items()}

    async def copy(self, scratch: Path, add: Add) -> None:
        """See ``Pinned``."""
        file = scratch / self._name
        try:
            with closing(sqlite3.connect(file)) as copy:
                self._connection.backup(copy)  # within the transaction of the pin
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise OSError(errno.ENOSPC, str(exc)) from exc
            raise
        add(self._name, file)


@contextmanager
def pinned_file(path: Path, name: str) -> Iterator[PinnedFile]:
    """Pins a SQLite file, which gets ``name`` in the backup. Raises Problem."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield PinnedFile(connection, name)
    except sqlite3.Error as exc:
        raise Problem("unreadable", path=path, detail=exc) from exc


class PinnedTables:
    """The catalogue on PostgreSQL, in a transaction that sees one state of it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def revision(self) -> str:
        """See ``Pinned``."""
        return str(await self._connection.scalar(text(REVISION)))

    async def counts(self) -> dict[str, int]:
        """See ``Pinned``."""
        rows = {table: await self._connection.scalar(text(f"SELECT count(*) FROM {table}")) for table in COUNTED}  # noqa: S608
        return {table: int(count or 0) for table, count in rows.items()}

    async def copy(self, scratch: Path, add: Add) -> None:
        """A CSV file for each table, numbered so that none refers to a later one."""
        driver = await _driver(self._connection)
        for number, table in enumerate(await tables_of(self._connection)):
            file = scratch / f"{table}.csv"
            await driver.copy_from_table(table, output=file, format="csv", header=True)
            add(f"{TABLES}{number:03}-{table}.csv", file)


@asynccontextmanager
async def pinned_catalogue(settings: Settings) -> AsyncIterator[PinnedFile | PinnedTables]:
    """Pins the catalogue. Raises Problem."""
    file = sqlite_file(settings)
    if file is not None:
        if not file.exists():
            raise Problem("backup.nothing", path=settings.data_dir)
        with pinned_file(file, CATALOGUE) as pinned:
            yield pinned
        return
    engine = create_async_engine(settings.catalog_url, isolation_level="REPEATABLE READ", hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            yield PinnedTables(connection)
    except (OSError, DBAPIError) as exc:
        raise Problem("no-database", detail=first_line(exc)) from exc
    finally:
        await engine.dispose()


def database_of(settings: Settings) -> Database:
    """The kind of the catalogue's database."""
    return "sqlite" if make_url(settings.catalog_url).get_backend_name() == "sqlite" else "postgresql"


def sqlite_file(settings: Settings) -> Path | None:
    """The catalogue's file; None if it is on PostgreSQL."""
    url = make_url(settings.catalog_url)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


async def load_tables(settings: Settings, revision: str, files: Sequence[Path]) -> None:
    """Replaces what the catalogue on PostgreSQL holds by these CSV files, in one transaction. Raises Problem.

    Each file's name ends with that of its table, as ``PinnedTables`` has named it.
    """
    engine = create_async_engine(settings.catalog_url, hide_parameters=True)
    try:
        await asyncio.to_thread(_migrate, settings.catalog_url, revision, await _revision_at(engine))
        async with engine.begin() as connection:
            tables = await tables_of(connection)
            await connection.execute(text(f"TRUNCATE {', '.join(tables)} CASCADE"))
            driver = await _driver(connection)
            for file in files:
                with file.open("rb") as content:
                    columns = csv.reader([content.readline().decode()]).__next__()
                    content.seek(0)
                    await driver.copy_to_table(
                        file.stem.partition("-")[2], source=content, columns=columns, format="csv", header=True
                    )
            await connection.execute(text(SEQUENCES))
            if PLATFORM in tables:
                await connection.execute(text(f"DELETE FROM {PLATFORM}"))  # noqa: S608
    except (OSError, DBAPIError, PostgresError) as exc:
        raise Problem("no-database", detail=first_line(exc)) from exc
    finally:
        await engine.dispose()


def forget_platform(file: Path) -> None:
    """Makes a copy of the catalogue on SQLite one of no platform: its next start gets an id of its own."""
    with closing(sqlite3.connect(file)) as copy, copy:
        if copy.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (PLATFORM,)).fetchone():
            copy.execute(f"DELETE FROM {PLATFORM}")  # noqa: S608


async def holds_tables(settings: Settings) -> bool:
    """Whether the database of a catalogue on PostgreSQL has tables of ours. Raises Problem."""
    engine = create_async_engine(settings.catalog_url, hide_parameters=True)
    try:
        return await _revision_at(engine) is not None
    except (OSError, DBAPIError) as exc:
        raise Problem("no-database", detail=first_line(exc)) from exc
    finally:
        await engine.dispose()


async def _revision_at(engine: AsyncEngine) -> str | None:
    async with engine.connect() as connection:
        if "alembic_version" not in await tables_of(connection):
            return None
        return str(await connection.scalar(text(REVISION)))


def _migrate(url: str, revision: str, found: str | None) -> None:
    """Brings the tables to exactly this revision."""
    config = alembic_config(url)
    newer = found in REVISIONS and REVISIONS.index(str(found)) > REVISIONS.index(revision)
    (command.downgrade if newer else command.upgrade)(config, revision)


async def tables_of(connection: AsyncConnection) -> list[str]:
    """The catalogue's tables, each after those that it refers to."""

    def read(sync: Any) -> list[str]:
        found = MetaData()
        found.reflect(sync)
        return [table.name for table in found.sorted_tables]

    return await connection.run_sync(read)


async def _driver(connection: AsyncConnection) -> Any:
    """The connection of asyncpg, within the same transaction."""
    return (await connection.get_raw_connection()).driver_connection
