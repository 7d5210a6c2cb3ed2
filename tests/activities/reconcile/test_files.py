"""Lost files: named, made again where that is possible, and never found where everything is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.reconcile import Discrepancy, ScanInput
from activities.reconcile.files import FileRepairActivities
from activities.settings import load
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from tests.stores.catalog.conftest import created, publishing

NAMES = ("whole", "no-original", "no-chunks", "no-vectors", "nothing")


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


async def published(catalog: Catalog, blobs: Blobs) -> dict[str, str]:
    """A live document of each name, with the files that its name leaves it; ids by name."""
    kb, ids = await created(catalog, "handbook"), {}
    for number, name in enumerate(NAMES):
        sha256 = str(number) * 64
        accepted = await catalog.documents.accept(kb.id, name, sha256, 7, "ann")
        ids[name] = accepted.document.id
        keys = {"original": original_key(sha256), "chunks": f"chunks/{number}/a", "vectors": f"vectors/{number}/a"}
        published = publishing(ids[name], 1)
        await catalog.documents.publish(
            msgspec.structs.replace(published, chunks_key=keys["chunks"], vectors_key=keys["vectors"])
        )
        for part, key in keys.items():
            if name != "nothing" and name != f"no-{part}":
                await blobs.put(key, b"x")
    return ids


async def scan(blobs: Blobs, catalog: Catalog, *, repair: bool, all_files: bool = True) -> dict[str, Discrepancy]:
    """What one scan finds, by kind."""
    look = FileRepairActivities(blobs, catalog).repair_files
    input = ScanInput(repair=repair, grace_seconds=0, all_files=all_files)
    return {each.kind: each for each in (await ActivityEnvironment().run(look, input)).findings}


@pytest.mark.parametrize("all_files", [True, False])
async def test_lost_files_are_named(catalog: Catalog, tmp_path: Path, all_files: bool) -> None:
    """Of a sample that is larger than what there is, as of all; without repair nothing changes."""
    blobs = Blobs((tmp_path / "blobs").as_uri())
    await published(catalog, blobs)
    for _ in range(2):
        found = await scan(blobs, catalog, repair=False, all_files=all_files)
        assert sorted(found["lost_originals"].examples) == [
            "handbook/no-original v1: original", "handbook/nothing v1: original, chunks, vectors",
        ]  # fmt: skip
        assert sorted(found["lost_passages"].examples) == [
            "handbook/no-chunks v1: chunks", "handbook/no-vectors v1: vectors",
            "handbook/nothing v1: original, chunks, vectors",
        ]  # fmt: skip
        assert {(each.mended, each.failed) for each in found.values()} == {(0, 0)}


async def test_what_can_be_made_again_is_queued(catalog: Catalog, tmp_path: Path) -> None:
    """From the original; where that is lost too, a repair fails. An upload of the same file ends the finding."""
    blobs = Blobs((tmp_path / "blobs").as_uri())
    ids = await published(catalog, blobs)
    found = await scan(blobs, catalog, repair=True)
    assert (found["lost_originals"].count, found["lost_originals"].failed) == (2, 2)
    assert (found["lost_passages"].mended, found["lost_passages"].failed) == (2, 1)
    queued = {each.document_id for each in await catalog.intake.undispatched(9)}
    assert queued == {ids["no-chunks"], ids["no-vectors"]}
    again = await scan(blobs, catalog, repair=True)  # the queued ones are being made again
    assert (again["lost_passages"].count, again["lost_passages"].failed) == (1, 1)
    await blobs.put(original_key("1" * 64), b"x")
    (example,) = (await scan(blobs, catalog, repair=False))["lost_originals"].examples
    assert example.startswith("handbook/nothing")
