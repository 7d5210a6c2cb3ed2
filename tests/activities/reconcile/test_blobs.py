"""Unreferenced blobs, found in slices where the store lists its keys in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.reconcile import Discrepancies, ScanInput
from activities.reconcile import blobs as module
from activities.reconcile import slices
from activities.reconcile.blobs import KINDS, BlobRepairActivities
from activities.settings import ReconcileSettings, load
from activities.stores.blob_keys import chunks_key, digest, original_key, parsed_key, sources_key, vectors_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from tests.stores.catalog.conftest import MISSING, ONE, created, publishing


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """A folder, whose listings are not ordered, and a store whose listings are."""
    return Blobs((tmp_path / "blobs").as_uri() if request.param == "folder" else "memory:///")


def derived(sha256: str) -> tuple[str, str, str]:
    """Keys of a parsed document, of its chunks and of their vectors."""
    parsed = parsed_key(sha256, "p")
    chunks = chunks_key(parsed, "c")
    return parsed, chunks, vectors_key(chunks, "m")


async def scan(blobs: Blobs, catalog: Catalog, *, repair: bool) -> tuple[Discrepancies, int]:
    """What all slices find, and their number; the first kind is named, which leaves out the look at other runs."""
    look = BlobRepairActivities(blobs, catalog, ReconcileSettings()).repair_blobs
    found, number = Discrepancies(), 0
    after: str | None = KINDS[0]
    while after is not None:
        result = await ActivityEnvironment().run(look, ScanInput(repair=repair, grace_seconds=-60, after=after))
        found.merge(result.findings)
        after, number = result.next, number + 1
    return found, number


async def test_only_what_nothing_refers_to_is_removed(blobs: Blobs, catalog: Catalog) -> None:
    """Used blobs stay, and so do outputs of an ingestion that failed, whose source exists, for its retry."""
    kb = await created(catalog, "handbook")
    live = (await catalog.documents.accept(kb.id, "a", ONE, 7, "ann")).document.id
    parsed, chunks, vectors = derived(ONE)
    publication = msgspec.structs.replace(
        publishing(live, 1), parsed_key=parsed, chunks_key=chunks, vectors_key=vectors
    )
    await catalog.documents.publish(publication)
    other_chunks = chunks_key(parsed, "other")
    kept = [original_key(ONE), parsed, chunks, vectors, other_chunks, vectors_key(other_chunks, "m")]
    gone_content = [original_key("7" * 64), *derived("7" * 64)]
    orphans = [f"chunks/{MISSING}/c", f"vectors/{digest('chunks')}/m/all", sources_key(MISSING)]
    for key in kept + gone_content + orphans:
        await blobs.put(key, b"x")
    found, _ = await scan(blobs, catalog, repair=False)
    assert found.list()[0].count == 1 + len(orphans)
    await scan(blobs, catalog, repair=True)
    assert [key for key in kept if not await blobs.exists(key)] == []
    assert [key for key in gone_content + orphans if await blobs.exists(key)] == []
    assert (await scan(blobs, catalog, repair=True))[0].list() == []


async def test_orphans_wait_while_documents_are_pending(blobs: Blobs, catalog: Catalog) -> None:
    """A running ingestion may rely on them."""
    kb = await created(catalog, "handbook")
    await catalog.documents.accept(kb.id, "a", ONE, 7, "ann")
    await blobs.put(f"chunks/{MISSING}/c", b"x")
    assert (await scan(blobs, catalog, repair=True))[0].list() == []
    assert await blobs.exists(f"chunks/{MISSING}/c")


async def test_a_scan_goes_on_after_its_slice(blobs: Blobs, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice without time reads one page, or one kind where listings are not ordered; nothing is counted twice."""
    monkeypatch.setattr(slices, "SLICE_SECONDS", -1.0)
    monkeypatch.setattr(module, "MAX_SUSPECTS", 300)
    for number in range(1100):
        await blobs.put(f"chunks/{number:032x}/c", b"x")
    found, slices_used = await scan(blobs, catalog, repair=False)
    (discrepancy,) = found.list()
    assert discrepancy.count == 1100
    assert slices_used == len(KINDS) + (3 if blobs.is_ordered else 0)
