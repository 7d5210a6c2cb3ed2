"""The id of the platform whose catalogue this is. A copy of the catalogue that a restore makes gets another one."""

from __future__ import annotations

from sqlalchemy import select

from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.tables import PlatformRow, new_id

#: The key of the row.
ONLY = 1


@repeats_conflicts
class Platform:
    """One row, which is made when it is first asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def id(self) -> str:
        """The id (32 hexadecimal digits)."""
        async with self._engine.read() as session:
            found: str | None = await session.scalar(select(PlatformRow.id))
        if found is not None:
            return found
        async with self._engine.write() as session:
            session.add(PlatformRow(only=ONLY, id=(made := new_id())))
        return made
