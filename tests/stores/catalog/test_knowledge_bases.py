"""Knowledge bases in the catalogue: names, settings and the model of their index."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from activities.contracts.documents import Chunking
from activities.contracts.questions import AnswerSettings
from activities.errors import NameTaken, NotFound
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from tests.stores.catalog.conftest import accepted, created, publishing


async def test_a_name_belongs_to_one_knowledge_base(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A second one with that name is refused, also when both are created concurrently."""
    with pytest.raises(NameTaken):
        await created(catalog, kb.name)
    both = await asyncio.gather(created(catalog, "new"), created(catalog, "new"), return_exceptions=True)
    assert sorted(type(each).__name__ for each in both) == ["KnowledgeBase", "NameTaken"]


async def test_a_deleted_knowledge_base_leaves_its_name(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It and its documents are hidden at once, and the name is free for a new one with its own collection."""
    id = await accepted(catalog, kb)
    await catalog.documents.publish(publishing(id, 1))
    await catalog.knowledge_bases.delete(kb.name, "ann")
    assert await catalog.documents.live([id]) == {}
    for action in (catalog.knowledge_bases.get(kb.name), catalog.knowledge_bases.generation(kb.id)):
        with pytest.raises(NotFound):
            await action
    assert (await catalog.knowledge_bases.by_id(kb.id)).name == kb.name
    (old,) = await catalog.knowledge_bases.generations(kb.id)
    new = await created(catalog, kb.name)
    assert new.id != kb.id
    assert (await catalog.knowledge_bases.get(kb.name)).id == new.id
    assert (await catalog.knowledge_bases.generation(new.id)).collection != old.collection
    assert await catalog.documents.of_deleted(kb.id) == [id]


async def test_knowledge_bases_are_listed_by_name(catalog: Catalog) -> None:
    """Each page begins after the last name of the page before; deleted ones are not listed."""
    for name in ("c", "a", "d", "b"):
        await created(catalog, name)
    await catalog.knowledge_bases.delete("c", "ann")
    first = await catalog.knowledge_bases.page(None, 2)
    assert [kb.name for kb in first + await catalog.knowledge_bases.page(first[-1].name, 2)] == ["a", "b", "d"]


async def test_an_update_changes_only_the_named_fields(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The other fields stay; the result equals a later read."""
    changed = await catalog.knowledge_bases.update(kb.name, {"title": "New", "max_tokens": 100}, "ann")
    assert (changed.title, changed.chunking, changed.description) == ("New", Chunking(max_tokens=100), "")
    assert changed.updated_at > kb.updated_at
    assert await catalog.knowledge_bases.get(kb.name) == changed
    with pytest.raises(NotFound):
        await catalog.knowledge_bases.update("nobody", {"title": "New"}, "ann")


async def test_an_index_belongs_to_the_first_model_that_fills_it(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Two models that claim it concurrently get the same winner; a later claim returns that model."""
    generation = await catalog.knowledge_bases.generation(kb.id)
    assert generation.model_fingerprint is None
    claims = await asyncio.gather(
        *(catalog.knowledge_bases.claim_model(generation, f"model {n}", f"print {n}") for n in range(3))
    )
    assert len({claim.model_fingerprint for claim in claims}) == 1
    late = await catalog.knowledge_bases.claim_model(generation, "late", "other")
    assert late == claims[0] == await catalog.knowledge_bases.generation(kb.id)
    with pytest.raises(NotFound):
        await catalog.knowledge_bases.claim_model(msgspec.structs.replace(generation, generation=9), "m", "f")


async def test_past_a_number_of_collections_further_ones_are_shared(settings: Settings) -> None:
    """By generations of one model; a deleted or retired one makes room, and re-indexing takes the room."""
    few = Catalog(settings.catalog_url, collections=2)
    one, two, three = [await created(few, name) for name in ("one", "two", "three")]
    places = [(await few.knowledge_bases.generation(each.id)).collection for each in (one, two, three)]
    assert places == [f"kb_{one.id}_g1", f"kb_{two.id}_g1", f"kb_{three.id}_g1@shared"]
    generation = await few.knowledge_bases.generation(three.id)
    claimed = await few.knowledge_bases.claim_model(generation, "model", "f" * 64)
    assert claimed == await few.knowledge_bases.generation(three.id)
    assert claimed.collection == f"kb_{three.id}_g1@shared_ffffffffffffffff"
    assert [each.collection for each in (await few.operations.generations.page(9)) if "@" in each.collection] == [
        claimed.collection
    ]
    assert await few.references.ended_in_shared(("", 0), 9) == []
    await few.knowledge_bases.delete("one", "ann")
    await few.knowledge_bases.delete("three", "ann")
    assert await few.references.ended_in_shared(("", 0), 9) == [claimed]
    assert await few.references.ended_in_shared((three.id, 1), 9) == []
    four = await created(few, "four")
    assert (await few.knowledge_bases.generation(four.id)).collection == f"kb_{four.id}_g1"
    await few.close()


async def test_news_are_publications_and_switches(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Of this knowledge base, since the moment."""
    created_at, other = datetime.now(UTC), await created(catalog, "other")
    assert not await catalog.knowledge_bases.has_news(kb.id, created_at)
    id = await accepted(catalog, kb)
    assert not await catalog.knowledge_bases.has_news(kb.id, created_at)
    await catalog.documents.publish(publishing(id, 1))
    assert await catalog.knowledge_bases.has_news(kb.id, created_at)
    assert not await catalog.knowledge_bases.has_news(kb.id, datetime.now(UTC))
    await catalog.knowledge_bases.update("other", {"title": "New"}, "ann")
    assert await catalog.knowledge_bases.has_news(other.id, created_at)


async def test_a_knowledge_base_keeps_its_answer_settings(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Named settings change, the rest stay; None resets a setting."""
    assert kb.answers == AnswerSettings()
    await catalog.knowledge_bases.update(kb.name, {}, "ann", {"mode": "generative", "temperature": 0.5})
    await catalog.knowledge_bases.update(kb.name, {"title": "T"}, "ann", {"instructions": "In verse.", "mode": None})
    assert (await catalog.knowledge_bases.get(kb.name)).answers == AnswerSettings(
        temperature=0.5, instructions="In verse."
    )
