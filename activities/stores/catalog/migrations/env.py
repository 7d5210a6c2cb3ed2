"""Alembic's entry point: runs the migrations on the catalogue, or prints their SQL (``--sql``)."""

from __future__ import annotations

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, event, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from activities.stores.catalog.people.tables import UserRow

#: Time that a migration of SQLite waits for another one, in seconds.
BUSY_SECONDS = 600

#: Key of the advisory lock that a migration holds: of several at once, the others wait and find nothing left to do.
LOCK = 4_857_219_604


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=UserRow.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        context.run_migrations()


async def _online(url: str) -> None:
    engine = create_async_engine(url)
    if engine.dialect.name == "sqlite":
        _lock_at_the_start(engine)
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


def _lock_at_the_start(engine: AsyncEngine) -> None:
    """One transaction with SQLite's write lock, instead of a commit after each statement."""

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # ``begin`` below emits BEGIN instead of the driver
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


url = context.config.attributes["url"]
if context.is_offline_mode():
    context.configure(url=url, target_metadata=UserRow.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(_online(url))
