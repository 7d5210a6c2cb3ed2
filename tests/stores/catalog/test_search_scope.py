"""The search scope: filters become sets of live documents, and the index reports its progress."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import update

from activities.contracts.documents import Chunking
from activities.contracts.ingest import PublishInput, VersionRun
from activities.contracts.search import SearchFilter
from activities.errors import InvalidRequest, NotFound
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, PendingDocuments, RunProgress
from activities.stores.catalog.tables import VersionRow
from tests.stores.catalog.conftest import sql


@pytest.fixture
async def kb(catalog: Catalog) -> KnowledgeBase:
    """A knowledge base."""
    return await catalog.knowledge_bases.create("kb", "", "", Chunking(), "ann")


async def live(catalog: Catalog, kb: KnowledgeBase, name: str, *tags: str) -> str:
    """A live document."""
    id = (await catalog.documents.accept(kb.id, name, f"{abs(hash(name)):064}"[:64], 7, "ann")).document.id
    await publish(catalog, id)
    await catalog.documents.tag(id, tags, "ann")
    return id


async def publish(catalog: Catalog, id: str, version: int = 1) -> None:
    """Publish a version."""
    job = PublishInput(
        document_id=id, version=version, chunks=1, media_type="text/plain", parsed_key="", chunks_key="", vectors_key=""
    )
    await catalog.documents.publish(job)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", {"a.md", "A%b.md", "a_b.txt", "x/合同 2026.pdf", "back\\slash.md"}),
        ("*.MD", {"a.md", "A%b.md", "back\\slash.md"}),
        ("a?b.*", {"A%b.md", "a_b.txt"}), ("a%b.md", {"A%b.md"}), ("a_b.md", set()), ("*\\*", {"back\\slash.md"}),
        ("*合同*", {"x/合同 2026.pdf"}), ("x/*", {"x/合同 2026.pdf"}), ("a.m", set()), ("?", set()), ("[a].md", set()),
        ("' OR 1=1 --", set()),
    ],
)  # fmt: skip
async def test_names_are_matched_by_a_pattern(
    catalog: Catalog, kb: KnowledgeBase, pattern: str, names: set[str]
) -> None:
    """`*` and `?` stand for any characters and for one; other characters match themselves, in any case."""
    ids = {
        await live(catalog, kb, name): name
        for name in ("a.md", "A%b.md", "a_b.txt", "x/合同 2026.pdf", "back\\slash.md")
    }
    found = await catalog.search_scope.matching(kb.id, filter=SearchFilter(name=pattern))
    assert {ids[id] for id in found} == names


@pytest.mark.parametrize("pattern", ["über*", "ÜBER DIE*", "über die größe.pdf", "ДОГОВОР*"])
async def test_names_match_in_any_case_of_any_script(catalog: Catalog, kb: KnowledgeBase, pattern: str) -> None:
    """On both databases; an accent makes another letter."""
    names = {await live(catalog, kb, name): name for name in ("ÜBER die Größe.PDF", "Договор 7.md", "uber.pdf")}
    found = [names[id] for id in await catalog.search_scope.matching(kb.id, filter=SearchFilter(name=pattern))]
    assert found == ["Договор 7.md" if "Д" in pattern else "ÜBER die Größe.PDF"]


async def test_only_live_documents_of_the_knowledge_base_match(catalog: Catalog, kb: KnowledgeBase) -> None:
    """No unpublished, deleted or foreign one; naming documents narrows the set further."""
    other = await catalog.knowledge_bases.create("other", "", "", Chunking(), "ann")
    await live(catalog, other, "a.md")
    await catalog.documents.accept(kb.id, "queued.md", "1" * 64, 7, "ann")
    await catalog.documents.delete(await live(catalog, kb, "gone.md"), "ann")
    one, two = await live(catalog, kb, "a.md"), await live(catalog, kb, "b.md")
    assert set(await catalog.search_scope.matching(kb.id)) == {one, two}
    assert await catalog.search_scope.matching(kb.id, [two]) == [two]
    assert await catalog.search_scope.matching(kb.id, [two], SearchFilter(name="a*")) == []


async def test_tags_must_all_be_there(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Whole tags, in any case; removing a document removes its tags."""
    one, two = await live(catalog, kb, "a.md", "hr", "合同"), await live(catalog, kb, "b.md", "hr", "hr 2026")
    for tags, expected in ((["HR"], {one, two}), (["hr", "合同"], {one}), ([" hr  2026 "], {two}), (["h"], set())):
        assert set(await catalog.search_scope.matching(kb.id, filter=SearchFilter(tags=tags))) == expected
    with pytest.raises(InvalidRequest, match="tag"):
        await catalog.search_scope.matching(kb.id, filter=SearchFilter(tags=["a\0"]))
    await catalog.documents.delete(one, "ann")
    await catalog.documents.remove(one)
    assert await catalog.search_scope.matching(kb.id, filter=SearchFilter(tags=["hr"])) == [two]


