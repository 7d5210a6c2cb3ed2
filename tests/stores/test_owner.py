"""The owner of a file store: one platform, whoever comes first."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from activities.errors import BlobsUnavailable, FilesOfAnother
from activities.settings import Settings
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.owner import own, owner
from tests.stores.catalog.conftest import sql, sqlite_settings, sqlite_template

__all__ = ["sqlite_settings", "sqlite_template"]  # fixtures


async def test_a_store_has_one_owner(
    sqlite_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All processes of a platform are it; another platform, and a copy that a restore made, are refused."""
    blobs = Blobs((tmp_path / "files").as_uri())
    first, beside = Catalog(sqlite_settings.catalog_url), Catalog(sqlite_settings.catalog_url)
    assert await owner(blobs) is None
    await asyncio.gather(own(blobs, first), own(blobs, beside), own(blobs, first))
    assert await owner(blobs) == await beside.platform.id()
    await sql(sqlite_settings, "DELETE FROM platform")
    with pytest.raises(FilesOfAnother):
        await own(blobs, first)
    assert await owner(blobs) not in (None, await first.platform.id())
    await blobs.delete("owner")

    async def refuses(key: str, data: bytes) -> bool:
        raise BlobsUnavailable(detail="501 Not Implemented")

    monkeypatch.setattr(blobs, "create", refuses)
    await own(blobs, beside)
    assert await owner(blobs) == await first.platform.id()
    await first.close()
    await beside.close()
