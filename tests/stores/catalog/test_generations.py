"""Index generations in the catalogue: begun, filled, switched to and back, retired."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from activities.contracts.documents import Chunking, Remark
from activities.contracts.embedding import EmbeddingModel
from activities.contracts.ingest import PublishInput
from activities.contracts.reindex import RecordReindexInput, ReindexToRun
from activities.errors import Reason, ReindexRuns, WrongState
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Reindex
from tests.stores.catalog.conftest import ONE, TWO, accepted, publishing, sql

SMALL = Chunking(max_tokens=64, overlap_tokens=0)


OLD, NEW = EmbeddingModel(name="old", fingerprint="o"), EmbeddingModel(name="new", fingerprint="n")


async def begun(catalog: Catalog, kb: KnowledgeBase, embedding: EmbeddingModel | None = None) -> Reindex:
    """A re-index whose generation has begun."""
    asked = ReindexToRun(
        reindex_id="", knowledge_base_id=kb.id, knowledge_base=kb.name, generation=0, previous=0, chunking=SMALL,
        actor="ann", embedding=embedding,
    )  # fmt: skip
    reindex = await catalog.reindexes.create(asked)
    await catalog.generations.begin(reindex.id)
    return reindex


def built(id: str, version: int, **fields: object) -> PublishInput:
    """What a re-index records of a live version."""
    return msgspec.structs.replace(
        publishing(id, version), generation=2, chunks=9, chunks_key=f"chunks/new-{version}", record_only=True, **fields
    )


async def test_one_reindex_at_a_time(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A second one is refused until the first one has finished; numbers of generations are never used twice."""
    first = await begun(catalog, kb)
    with pytest.raises(ReindexRuns):
        await begun(catalog, kb)
    await catalog.generations.retire(first.id, first.generation)
    await catalog.reindexes.record(
        RecordReindexInput(reindex_id=first.id, state="canceled", stage="", reason=Reason(code="canceled"))
    )
    with pytest.raises(WrongState):
        await catalog.generations.begin(first.id)  # an attempt that was believed dead
    assert (await begun(catalog, kb)).generation == first.generation + 1


