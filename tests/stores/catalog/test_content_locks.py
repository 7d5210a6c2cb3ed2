"""Locks on contents: bytes are never accepted and removed at the same time."""

from __future__ import annotations

import asyncio

import pytest

from activities.contracts.deletion import RemoveInput
from activities.errors import ContentBeingRemoved
from activities.ingest.deletion import DeletionActivities
from activities.settings import Settings
from activities.stores.blob_keys import original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.milvus import Milvus
from tests.stores.catalog.conftest import ONE, TWO, accepted


async def test_shared_content_is_not_removed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The blobs stay while any version of another document has them; the last document's removal takes them."""
    one, two = await accepted(catalog, kb, "a.pdf"), await accepted(catalog, kb, "b.pdf")
    await catalog.documents.accept(kb.id, "b.pdf", TWO, 7, "ann")
    await catalog.documents.delete(one, "ann")
    assert not await catalog.content_locks.begin_removal(ONE, one)
    await catalog.documents.remove(one)
    await catalog.documents.delete(two, "ann")
    assert await catalog.content_locks.begin_removal(ONE, two)
    assert await catalog.content_locks.begin_removal(TWO, two)


async def test_content_is_not_taken_in_while_it_is_being_removed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """An upload of the same bytes is refused until the removal ends; a repeated removal may continue."""
    id = await accepted(catalog, kb)
    await catalog.documents.delete(id, "ann")
    assert await catalog.content_locks.begin_removal(ONE, id)
    assert await catalog.content_locks.begin_removal(ONE, id)
    with pytest.raises(ContentBeingRemoved):
        await catalog.documents.accept(kb.id, "b.pdf", ONE, 7, "ann")
    assert await catalog.documents.page(kb.id, None, None, 9) == []
    await catalog.content_locks.end_removal(ONE)
    await catalog.content_locks.end_removal(ONE)
    assert (await catalog.documents.accept(kb.id, "b.pdf", ONE, 7, "ann")).created


async def test_an_upload_and_a_removal_at_once_never_lose_bytes(settings: Settings, kb: KnowledgeBase) -> None:
    """The first wins: accepted bytes are not removed, and bytes under removal are not accepted."""
    one, two = Catalog(settings.catalog_url), Catalog(settings.catalog_url)
    for n in range(5):
        sha256 = str(n) * 64
        id = await accepted(one, kb, "old.pdf", sha256)
        await one.documents.delete(id, "ann")
        removing, taken = await asyncio.gather(
            one.content_locks.begin_removal(sha256, id),
            two.documents.accept(kb.id, f"{n}.pdf", sha256, 7, "ann"),
            return_exceptions=True,
        )
        assert isinstance(taken, ContentBeingRemoved) if removing is True else removing is False, (removing, taken)
        await one.documents.remove(id)
    await one.close()
    await two.close()


async def unload() -> None:
    """Only knowledge bases have embedding models."""


async def test_the_last_of_equal_documents_takes_their_bytes(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """Two documents with the same content that are deleted at the same time leave no bytes."""
    blobs = Blobs(settings.blobs_url)
    milvus = Milvus(settings.milvus)  # not called: the rows are purged already
    removing = DeletionActivities(blobs, milvus, catalog, unload)
    for n in range(6):  # the order of the steps is random
        sha256 = str(n) * 64
        await blobs.put(original_key(sha256), b"personal")
        ids = [await accepted(catalog, kb, name, sha256) for name in ("a.pdf", "b.pdf")]
        for id in ids:
            await catalog.documents.delete(id, "ann")
        await asyncio.gather(*(removing.remove_document(RemoveInput(document_id=id)) for id in ids))
        assert await blobs.list("originals") == []
        again = await catalog.documents.accept(kb.id, f"{n}.pdf", sha256, 8, "ann")
        assert again.created
    await milvus.close()


async def test_a_content_is_removed_by_one_and_only_if_it_is_unused(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A second removal, or an upload meanwhile, is refused; an archive that is being unpacked is in use."""
    assert await catalog.content_locks.begin_stray_removal(ONE, "a" * 32)
    assert await catalog.content_locks.begin_stray_removal(ONE, "a" * 32)
    assert not await catalog.content_locks.begin_stray_removal(ONE, "b" * 32)
    with pytest.raises(ContentBeingRemoved):
        await accepted(catalog, kb)
    with pytest.raises(ContentBeingRemoved):
        await catalog.batches.create(kb.id, "a.zip", 1, "ann", closed=True, archive_sha256=ONE)
    await catalog.content_locks.end_removal(ONE)
    id = await accepted(catalog, kb)
    assert not await catalog.content_locks.begin_stray_removal(ONE, "a" * 32)
    await catalog.documents.delete(id, "ann")
    assert not await catalog.content_locks.begin_stray_removal(ONE, "a" * 32)  # the document's deletion removes it
    batch = await catalog.batches.create(kb.id, "a.zip", 1, "ann", closed=True, archive_sha256=TWO)
    assert not await catalog.content_locks.begin_stray_removal(TWO, "a" * 32)
    await catalog.batches.record_state(batch.id, "ready")
    assert await catalog.content_locks.begin_stray_removal(TWO, "a" * 32)
