"""Compares the revision of the catalogue's tables with that of the code. Loads nothing of Alembic."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sqlalchemy import text

from activities.errors import CatalogNotMigrated, CatalogUnavailable
from activities.stores.catalog.engine import Engine

#: The revisions that this version of the code knows, oldest first: the beginnings of their files' names.
REVISIONS = sorted(file.name.split("_")[0] for file in Path(__file__).parent.glob("migrations/versions/[0-9]*.py"))


async def require_migrated(engine: Engine) -> None:
    """Raises CatalogNotMigrated while a database that responds has no tables, or those of an earlier revision.

    Revisions that this code does not know are later ones: processes of the earlier version run on until they are
    replaced.
    """
    found = None
    with suppress(CatalogUnavailable):  # there is no such table
        async with engine.read() as session:
            found = await session.scalar(text("SELECT version_num FROM alembic_version"))
    if found is None or found in REVISIONS[:-1]:
        raise CatalogNotMigrated(found=found or "–", needed=REVISIONS[-1])
