"""Unpacking goes on where it was cut off, and leaves alone what became of the documents since."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.batches import UnpackInput
from activities.contracts.documents import Chunking
from activities.errors import NotFound
from activities.ingest.unpack import GROUP, UnpackActivities
from activities.runtime.lanes import Lane
from activities.settings import load
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import Document

FILES = GROUP * 2 + 3


def archive() -> bytes:
    """A zip archive of more files than are accepted at once."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for n in range(FILES):
            made.writestr(f"{n:03}.txt", f"Text number {n}.")
    return target.getvalue()


class Archive:
    """An uploaded archive, and its batch."""

    def __init__(self, folder: Path) -> None:
        self.settings = load({"HOLDFAST_DATA": str(folder / "data")})
        self.blobs, self.content = Blobs((folder / "blobs").as_uri()), archive()
        self.sha256 = hashlib.sha256(self.content).hexdigest()

    async def open(self) -> None:
        """Store it, and accept it as a batch."""
        await upgrade(self.settings)
        self.catalog = Catalog(self.settings.catalog_url)
        await self.blobs.put(original_key(self.sha256), self.content)
        self.kb = await self.catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")
        self.batch = await self.catalog.batches.create(
            self.kb.id, "files.zip", 4, "ann", closed=True, archive_sha256=self.sha256
        )

    async def unpack(self) -> None:
        """Run the activity."""
        activities = UnpackActivities(self.blobs, self.catalog, self.settings.parse, Lane(2))
        input = UnpackInput(
            batch_id=self.batch.id, knowledge_base_id=self.kb.id, sha256=self.sha256, actor=self.batch.actor
        )
        await ActivityEnvironment().run(activities.unpack, input)

    async def documents(self) -> dict[str, Document]:
        """All documents by name."""
        return {each.name: each for each in await self.catalog.documents.page(self.kb.id, None, None, 1000)}

    async def change(self) -> None:
        """Delete the first document, and replace the second."""
        found = await self.documents()
        await self.catalog.documents.delete(found["000.txt"].id, "ada")
        await self.catalog.documents.remove(found["000.txt"].id)
        await self.catalog.documents.accept(self.kb.id, "001.txt", "2" * 64, 7, "ada")

    async def check(self) -> None:
        """The changes are as they were made, and everything else is there once."""
        found = await self.documents()
        assert "000.txt" not in found
        assert (found["001.txt"].version, found["001.txt"].sha256) == (2, "2" * 64)
        assert len(found) == FILES - 1
        assert {each.version for each in found.values() if each.name != "001.txt"} == {1}


@pytest.fixture
async def archived(tmp_path: Path) -> AsyncIterator[Archive]:
    """An uploaded archive."""
    found = Archive(tmp_path)
    await found.open()
    yield found
    await found.catalog.close()


async def test_an_archive_is_not_unpacked_again(archived: Archive) -> None:
    """Not even if it is asked for: deleted files stay deleted, and newer versions stay."""
    await archived.unpack()
    assert (await archived.catalog.batches.get(archived.batch.id)).unpacked
    await archived.change()
    await archived.blobs.delete(original_key(archived.sha256))
    await archived.unpack()
    await archived.check()


async def test_unpacking_goes_on_where_it_was_cut_off(archived: Archive) -> None:
    """What was accepted before is not accepted again."""
    running = asyncio.create_task(archived.unpack())
    while (await archived.catalog.batches.get(archived.batch.id)).unpacked_files < GROUP:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await archived.change()
    await archived.unpack()
    await archived.check()


async def test_an_archive_that_is_gone_is_named(archived: Archive) -> None:
    """The archive of a batch that has ended may have been removed."""
    await archived.blobs.delete(original_key(archived.sha256))
    with pytest.raises(NotFound, match=r"files\.zip"):
        await archived.unpack()