async def test_a_version_is_live_once_it_is_in_both(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Publishing answers where it is missing, with the chunking there; a version that is live already stays so."""
    live = await accepted(catalog, kb)
    assert (await catalog.documents.publish(publishing(live, 1), purged=False)).live
    await begun(catalog, kb)
    assert (await catalog.documents.publish(publishing(live, 1))).live
    new = await accepted(catalog, kb, "b.pdf", TWO)
    published = await catalog.documents.publish(publishing(new, 1))
    assert (published.live, [(each.generation, each.chunking) for each in published.also]) == (False, [(2, SMALL)])
    assert (await catalog.documents.publish(msgspec.structs.replace(publishing(new, 1), generation=2))).live
    assert (await catalog.documents.get(new)).chunks == 3


async def test_a_generation_has_its_own_model(catalog: Catalog) -> None:
    """Runs, and what is missing in the other generation, name the model; one that is used by none is not in use."""
    kb = await catalog.knowledge_bases.create("other", "", "", SMALL, "ann", OLD)
    assert (await catalog.knowledge_bases.generation(kb.id)).embedding == OLD
    assert await catalog.generations.models_in_use() == {"o"}
    id = await accepted(catalog, kb)
    assert [each.embedding for each in await catalog.intake.undispatched(9)] == [OLD]
    reindex = await begun(catalog, kb, NEW)
    assert (await catalog.reindexes.get(reindex.id)).to_run().embedding == NEW
    assert [each.embedding for each in (await catalog.documents.publish(publishing(id, 1))).also] == [NEW]
    assert await catalog.knowledge_bases.embedding_models([kb.id]) == {kb.id: "old"}
    await catalog.documents.publish(msgspec.structs.replace(publishing(id, 1), generation=2))
    assert (await catalog.generations.switch(reindex.id, "ann", back=False)).switched
    assert await catalog.knowledge_bases.embedding_models([kb.id]) == {kb.id: "new"}
    assert await catalog.generations.models_in_use() == {"o", "n"}
    assert not await catalog.generations.give_up(kb.id, 2)
    assert await catalog.generations.give_up(kb.id, 1)
    assert await catalog.generations.models_in_use() == {"n"}
    await catalog.knowledge_bases.delete("other", "ann")
    assert await catalog.generations.models_in_use() == {"n"}  # of the re-index, which has not finished
    await catalog.reindexes.record(RecordReindexInput(reindex_id=reindex.id, state="ready", stage=""))
    assert await catalog.generations.models_in_use() == set()


async def test_the_switch_waits_for_every_live_version_and_goes_back(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Chunks, chunking and what was read of a file change with it, and come back."""
    id = await accepted(catalog, kb)
    await catalog.documents.publish(publishing(id, 1))
    reindex = await begun(catalog, kb)
    assert (await catalog.generations.switch(reindex.id, "ann", back=False)).missing == 1
    remarks = [Remark(kind="hidden-text", count=2)]
    assert await catalog.generations.record_built(built(id, 1, parsed_key="parsed/new", pages=4, remarks=remarks))
    for _ in range(2):
        assert (await catalog.generations.switch(reindex.id, "ann", back=False)).switched
    document, base = await catalog.documents.get(id), await catalog.knowledge_bases.by_id(kb.id)
    assert (document.chunks, document.pages, document.remarks, base.chunking) == (9, 4, remarks, SMALL)
    with pytest.raises(WrongState):
        await catalog.generations.retire(reindex.id, 2)
    assert (await catalog.generations.switch(reindex.id, "ann", back=True)).switched
    document, base = await catalog.documents.get(id), await catalog.knowledge_bases.by_id(kb.id)
    assert (document.chunks, document.pages, document.remarks, base.chunking) == (3, 2, [], kb.chunking)
    with pytest.raises(WrongState):
        await catalog.generations.switch(reindex.id, "ann", back=False)
    collection, keys = await catalog.generations.retire(reindex.id, 2)
    assert collection == f"kb_{kb.id}_g2"
    assert keys == {"chunks/new-1": ONE, "vectors/1": ONE, "parsed/new": ONE}
    assert await catalog.generations.referred(sorted(keys), (kb.id, 2)) == {"vectors/1"}
    assert collection not in (await catalog.references.collections())[0]


async def test_what_was_deleted_or_replaced_is_not_built(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its rows are to be purged; it is not listed again."""
    gone, replaced = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf", TWO)
    for id in (gone, replaced):
        await catalog.documents.publish(publishing(id, 1))
    await begun(catalog, kb)
    assert {each.document_id for each in await catalog.generations.to_build(kb.id, 2, "", 10)} == {gone, replaced}
    await catalog.documents.delete(gone, "ann")
    await accepted(catalog, kb, "b.pdf", ONE)
    for number in (1, 2):
        await catalog.documents.publish(msgspec.structs.replace(publishing(replaced, 2), generation=number))
    assert not await catalog.generations.record_built(built(gone, 1))
    assert not await catalog.generations.record_built(built(replaced, 1))
    assert await catalog.generations.to_build(kb.id, 2, "", 10) == []


async def test_a_run_that_ends_unpublished_is_in_no_generation(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """Its rows are purged, so a retry writes them again; those of a live version stay."""
    await begun(catalog, kb)
    id = await accepted(catalog, kb)
    await catalog.documents.publish(publishing(id, 1))
    assert len(await sql(settings, "SELECT * FROM indexed_versions")) == 1
    assert await catalog.documents.end_run(id, 1, 1)
    assert await sql(settings, "SELECT * FROM indexed_versions") == []


async def test_a_cancel_counts_for_a_run_that_is_started_again(catalog: Catalog, kb: KnowledgeBase) -> None:
    """As does a rollback."""
    reindex = await begun(catalog, kb)
    await catalog.reindexes.note(reindex.id, "bob", "cancel")
    (unfinished,) = await catalog.reindexes.unfinished(datetime.now(UTC))
    assert unfinished.to_run().canceled_by == "bob"
    assert (unfinished.to_run().switched, unfinished.to_run().rolled_back) == (False, False)
