"""Sources and syncs in the catalogue: whose a document is, and that a sync is begun once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activities.contracts.sync import RecordSyncInput
from activities.errors import HoldfastError, NameOfOther, NotFound, SourceNameTaken, SyncRuns
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Accepted, Document, KnowledgeBase, SourceFile, Upload
from activities.stores.catalog.source_records import NewSource, Source
from tests.stores.catalog.conftest import MISSING, ONE, TWO


async def made(catalog: Catalog, kb: KnowledgeBase, name: str = "docs") -> Source:
    """A source."""
    source = NewSource(
        knowledge_base_id=kb.id,
        name=name,
        kind="folder",
        location="/srv/docs",
        include=["*.md"],
        exclude=[],
        max_delete_share=0.2,
        tags=[],
    )
    return await catalog.sources.create(source, "ann")


async def took(
    catalog: Catalog, kb: KnowledgeBase, name: str, source: Source | None = None, sha256: str = ONE, **fields: Any
) -> Document | HoldfastError:
    """An upload by a person, or by a sync of a source."""
    file = SourceFile(source_id=source.id, stamp="1-1") if source else None
    upload = Upload(knowledge_base_id=kb.id, name=name, sha256=sha256, bytes=1, actor="ann", source_file=file, **fields)
    (answer,) = await catalog.intake.accept([upload])
    return answer.document if isinstance(answer, Accepted) else answer


async def names(catalog: Catalog, source: Source) -> list[str]:
    """The documents of a source by name."""
    return sorted(document.name for document in await catalog.sources.documents(source.id, "", 100))


async def test_a_document_belongs_to_its_source(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Another source, and a document of a person, are left alone; what a person uploads is theirs from then on."""
    docs, other = await made(catalog, kb), await made(catalog, kb, "other")
    await took(catalog, kb, "mine.md")
    await took(catalog, kb, "a.md", docs)
    await took(catalog, kb, "b.md", docs)
    for name, source in (("mine.md", docs), ("a.md", other)):
        assert isinstance(await took(catalog, kb, name, source, TWO), NameOfOther)
    assert (await names(catalog, docs), await names(catalog, other)) == (["a.md", "b.md"], [])
    assert await catalog.sources.taken(kb.id, {"a.md", "mine.md", "new.md"}, docs.id) == {"mine.md"}
    assert await catalog.sources.taken(kb.id, {"a.md", "mine.md", "new.md"}, other.id) == {"a.md", "mine.md"}
    await took(catalog, kb, "a.md")  # the same content
    await took(catalog, kb, "b.md", sha256=TWO)
    assert await names(catalog, docs) == []
    assert isinstance(await took(catalog, kb, "a.md", docs, TWO), NameOfOther)


