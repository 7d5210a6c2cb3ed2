"""The catalogue's engine: transactions, and the translation of database errors."""

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

#: Time that a SQLite writer waits for another one, in seconds.
SQLITE_BUSY_SECONDS = 15

#: Pages of the write-ahead log after which a commit moves them into the database (SQLite's own default).
SQLITE_CHECKPOINT_PAGES = 1000

#: PostgreSQL error classes that mean an outage and are retried: connection, resources, shutdown or start-up,
#: authentication, missing database, and tables of another version, while `holdfast migrate` has yet to run.
DOWN = ("08", "53", "57P", "28", "3D", "42P01", "42703")


Session = TypeVar("Session", bound=AsyncSession)


class Transaction(AsyncSession):
    """A session for writes: changes and their audit events are committed together, or not at all."""

    def audit(
        self, actor: str, action: str, knowledge_base_id: str | None, object_id: str | None, **detail: object
    ) -> None:
        """Adds an audit event: ``actor`` did ``action`` to the object, which may belong to a knowledge base."""
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
    """Short transactions on the catalogue: ``read()`` is consistent, ``write()`` commits or rolls back as a whole."""

    def __init__(self, url: str, *, checkpoints: bool = True) -> None:
        """``checkpoints`` False keeps SQLite checkpoints out of commits; another process then makes them."""
        self._engine: AsyncEngine = create_async_engine(url, pool_pre_ping=not url.startswith("sqlite"))
        if self._engine.dialect.name == "sqlite":
            _prepare_sqlite(self._engine, checkpoints)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A read-only session with a consistent view of the database."""
        async with self._session(AsyncSession, read_only=True) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end, and rolled back by any exception.

        Raises SQLAlchemy's IntegrityError when concurrent writers conflict; the caller handles it.
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
        """Raises CatalogUnavailable unless the database responds."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Closes all connections."""
        await self._engine.dispose()


def _sqlstate(exc: DBAPIError) -> str:
    return str(getattr(exc.orig, "sqlstate", None) or "")


def _prepare_sqlite(engine: AsyncEngine, checkpoints: bool) -> None:
    """Configures SQLite: WAL, so that readers never wait for writers, and BEGIN IMMEDIATE for writes.

    A writer thus takes its lock at the start, instead of failing midway.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # ``begin`` below emits BEGIN instead of the driver
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
