"""The catalogue's engine: transactions, and the translation of database errors."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import FromClause, event, text
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import QueuePool

from activities.errors import CatalogUnavailable, first_line
from activities.phrases import Phrase
from activities.stores.catalog.audit.events import audit_row, name_objects
from activities.stores.catalog.tables import AuditRow
from activities.stores.deadline import waiting_for

#: Time that a SQLite writer waits for another one, in seconds.
SQLITE_BUSY_SECONDS = 15

#: Connections to SQLite that SQLAlchemy opens at most.
SQLITE_CONNECTIONS = 15

#: Pages of the write-ahead log after which a commit moves them into the database (SQLite's own default).
SQLITE_CHECKPOINT_PAGES = 1000

#: PostgreSQL error classes that mean an outage and are retried: connection, resources, shutdown or start-up,
#: authentication, missing database, and tables of another version, while `holdfast migrate` has yet to run.
DOWN = ("08", "53", "57P", "28", "3D", "42P01", "42703")

#: Connections to PostgreSQL that stay open when idle, and the time that a new one and a statement may take, in seconds:
#: a server that hangs, or whose machine is gone, closes no connection.
KEPT_CONNECTIONS = 5
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 60

#: PostgreSQL errors that end a transaction in favour of a concurrent one: serialization failure and deadlock.
CONFLICTS = ("40001", "40P01")

#: Attempts at a transaction that conflicts with concurrent ones, and the longest wait before the second, in seconds;
#: it doubles with every attempt.
ATTEMPTS = 5
CONFLICT_SECONDS = 0.05

Session = TypeVar("Session", bound=AsyncSession)
Subject = TypeVar("Subject")
P = ParamSpec("P")
T = TypeVar("T")


class TransactionConflict(Exception):
    """PostgreSQL ended the transaction in favour of a concurrent one."""


def repeats_conflicts(subject: type[Subject]) -> type[Subject]:
    """Class decorator: a public method whose transaction conflicts with a concurrent one is called again.

    A conflict is a deadlock, a serialization failure, or a row that the other transaction created first. The methods
    change nothing but the database, in one transaction, so that a call that failed has changed nothing. Raises
    CatalogUnavailable or the IntegrityError after ATTEMPTS.
    """
    for name, method in vars(subject).items():
        if inspect.iscoroutinefunction(method) and not name.startswith("_"):
            setattr(subject, name, _repeated(method))
    return subject


def _repeated(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    @functools.wraps(method)
    async def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        conflict: Exception = TransactionConflict()
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(random.uniform(0, CONFLICT_SECONDS * 2 ** (attempt - 1)))  # noqa: S311 - no secret
            try:
                return await method(*args, **kwargs)
            except (TransactionConflict, IntegrityError) as exc:
                conflict = exc
        if isinstance(conflict, IntegrityError):
            raise conflict
        raise CatalogUnavailable(detail=str(conflict)) from conflict

    return repeated


class HintingCompiler(SQLiteCompiler):
    """SQLite's statements with their hints ``INDEXED BY``, which SQLAlchemy's own compiler leaves out."""

    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        """The hint as it is."""
        return text


class Transaction(AsyncSession):
    """A session for writes: changes and their audit events are committed together, or not at all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._events: list[AuditRow] = []

    def audit(
        self, actor: str, action: str, knowledge_base_id: str | None, object_id: str | None, **detail: object
    ) -> None:
        """Adds an audit event: ``actor`` did ``action`` to the object, which may belong to a knowledge base."""
        self.record(audit_row(actor, action, knowledge_base_id, object_id, detail))

    def record(self, *events: AuditRow) -> None:
        """Adds audit events."""
        self._events += events

    async def conclude(self) -> None:
        """Commits the changes with their audit events."""
        if self._events:
            await name_objects(self, self._events)
            self.add_all(self._events)
        await self.commit()