async def test_only_a_document_of_the_source_is_deleted(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Twice is once; one that a person has taken over stays."""
    docs = await made(catalog, kb)
    gone, taken = await took(catalog, kb, "gone.md", docs), await took(catalog, kb, "taken.md", docs)
    assert isinstance(gone, Document)
    assert isinstance(taken, Document)
    await took(catalog, kb, "taken.md")
    for _ in range(2):
        assert await catalog.sources.delete_document(docs.id, gone.id, "ann")
    assert not await catalog.sources.delete_document(docs.id, taken.id, "ann")
    assert not await catalog.sources.delete_document(docs.id, MISSING, "ann")
    with pytest.raises(NotFound):
        await catalog.documents.get(gone.id)
    assert (await catalog.documents.get(taken.id)).name == "taken.md"
    events = [event.action for event in await catalog.audit.page(None, 100)]
    assert events.count("document.delete") == 1


async def test_a_stamp_is_recorded_for_documents_of_the_source(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A file was touched; the document's version is the same."""
    docs = await made(catalog, kb)
    document, mine = await took(catalog, kb, "a.md", docs), await took(catalog, kb, "mine.md")
    assert isinstance(document, Document)
    assert isinstance(mine, Document)
    await catalog.sources.stamp(docs.id, [(document.id, "1-2"), (mine.id, "1-2")])
    (found,) = await catalog.sources.documents(docs.id, "", 100)
    assert (found.stamp, found.sha256, found.bytes) == ("1-2", ONE, 1)
    assert await catalog.sources.documents(docs.id, document.id, 100) == []


async def test_a_sync_is_begun_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """At the same time, while one goes on, and for one occurrence; previews stand beside it."""
    docs = await made(catalog, kb)
    begun = await asyncio.gather(*(catalog.syncs.start(docs.id, "", "ann", preview=False) for _ in range(4)))
    (id,) = {sync.id for sync in begun}
    assert (await catalog.syncs.start(docs.id, "monday", "ann", preview=False)).id == id
    preview = await catalog.syncs.start(docs.id, "", "ann", preview=True)
    assert preview.id != id
    assert {sync.id for sync in await catalog.syncs.unfinished(preview.created_at.replace(year=9999))} == {
        id,
        preview.id,
    }
    await catalog.syncs.record(RecordSyncInput(sync_id=id, state="ready", applied={"added": 2}))
    monday = await catalog.syncs.start(docs.id, "monday", "ann", preview=False)
    assert monday.id != id
    await catalog.syncs.record(RecordSyncInput(sync_id=monday.id, state="failed"))
    assert (await catalog.syncs.start(docs.id, "monday", "ann", preview=False)).id == monday.id
    await catalog.syncs.record(RecordSyncInput(sync_id=monday.id, state="ready"))  # has ended: stays as it is
    found = await catalog.sources.get(docs.id)
    assert found.last_sync is not None
    assert (found.last_sync.id, found.last_sync.state) == (monday.id, "failed")
    assert [sync.id for sync in await catalog.syncs.page(docs.id, None, 10)] == [monday.id, preview.id, id]
    finished = [event.detail for event in await catalog.audit.page(None, 100, action="sync.finish")]
    assert {"state": "ready", "added": 2} in finished


async def test_a_batch_of_a_sync_is_followed_by_another_one(catalog: Catalog, kb: KnowledgeBase) -> None:
    """When it has closed itself because nothing came for a while."""
    docs = await made(catalog, kb)
    sync = await catalog.syncs.start(docs.id, "", "ann", preview=False)
    first = await catalog.syncs.open_batch(sync.id, "Sync docs", 4)
    assert await catalog.syncs.open_batch(sync.id, "Sync docs", 4) == first
    await catalog.batches.close(first)
    second = await catalog.syncs.open_batch(sync.id, "Sync docs", 4)
    assert second != first
    assert (await catalog.syncs.get(sync.id)).batch_id == second


async def test_a_source_that_is_removed_leaves_its_documents(catalog: Catalog, kb: KnowledgeBase) -> None:
    """They are a person's from then on; while it is synced it is not removed."""
    docs = await made(catalog, kb)
    document = await took(catalog, kb, "a.md", docs)
    assert isinstance(document, Document)
    sync = await catalog.syncs.start(docs.id, "", "ann", preview=False)
    with pytest.raises(SyncRuns):
        await catalog.sources.delete(docs.id, "ann")
    await catalog.syncs.record(RecordSyncInput(sync_id=sync.id, state="ready"))
    assert await catalog.sources.delete(docs.id, "ann") == 1
    for id in (docs.id, sync.id):
        with pytest.raises(NotFound):
            await (catalog.sources.get(id) if id == docs.id else catalog.syncs.get(id))
    assert (await catalog.documents.get(document.id)).name == "a.md"
    assert isinstance(await took(catalog, kb, "a.md", await made(catalog, kb), TWO), NameOfOther)


async def test_names_of_sources_differ(catalog: Catalog, kb: KnowledgeBase) -> None:
    """In a knowledge base, also after a change."""
    docs, other = await made(catalog, kb), await made(catalog, kb, "other")
    with pytest.raises(SourceNameTaken):
        await made(catalog, kb)
    with pytest.raises(SourceNameTaken):
        await catalog.sources.change(other.id, {"name": "docs"}, "ann")
    changed = await catalog.sources.change(docs.id, {"exclude": ["drafts"], "max_delete_share": 0.5}, "ann")
    assert (changed.exclude, changed.include, changed.max_delete_share) == (["drafts"], ["*.md"], 0.5)
    assert [source.name for source in await catalog.sources.page(kb.id, None, 10)] == ["other", "docs"]
    assert [source.name for source in await catalog.sources.page(kb.id, other.id, 10)] == ["docs"]


async def test_a_source_of_a_deleted_knowledge_base_is_not_synced(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Whoever starts it, as a schedule might."""
    docs = await made(catalog, kb)
    await catalog.knowledge_bases.delete(kb.name, "ann")
    with pytest.raises(NotFound):
        await catalog.syncs.start(docs.id, "", "ann", preview=False)