async def test_dates_are_those_of_the_live_version(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """From a time, up to a time; a day as the end is included; time zones are respected."""
    id = await live(catalog, kb, "a.md")
    moment = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
    await sql(settings, update(VersionRow).where(VersionRow.document_id == id).values(created_at=moment))
    await catalog.documents.accept(kb.id, "a.md", "2" * 64, 7, "ann")  # a later version that is not live

    async def matches(**moments: str) -> bool:
        filter = msgspec.convert({"uploaded": moments}, SearchFilter)
        return await catalog.search_scope.matching(kb.id, filter=filter) == [id]

    assert await matches()
    for since in ("2026-11-30", "2026-11-30T12:30:00Z", "2026-11-30T20:30:00+08:00", "20261130"):
        assert await matches(since=since), since
    for since in ("2026-12-01", "2026-11-30T12:30:01", "2026-11-30T12:30:00-01:00"):
        assert not await matches(since=since), since
    for until in ("2026-11-30", "2026-11-30T12:30:01Z", "2026-12-01"):
        assert await matches(until=until), until
    for until in ("2026-11-29", "2026-11-30T12:30:00Z"):
        assert not await matches(until=until), until
    assert await matches(since="2026-11-30", until="2026-11-30")


async def test_named_documents_must_be_there(catalog: Catalog, kb: KnowledgeBase) -> None:
    """In this knowledge base and not deleted; otherwise the error names the first that is missing."""
    other = await catalog.knowledge_bases.create("other", "", "", Chunking(), "ann")
    mine, theirs = await live(catalog, kb, "a.md"), await live(catalog, other, "b.md")
    await catalog.search_scope.require(kb.id, [])
    await catalog.search_scope.require(kb.id, [mine])
    for missing in (theirs, "c" * 32, "no id"):
        with pytest.raises(NotFound, match=missing):
            await catalog.search_scope.require(kb.id, [mine, missing])


async def test_the_index_reports_its_estimate(catalog: Catalog, kb: KnowledgeBase) -> None:
    """From the documents that became ready in the last minute; for a single one, from its stage's remaining work."""
    assert await catalog.backlog.of_knowledge_base(kb.id) == PendingDocuments(documents=0)
    ids = [(await catalog.documents.accept(kb.id, f"{n}.md", f"{n}" * 64, 7, "ann")).document.id for n in range(5)]
    assert await catalog.backlog.of_knowledge_base(kb.id) == PendingDocuments(documents=5)
    await catalog.documents.begin_run(VersionRun(document_id=ids[0], version=1, run=1))
    note = RunProgress(
        document_id=ids[0], version=1, at=datetime.now(UTC) + timedelta(seconds=1), state="running", stage="embed",
        eta_seconds=33.0,
    )  # fmt: skip
    await catalog.documents.record_progress([note])
    assert await catalog.backlog.of_knowledge_base(kb.id) == PendingDocuments(documents=5, eta_seconds=33.0)
    for id in ids[3:]:
        await publish(catalog, id)
    found = await catalog.backlog.of_knowledge_base(kb.id)
    assert found.documents == 3
    assert found.eta_seconds is not None
    assert 0 < found.eta_seconds != 33.0
    await catalog.documents.delete(ids[1], "ann")
    assert (await catalog.backlog.of_knowledge_base(kb.id)).documents == 2


async def test_the_documents_shown_are_live_and_counted(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The last uploaded first, at most as many as wanted, within the scope of the question."""
    first, second = await live(catalog, kb, "first.md", "tag"), await live(catalog, kb, "second.md")
    await catalog.documents.accept(kb.id, "pending.md", "f" * 64, 7, "ann")
    count, documents = await catalog.search_scope.shown(kb.id)
    assert (count, [one.id for one in documents]) == (2, [second, first])
    assert (documents[0].name, documents[0].version, documents[0].actor) == ("second.md", 1, "ann")
    assert (await catalog.search_scope.shown(kb.id, limit=1))[0] == 2
    assert [one.id for one in (await catalog.search_scope.shown(kb.id, [first]))[1]] == [first]
    assert (await catalog.search_scope.shown(kb.id, filter=SearchFilter(tags=["tag"])))[0] == 1
