"""The catalogue's engine: transactions, and the table that translates the database's errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from activities.errors import CatalogUnavailable, first_line
from activities.stores.catalog.tables import AuditRow

#: How long a writer waits for another on SQLite, in seconds.
SQLITE_BUSY_SECONDS = 15

#: Pages of the write-ahead log after which a commit moves them into the database (SQLite's own default).
SQLITE_CHECKPOINT_PAGES = 1000

#: PostgreSQL's classes of errors that an operator mends and work waits for: connection, resources, shutdown or
#: start-up, sign-in, missing database.
DOWN = ("08", "53", "57P", "28", "3D")


Session = TypeVar("Session", bound=AsyncSession)


class Transaction(AsyncSession):
    """A session that writes: what it does and the audit trail of it are committed together, or not at all."""

    def audit(
        self, actor: str, action: str, knowledge_base_id: str | None, object_id: str | None, **detail: object
    ) -> None:
        """Note that ``actor`` did ``action`` to the object, in a knowledge base if it belongs to one."""
        self.add(
            AuditRow(
                actor=actor,
                action=action,
                knowledge_base_id=knowledge_base_id,
                object_id=object_id,
                detail=dict(detail) or None,
            )
        )


class Engine:
    """Short transactions on the catalogue: ``read()`` sees one state, ``write()`` commits or changes nothing."""

    def __init__(self, url: str, *, checkpoints: bool = True) -> None:
        """``checkpoints`` is False where somebody waits for the commit: another process moves SQLite's log then."""
        self._engine: AsyncEngine = create_async_engine(url, pool_pre_ping=not url.startswith("sqlite"))
        if self._engine.dialect.name == "sqlite":
            _prepare_sqlite(self._engine, checkpoints)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session whose reads see one consistent state."""
        async with self._session(AsyncSession, read_only=True) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end, and rolled back by any exception.

        Raises sqlalchemy's IntegrityError when two writers meet: the caller decides what that means.
        """
        async with self._session(Transaction, read_only=False) as transaction:
            yield transaction
            await transaction.commit()

    @asynccontextmanager
    async def _session(self, kind: type[Session], *, read_only: bool) -> AsyncIterator[Session]:
        engine = self._engine.execution_options(read_only=read_only)
        try:
            async with kind(engine, expire_on_commit=False) as session:
                yield session
        except IntegrityError:
            raise
        except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as exc:
            raise CatalogUnavailable(detail=first_line(getattr(exc, "orig", None) or exc)) from exc
        except DBAPIError as exc:
            if exc.connection_invalidated or _sqlstate(exc).startswith(DOWN):
                raise CatalogUnavailable(detail=first_line(getattr(exc, "orig", None) or exc)) from exc
            raise

    async def ping(self) -> None:
        """Raise CatalogUnavailable unless the database answers."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give all connections back."""
        await self._engine.dispose()


def _sqlstate(exc: DBAPIError) -> str:
    return str(getattr(exc.orig, "sqlstate", None) or "")


def _prepare_sqlite(engine: AsyncEngine, checkpoints: bool) -> None:
    """Readers never wait for writers (WAL), and a writer takes its lock at once instead of failing midway."""

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={SQLITE_BUSY_SECONDS * 1000}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"wal_autocheckpoint={SQLITE_CHECKPOINT_PAGES if checkpoints else 0}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
