"""Lookup by names and by the beginnings of names and ids."""

from __future__ import annotations

from activities.contracts.documents import Chunking
from activities.contracts.reindex import RecordReindexInput, ReindexToRun
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.lookup import Match
from activities.stores.catalog.records import KnowledgeBase, Reindex
from tests.stores.catalog.conftest import accepted, created

LIMIT = 10


def ids(found: list[Match]) -> list[str]:
    return [match.id for match in found]


async def test_a_whole_name_goes_before_those_that_begin_with_it(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The match has the document's knowledge base and state; the beginning of several names finds them newest first."""
    whole = await accepted(catalog, kb, "leave")
    longer = await accepted(catalog, kb, "leave.pdf")
    (match,) = await catalog.lookup.documents([kb.id], "leave", LIMIT)
    assert (match.id, match.name, match.knowledge_base, match.state) == (whole, "leave", "handbook", "queued")
    assert ids(await catalog.lookup.documents([kb.id], "leav", LIMIT)) == [longer, whole]
    assert ids(await catalog.lookup.documents([kb.id], "leav", 1)) == [longer]
    assert await catalog.lookup.documents([kb.id], "eave", LIMIT) == []


async def test_an_id_is_found_by_its_beginning(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Of at least four digits; a whole id is the only match even if another document has it as its name."""
    first = await accepted(catalog, kb, "a.pdf")
    second = await accepted(catalog, kb, first)
    assert ids(await catalog.lookup.documents([kb.id], first, LIMIT)) == [first]
    assert ids(await catalog.lookup.documents([kb.id], second[:-1], LIMIT)) == [second]
    assert ids(await catalog.lookup.documents([kb.id], first[:-1], LIMIT)) == [first, second]
    assert await catalog.lookup.documents([kb.id], second[:3] + "%", LIMIT) == []


async def test_what_a_client_types_is_no_pattern(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Signs of patterns, quotes, other scripts and other cases are compared as they are."""
    names = ["100%.txt", "a_b.txt", "aXb.txt", "年假制度.pdf", "o'hara.md", "B.md"]
    of = {name: await accepted(catalog, kb, name, f"{at:064}") for at, name in enumerate(names)}
    for text, found in {"100%": ["100%.txt"], "%": [], "_": [], "a_": ["a_b.txt"], "年假": ["年假制度.pdf"],
                        "o'": ["o'hara.md"], "b": [], "A": []}.items():  # fmt: skip
        assert ids(await catalog.lookup.documents([kb.id], text, LIMIT)) == [of[name] for name in found], text


async def test_only_the_scope_is_searched(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Another knowledge base's documents and deleted ones are not matched, not even by their ids."""
    other = await created(catalog, "hr")
    hidden = await accepted(catalog, other, "leave.pdf")
    gone = await accepted(catalog, kb, "gone.pdf")
    await catalog.documents.delete(gone, "ann")
    batch = await catalog.batches.create(other.id, "scans", 2, "ann", closed=True)
    for text in ("leave.pdf", hidden, hidden[:12], "gone.pdf", gone):
        assert await catalog.lookup.documents([kb.id], text, LIMIT) == []
    assert await catalog.lookup.batches([kb.id], "scans", LIMIT) == []
    assert await catalog.lookup.batches([], batch.id, LIMIT) == []
    assert ids(await catalog.lookup.documents([kb.id, other.id], "leave.pdf", LIMIT)) == [hidden]


async def test_batches_of_one_name_are_all_found(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Newest first: names of batches repeat."""
    older, newer = [await catalog.batches.create(kb.id, "scans", 2, "ann", closed=True) for _ in range(2)]
    assert ids(await catalog.lookup.batches([kb.id], "scans", LIMIT)) == [newer.id, older.id]
    assert ids(await catalog.lookup.batches([kb.id], newer.id[:-2], LIMIT))[0] == newer.id


async def test_a_knowledge_bases_name_stands_for_its_newest_reindex(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Plans have no name; by its id every one is found."""
    older = await ended(catalog, kb)
    newer = await ended(catalog, kb)
    plan = await ended(catalog, kb, plan_only=True)
    assert ids(await catalog.lookup.reindexes([kb.id], "handbook", LIMIT)) == [newer.id]
    assert ids(await catalog.lookup.reindexes([kb.id], "hand", LIMIT)) == [newer.id]
    for each in (older, newer, plan):
        assert ids(await catalog.lookup.reindexes([kb.id], each.id, LIMIT)) == [each.id]


async def test_a_conversation_is_its_owners_alone(catalog: Catalog, kb: KnowledgeBase) -> None:
    """By its title, and by its id, which also finds those that a client lists itself."""
    question = await catalog.questions.create(kb.id, "How much leave?", "extractive", None, "ann")
    id = question.conversation_id
    for text in ("How much leave?", "How much", id, id[:-1]):
        assert ids(await catalog.lookup.conversations([kb.id], text, LIMIT, "ann")) == [id], text
        assert await catalog.lookup.conversations([kb.id], text, LIMIT, "bob") == [], text
        assert await catalog.lookup.conversations([], text, LIMIT, "ann") == [], text


async def test_a_question_is_found_by_its_id(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its asker sees the text; without an asker all questions are found, without their texts."""
    id = (await catalog.questions.create(kb.id, "How much leave?", "extractive", None, "ann")).id
    (own,) = await catalog.lookup.questions([kb.id], id[:-1], LIMIT, "ann")
    assert (own.id, own.name) == (id, "How much leave?")
    assert await catalog.lookup.questions([kb.id], id, LIMIT, "bob") == []
    (anyones,) = await catalog.lookup.questions([kb.id], id[:-1], LIMIT, None)
    assert (anyones.id, anyones.name) == (id, "")
    assert await catalog.lookup.questions([kb.id], "How much leave?", LIMIT, None) == []


async def ended(catalog: Catalog, kb: KnowledgeBase, *, plan_only: bool = False) -> Reindex:
    """A re-index that has ended, so that another may begin."""
    run = ReindexToRun(
        reindex_id="", knowledge_base_id=kb.id, knowledge_base=kb.name, generation=0, previous=0, chunking=Chunking(),
        actor="ann", plan_only=plan_only,
    )  # fmt: skip
    reindex = await catalog.reindexes.create(run)
    await catalog.reindexes.record(RecordReindexInput(reindex_id=reindex.id, state="ready", stage="retire"))
    return reindex