class Engine:
    """Short transactions on the catalogue: ``read()`` is consistent, ``write()`` commits or rolls back as a whole."""

    def __init__(self, url: str, *, checkpoints: bool = True, connections: int = 15) -> None:
        """Connects on first use.

        ``checkpoints`` False keeps SQLite checkpoints out of commits; another process then makes them. ``connections``
        is the maximum number of connections to PostgreSQL.
        """
        self._most = connections
        if make_url(url).get_backend_name() == "sqlite":
            self._most = SQLITE_CONNECTIONS
            self._engine: AsyncEngine = create_async_engine(url, hide_parameters=True)
            _prepare_sqlite(self._engine, checkpoints)
            return
        kept = min(KEPT_CONNECTIONS, connections)
        name = f"holdfast {socket.gethostname()} {os.getpid()}"  # which process holds a lock, in pg_stat_activity
        self._engine = create_async_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=kept,
            max_overflow=connections - kept,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": STATEMENT_SECONDS,
                "server_settings": {"application_name": name},
            },
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self._engine.dialect.name == "sqlite"

    def connections(self) -> tuple[int, int]:
        """How many connections are in use, and how many there may be."""
        pool = self._engine.pool
        return (pool.checkedout(), self._most) if isinstance(pool, QueuePool) else (0, self._most)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A read-only session with a consistent view of the database."""
        async with self._session(AsyncSession, read_only=True) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end, and rolled back by any exception.

        Raises TransactionConflict or SQLAlchemy's IntegrityError when concurrent writers conflict; the first is always
        worth another attempt, and so is the second where it does not mean something to the caller.
        """
        async with self._session(Transaction, read_only=False) as transaction:
            yield transaction
            await transaction.conclude()

    @asynccontextmanager
    async def _session(self, kind: type[Session], *, read_only: bool) -> AsyncIterator[Session]:
        engine = self._engine.execution_options(read_only=read_only)
        try:
            with waiting_for(CatalogUnavailable):
                async with kind(engine, expire_on_commit=False) as session:
                    yield session
        except IntegrityError:
            raise
        except DBAPIError as exc:
            detail = first_line(exc.orig or exc)
            if _sqlstate(exc) in CONFLICTS:
                raise TransactionConflict(detail) from exc
            down = isinstance(exc, (OperationalError, InterfaceError)) or _sqlstate(exc).startswith(DOWN)
            if down or exc.connection_invalidated:
                raise CatalogUnavailable(detail=detail) from exc
            raise
        except TimeoutError as exc:
            raise CatalogUnavailable(detail=Phrase.NO_ANSWER) from exc
        except OSError as exc:
            raise CatalogUnavailable(detail=Phrase.NO_CONNECTION) from exc
        except PoolTimeoutError as exc:
            raise CatalogUnavailable(detail=first_line(exc)) from exc

    async def ping(self) -> None:
        """Raises CatalogUnavailable unless the database responds."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def analyze(self) -> None:
        """Updates the statistics of all tables; PostgreSQL also does so by itself, SQLite never.

        SQLite takes a sample of each index, which takes milliseconds.
        """
        async with self.write() as transaction:
            if self.is_sqlite:
                await transaction.execute(text("PRAGMA analysis_limit=1000"))
            await transaction.execute(text("ANALYZE"))

    async def close(self) -> None:
        """Closes all connections."""
        await self._engine.dispose()


def _sqlstate(exc: DBAPIError) -> str:
    return str(getattr(exc.orig, "sqlstate", None) or "")


def _prepare_sqlite(engine: AsyncEngine, checkpoints: bool) -> None:
    """Configures SQLite: WAL, so that readers never wait for writers, and BEGIN IMMEDIATE for writes.

    A writer thus takes its lock at the start, instead of failing midway.
    """

    engine.dialect.statement_compiler = HintingCompiler

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # ``begin`` below emits BEGIN instead of the driver
        connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
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


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value
