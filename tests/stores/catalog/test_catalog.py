"""The catalogue on a real SQLite file: what it accepts, what is live, and what it never forgets or gives away."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, inspect, select, update

from activities.contracts.answers import Citation, Source
from activities.contracts.deletion import RemoveInput
from activities.contracts.documents import Chunking
from activities.contracts.ingest import PublishInput
from activities.contracts.questions import Answered, AnswerSettings, RecordAnswerInput, Retrieved, Turn
from activities.errors import CatalogUnavailable, ContentBeingRemoved, NameTaken, NotFound, Reason, UnknownRole
from activities.ingest.deletion import DeletionActivities
from activities.settings import CatalogSettings, Settings, load
from activities.stores.blob_keys import digest, original_key
from activities.stores.blobs import Blobs
from activities.stores.catalog.api_keys import KEY_PREFIX, hash_key
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.migrate import alembic_config, upgrade
from activities.stores.catalog.records import IndexedVersion, KnowledgeBase, RunProgress
from activities.stores.catalog.tables import ApiKeyRow, AuditRow, Table, new_id
from activities.stores.milvus import Milvus
from api.stack.processes import free_port

ONE, TWO = "1" * 64, "2" * 64
MISSING = "0" * 32


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Settings of a catalogue in a folder of its own, with its tables."""
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
    return settings


@pytest.fixture
async def catalog(settings: Settings) -> AsyncIterator[Catalog]:
    """The catalogue itself."""
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


@pytest.fixture
async def kb(catalog: Catalog) -> KnowledgeBase:
    """A knowledge base."""
    return await created(catalog, "handbook")


async def created(catalog: Catalog, name: str) -> KnowledgeBase:
    """A new knowledge base of that name."""
    return await catalog.knowledge_bases.create(name, "A title", "", Chunking(), "ann")


def publishing(document_id: str, version: int) -> PublishInput:
    """A version that is ready to be shown."""
    return PublishInput(
        document_id=document_id, version=version, chunks=3, pages=2, media_type="application/pdf",
        parsed_key=f"parsed/{version}", chunks_key=f"chunks/{version}", vectors_key=f"vectors/{version}",
    )  # fmt: skip


async def accepted(catalog: Catalog, kb: KnowledgeBase, name: str = "a.pdf", sha256: str = ONE) -> str:
    """The id of an uploaded document."""
    return (await catalog.documents.accept(kb.id, name, sha256, 7, "ann")).document.id


def sql(settings: Settings, statement: str) -> list[Any]:
    """Run a statement behind the catalogue's back; its rows, if it has any."""
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        rows = list(result) if result.returns_rows else []
    engine.dispose()
    return rows


# --- documents -------------------------------------------------------------------------------------


async def test_an_upload_is_the_first_version_of_a_document(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It is queued and belongs to who uploaded it; nothing of it is live yet."""
    taken = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    document = taken.document
    assert taken.created
    assert (document.name, document.version, document.state, document.live_version) == ("a.pdf", 1, "queued", None)
    assert (document.sha256, document.bytes, document.actor, document.chunks) == (ONE, 7, "ann", 0)
    assert await catalog.documents.get(document.id) == document
    assert await catalog.documents.live([document.id]) == {}


async def test_the_same_content_makes_no_new_version(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The latest version's content again is answered with that version, queued or ready."""
    first = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    again = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "bob")
    assert (again.created, again.document) == (False, first.document)
    await catalog.documents.publish(publishing(first.document.id, 1))
    assert not (await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")).created


async def test_other_content_is_the_next_version(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The document keeps its id; also a return to an older content is a new version."""
    id = await accepted(catalog, kb)
    second = await catalog.documents.accept(kb.id, "a.pdf", TWO, 8, "bob")
    assert (second.created, second.document.id, second.document.version) == (True, id, 2)
    third = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    assert (third.created, third.document.id, third.document.version) == (True, id, 3)


@pytest.mark.parametrize("state", ["failed", "canceled"])
async def test_content_that_came_to_nothing_can_come_again(catalog: Catalog, kb: KnowledgeBase, state: str) -> None:
    """After a failure or a cancelation the same bytes are a new version, and the reason stays with the old one."""
    id = await accepted(catalog, kb)
    reason = Reason("damaged", {"format": "PDF", "detail": "cut off"})
    await catalog.documents.finish(id, 1, "failed" if state == "failed" else "canceled", reason)
    failed = await catalog.documents.get(id)
    assert (failed.state, failed.reason) == (state, reason)
    again = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    assert (again.created, again.document.version, again.document.state) == (True, 2, "queued")
    assert again.document.reason is None


async def test_a_failure_does_not_touch_what_is_ready(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A late failure of a published version is ignored; a failed new version leaves the old one live."""
    id = await accepted(catalog, kb)
    await catalog.documents.publish(publishing(id, 1))
    await catalog.documents.finish(id, 1, "failed", Reason("damaged"))
    assert (await catalog.documents.get(id)).state == "ready"
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    await catalog.documents.finish(id, 2, "failed", Reason("damaged"))
    document = await catalog.documents.get(id)
    assert (document.version, document.state, document.live_version) == (2, "failed", 1)
    assert (await catalog.documents.live([id]))[id].version == 1


async def test_uploads_of_one_name_at_once_are_one_document(settings: Settings, kb: KnowledgeBase) -> None:
    """Several processes that accept the same new name agree on one document with one version."""
    processes = [Catalog(settings.catalog_url) for _ in range(4)]
    taken = await asyncio.gather(*(each.documents.accept(kb.id, "a.pdf", ONE, 7, "ann") for each in processes * 2))
    assert {each.document.id for each in taken} == {taken[0].document.id}
    assert {each.document.version for each in taken} == {1}
    assert [each.created for each in taken].count(True) == 1
    for each in processes:
        await each.close()


async def test_different_contents_of_one_name_at_once_are_versions(settings: Settings, kb: KnowledgeBase) -> None:
    """None of them is lost: each is a version of its own, numbered without a gap."""
    processes = [Catalog(settings.catalog_url) for _ in range(6)]
    taken = await asyncio.gather(
        *(each.documents.accept(kb.id, "a.pdf", str(n) * 64, 7, "ann") for n, each in enumerate(processes))
    )
    assert {each.document.id for each in taken} == {taken[0].document.id}
    assert sorted(each.document.version for each in taken) == [1, 2, 3, 4, 5, 6]
    for each in processes:
        await each.close()


async def test_nothing_is_accepted_for_a_knowledge_base_that_is_gone(catalog: Catalog, kb: KnowledgeBase) -> None:
    """An unknown and a deleted knowledge base are refused alike."""
    with pytest.raises(NotFound):
        await catalog.documents.accept(MISSING, "a.pdf", ONE, 7, "ann")
    await catalog.knowledge_bases.delete(kb.name, "ann")
    with pytest.raises(NotFound):
        await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")


async def test_pages_go_through_all_documents_newest_first(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Each page begins after the last document of the one before; a state narrows them."""
    ids = [await accepted(catalog, kb, f"{n}.pdf") for n in range(5)]
    await catalog.documents.publish(publishing(ids[2], 1))
    first = await catalog.documents.page(kb.id, None, None, 2)
    second = await catalog.documents.page(kb.id, None, first[-1].id, 2)
    third = await catalog.documents.page(kb.id, None, second[-1].id, 2)
    assert [document.id for document in first + second + third] == ids[::-1]
    assert [document.id for document in await catalog.documents.page(kb.id, "ready", None, 9)] == [ids[2]]
    assert (await catalog.backlog.of_knowledge_base(kb.id)).documents == 4
    assert await catalog.knowledge_bases.counts([kb.id]) == {kb.id: {"queued": 4, "ready": 1}}


# --- publishing ------------------------------------------------------------------------------------


async def test_publishing_makes_a_version_live(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It tells which version it replaced, and keeps what the version stands on; publishing twice answers the same."""
    id = await accepted(catalog, kb)
    first = await catalog.documents.publish(publishing(id, 1))
    assert (first.live, first.retired) == (True, [])
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    for _ in range(2):
        second = await catalog.documents.publish(publishing(id, 2))
        assert (second.live, second.retired) == (True, [1])
    document = await catalog.documents.get(id)
    assert (document.live_version, document.state, document.chunks, document.pages) == (2, "ready", 3, 2)
    assert [blobs.vectors_key for blobs in await catalog.documents.blobs(id)] == ["vectors/1", "vectors/2"]


async def test_publishing_never_goes_back(catalog: Catalog, kb: KnowledgeBase) -> None:
    """An older version that is ready later retires itself, and says that it was superseded."""
    id = await accepted(catalog, kb)
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    assert (await catalog.documents.publish(publishing(id, 2))).live
    late = await catalog.documents.publish(publishing(id, 1))
    assert (late.live, late.retired) == (False, [1])
    assert (await catalog.documents.live([id]))[id].version == 2
    assert (await catalog.documents.get(id)).version == 2


async def test_a_deleted_document_is_never_published(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A version that is ready after the deletion retires itself, also when the document is long forgotten."""
    id = await accepted(catalog, kb)
    await catalog.documents.delete(id, "ann")
    late = await catalog.documents.publish(publishing(id, 1))
    assert (late.live, late.retired) == (False, [1])
    assert await catalog.documents.live([id]) == {}
    await catalog.documents.remove(id)
    forgotten = await catalog.documents.publish(publishing(id, 1))
    assert (forgotten.live, forgotten.retired) == (False, [1])


async def test_a_canceled_version_is_not_published(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Whichever of the two comes first holds: a late publication retires itself, a late cancelation is told so."""
    id = await accepted(catalog, kb)
    assert not await catalog.documents.finish(id, 1, "canceled", Reason("canceled"))
    late = await catalog.documents.publish(publishing(id, 1))
    assert (late.live, late.retired) == (False, [1])
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    await catalog.documents.publish(publishing(id, 2))
    assert await catalog.documents.finish(id, 2, "canceled", Reason("canceled"))
    assert (await catalog.documents.live([id]))[id].version == 2


async def test_a_version_is_published_into_one_generation(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """What it was made of there is kept by generation; without one it is the live one, and the last word holds."""
    id = await accepted(catalog, kb)
    (dispatch,) = await catalog.intake.undispatched(10)
    assert dispatch.generation == 1
    await catalog.documents.publish(publishing(id, 1))
    shadow = msgspec.structs.replace(publishing(id, 1), chunks_key="chunks/s", vectors_key="vectors/s", generation=2)
    for chunks in (4, 5):
        await catalog.documents.publish(msgspec.structs.replace(shadow, chunks=chunks))
    live = IndexedVersion(generation=1, chunks_key="chunks/1", vectors_key="vectors/1", rows=3)
    other = IndexedVersion(generation=2, chunks_key="chunks/s", vectors_key="vectors/s", rows=5)
    assert [await catalog.documents.indexed(id, 1, number) for number in (None, 1, 2, 3)] == [live, live, other, None]
    assert [each.vectors_key for each in await catalog.documents.blobs(id, 2)] == ["vectors/s"]
    assert [each.vectors_key for each in await catalog.documents.blobs(id, 3)] == [None]
    parsed, chunks_of = await catalog.references.derived()
    assert (parsed, chunks_of) == ({digest("parsed/1")}, {digest("chunks/1"), digest("chunks/s")})
    sql(settings, "UPDATE knowledge_bases SET generation = 2")
    assert await catalog.documents.indexed(id, 1) == other
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    assert [each.generation for each in await catalog.intake.undispatched(10) if each.version == 2] == [2]


async def test_what_is_live_is_compared_by_generation(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """How many rows a live version has, and what of, differs between generations; one that lacks it says so."""
    id = await accepted(catalog, kb)
    first = await catalog.knowledge_bases.generation(kb.id)
    sql(settings, "INSERT INTO generations SELECT knowledge_base_id, 2, 'kb_g2', 'm', 'f', created_at FROM generations")
    second = await catalog.knowledge_bases.generation(kb.id, 2)
    assert (first.generation, second.generation, second.collection) == (1, 2, "kb_g2")
    with pytest.raises(NotFound):
        await catalog.knowledge_bases.generation(kb.id, 3)
    await catalog.documents.publish(publishing(id, 1))
    for generation, key in ((first, "chunks/1"), (second, None)):
        ((live,),) = [page async for page in catalog.references.live_versions(generation)]
        assert (live.chunks, live.chunks_key) == (3, key)
        assert await catalog.references.live_version(generation, id) == live
    shadow = msgspec.structs.replace(publishing(id, 1), chunks=5, chunks_key="chunks/s", generation=2)
    await catalog.documents.publish(shadow)
    found = await catalog.references.live_version(second, id)
    assert found is not None
    assert (found.chunks, found.chunks_key) == (5, "chunks/s")


async def test_a_removed_document_leaves_no_row(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """What its versions were in each generation is forgotten with them."""
    id = await accepted(catalog, kb)
    await catalog.documents.publish(publishing(id, 1))
    await catalog.documents.publish(msgspec.structs.replace(publishing(id, 1), generation=2))
    assert len(sql(settings, "SELECT * FROM indexed_versions")) == 2
    await catalog.documents.delete(id, "ann")
    await catalog.documents.remove(id)
    assert sql(settings, "SELECT * FROM indexed_versions") == []


# --- deletion --------------------------------------------------------------------------------------


async def test_deleting_hides_at_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """No reader finds the document again; its blobs can be listed until it is removed."""
    id = await accepted(catalog, kb)
    await catalog.documents.publish(publishing(id, 1))
    await catalog.documents.delete(id, "ann")
    assert await catalog.documents.live([id]) == {}
    assert await catalog.documents.page(kb.id, None, None, 9) == []
    assert await catalog.knowledge_bases.counts([kb.id]) == {}
    for action in (catalog.documents.get(id), catalog.documents.delete(id, "ann")):
        with pytest.raises(NotFound):
            await action
    assert await catalog.documents.deleted(kb.id) == [id]
    assert [blobs.parsed_key for blobs in await catalog.documents.blobs(id)] == ["parsed/1"]
    await catalog.documents.remove(id)
    assert (await catalog.documents.deleted(kb.id), await catalog.documents.blobs(id)) == ([], [])


async def test_the_name_is_free_again_after_a_deletion(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The same name is a new document at once, before the old one is removed."""
    old = await accepted(catalog, kb)
    await catalog.documents.delete(old, "ann")
    new = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    assert new.created
    assert new.document.id != old
    assert new.document.version == 1


async def test_only_what_is_deleted_can_be_removed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Removing a document that somebody can still see does nothing."""
    id = await accepted(catalog, kb)
    await catalog.documents.remove(id)
    assert (await catalog.documents.get(id)).version == 1


# --- contents --------------------------------------------------------------------------------------


async def test_shared_content_is_not_removed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The blobs stay while another document has them in any version; then the last one may take them."""
    one, two = await accepted(catalog, kb, "a.pdf"), await accepted(catalog, kb, "b.pdf")
    await catalog.documents.accept(kb.id, "b.pdf", TWO, 7, "ann")
    await catalog.documents.delete(one, "ann")
    assert not await catalog.content_locks.begin_removal(ONE, one)
    await catalog.documents.remove(one)
    await catalog.documents.delete(two, "ann")
    assert await catalog.content_locks.begin_removal(ONE, two)
    assert await catalog.content_locks.begin_removal(TWO, two)


async def test_content_is_not_taken_in_while_it_is_being_removed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """An upload of the same bytes is refused until the removal has ended; a repeated removal may go on."""
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
    """Whoever comes first wins: accepted bytes are not removed, and bytes under removal are not accepted."""
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


async def test_the_last_of_equal_documents_takes_their_bytes(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """Two documents of the same content that are deleted at the same time leave no bytes behind."""
    blobs = Blobs(settings.blobs_url)
    milvus = Milvus(settings.milvus.uri)  # not called: rows are purged before
    removing = DeletionActivities(blobs, milvus, catalog)
    for n in range(6):  # the order of the steps is chance
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


# --- knowledge bases -------------------------------------------------------------------------------


async def test_a_name_belongs_to_one_knowledge_base(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A second one of that name is refused, also when both are created at once."""
    with pytest.raises(NameTaken):
        await created(catalog, kb.name)
    both = await asyncio.gather(created(catalog, "new"), created(catalog, "new"), return_exceptions=True)
    assert sorted(type(each).__name__ for each in both) == ["KnowledgeBase", "NameTaken"]


async def test_a_deleted_knowledge_base_leaves_its_name(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It and its documents are hidden at once, and the name makes a new one with a collection of its own."""
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
    assert await catalog.documents.deleted(kb.id) == [id]


async def test_knowledge_bases_are_listed_by_name(catalog: Catalog) -> None:
    """Each page begins after the last name of the one before; deleted ones are not listed."""
    for name in ("c", "a", "d", "b"):
        await created(catalog, name)
    await catalog.knowledge_bases.delete("c", "ann")
    first = await catalog.knowledge_bases.page(None, 2)
    assert [kb.name for kb in first + await catalog.knowledge_bases.page(first[-1].name, 2)] == ["a", "b", "d"]


async def test_an_update_changes_what_it_names(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The other fields stay; the answer is what is read afterwards."""
    changed = await catalog.knowledge_bases.update(kb.name, {"title": "New", "max_tokens": 100}, "ann")
    assert (changed.title, changed.chunking, changed.description) == ("New", Chunking(max_tokens=100), "")
    assert changed.updated_at > kb.updated_at
    assert await catalog.knowledge_bases.get(kb.name) == changed
    with pytest.raises(NotFound):
        await catalog.knowledge_bases.update("nobody", {"title": "New"}, "ann")


async def test_an_index_belongs_to_the_first_model_that_fills_it(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Two models that come at once are told the same one; a later model is told which one it is."""
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


# --- questions and keys ----------------------------------------------------------------------------


async def test_an_answer_is_recorded_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A retry of the record, even with something else in it, changes nothing."""
    question = await catalog.questions.create(kb.id, "How long?", "generative", None, "ann")
    assert (question.state, question.answer, question.finished_at) == ("running", None, None)
    source = Source(n=1, document_id=MISSING, document_name="a.pdf", version=1, chunk_id="a", score=0.5, page=3)
    citation = Citation(n=1, document_id=MISSING, document_name="a.pdf", quote="Five days.")
    answered = Answered(
        answer="Five days. [1]", citations=[citation], mode="extractive", found=True, tokens=4, fallback="unsupported",
        withheld=2, model="m.gguf", prompt_version="2", milliseconds={"generate": 7},
    )  # fmt: skip
    retrieved = Retrieved(
        sources_key="k", sources=[source], similarity=0.9, standalone="How long is leave?", generation=3, model="e5",
        model_fingerprint="f", milliseconds={"retrieve": 5},
    )  # fmt: skip
    await catalog.questions.record(RecordAnswerInput(question_id=question.id, retrieved=retrieved, answered=answered))
    recorded = await catalog.questions.get(question.id)
    assert (recorded.state, recorded.answer, recorded.found) == ("ready", "Five days. [1]", True)
    assert (recorded.mode, recorded.sources, recorded.citations) == ("extractive", [source], [citation])
    assert (recorded.fallback, recorded.withheld) == ("unsupported", 2)
    made = recorded.made
    assert made is not None
    assert (made.standalone, made.similarity, made.generation) == ("How long is leave?", 0.9, 3)
    assert (made.embedding_model, made.embedding_fingerprint) == ("e5", "f")
    assert (made.language_model, made.prompt_version, made.tokens) == ("m.gguf", "2", 4)
    assert set(made.milliseconds) == {"retrieve", "generate", "total"}
    await catalog.questions.record(RecordAnswerInput(question_id=question.id, reason=Reason("internal")))
    assert await catalog.questions.get(question.id) == recorded


@pytest.mark.parametrize(("canceled", "state"), [(False, "failed"), (True, "canceled")])
async def test_a_question_that_came_to_nothing_keeps_its_reason(
    catalog: Catalog, kb: KnowledgeBase, canceled: bool, state: str
) -> None:
    """A failed or canceled question is finished, without an answer."""
    question = await catalog.questions.create(kb.id, "How long?", "extractive", None, "ann")
    reason = Reason("triton-unavailable", {"detail": "gone"})
    await catalog.questions.record(RecordAnswerInput(question_id=question.id, reason=reason, canceled=canceled))
    recorded = await catalog.questions.get(question.id)
    assert (recorded.state, recorded.reason, recorded.answer) == (state, reason, None)
    assert recorded.finished_at is not None


async def test_the_turns_of_a_conversation_are_what_was_answered_before(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Oldest first, the latest of them, as they were searched for; not what failed, came later or is elsewhere."""
    first = await catalog.questions.create(kb.id, "One?", "extractive", None, "ann")
    asked = [first] + [
        await catalog.questions.create(kb.id, f"{word}?", "extractive", first.conversation_id, "ann")
        for word in ("Two", "Three", "Four", "Five")
    ]
    await catalog.questions.create(kb.id, "Elsewhere?", "extractive", None, "ann")
    for question in (asked[0], asked[1], asked[2], asked[4]):
        retrieved = Retrieved(
            sources_key="k", sources=[], similarity=0.0, standalone=question.question.replace("?", " of leave?")
        )
        answered = Answered(answer=f"{question.question} Yes.", citations=[], mode="extractive", found=True)
        await catalog.questions.record(
            RecordAnswerInput(question_id=question.id, retrieved=retrieved, answered=answered)
        )
    turns = await catalog.questions.turns(asked[3].id, 2)
    assert turns == [
        Turn(question="Two of leave?", answer="Two? Yes."),
        Turn(question="Three of leave?", answer="Three? Yes."),
    ]
    assert await catalog.questions.turns(first.id, 4) == []
    assert await catalog.questions.turns(MISSING, 4) == []


async def test_a_knowledge_base_keeps_how_it_wants_its_answers(catalog: Catalog, kb: KnowledgeBase) -> None:
    """What is named changes, the rest stays; None takes a setting back."""
    assert kb.answers == AnswerSettings()
    await catalog.knowledge_bases.update(kb.name, {}, "ann", {"mode": "generative", "temperature": 0.5})
    await catalog.knowledge_bases.update(kb.name, {"title": "T"}, "ann", {"instructions": "In verse.", "mode": None})
    assert (await catalog.knowledge_bases.get(kb.name)).answers == AnswerSettings(
        temperature=0.5, instructions="In verse."
    )


async def test_a_key_is_known_by_its_hash_only(settings: Settings, catalog: Catalog) -> None:
    """The key finds its owner; no file of the database has it in clear."""
    key = await catalog.api_keys.create("ann", "admin")
    principal = await catalog.api_keys.find(key)
    assert key.startswith(KEY_PREFIX)
    assert principal is not None
    assert (principal.subject, principal.role) == ("ann", "admin")
    assert await catalog.api_keys.count() == 1
    for other in (key[:-1], hash_key(key), "", key.removeprefix(KEY_PREFIX)):
        assert await catalog.api_keys.find(other) is None
    stored = b"".join(path.read_bytes() for path in settings.data_dir.glob("catalog.db*"))
    assert hash_key(key).encode() in stored
    assert key.removeprefix(KEY_PREFIX).encode() not in stored


async def test_a_role_that_is_not_known_is_refused(catalog: Catalog) -> None:
    """The error names those that are; no key is made."""
    for role in ("king", "", "Reader", "admin "):
        with pytest.raises(UnknownRole, match="reader, contributor, manager, operator, auditor, admin"):
            await catalog.api_keys.create("ann", role)
    assert await catalog.api_keys.all() == []


async def test_a_key_of_a_role_that_is_no_longer_known_reads(settings: Settings, catalog: Catalog) -> None:
    """A key that was made before roles were checked counts as the lowest one, wherever it is shown."""
    key = await catalog.api_keys.create("ann", "admin")
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    with engine.begin() as connection:
        connection.execute(update(ApiKeyRow).values(role="superuser"))
    engine.dispose()
    principal = await catalog.api_keys.find(key)
    assert principal is not None
    assert principal.role == "reader"
    assert [each.role for each in await catalog.api_keys.all()] == ["reader"]


async def test_a_revoked_key_is_nobodys(catalog: Catalog) -> None:
    """It stays in the list; revoking it again, or one that is not there, changes nothing."""
    key, other = await catalog.api_keys.create("ann", "manager"), await catalog.api_keys.create("bob", "reader")
    principal = await catalog.api_keys.find(key)
    assert principal is not None
    revoked = await catalog.api_keys.revoke(principal.key_id, "carl")
    assert (revoked.subject, revoked.role) == ("ann", "manager")
    assert revoked.revoked_at is not None
    assert await catalog.api_keys.revoke(principal.key_id, "dora") == revoked
    with pytest.raises(NotFound):
        await catalog.api_keys.revoke(MISSING, "carl")
    assert await catalog.api_keys.find(key) is None
    assert await catalog.api_keys.find(other) is not None
    assert await catalog.api_keys.count() == 1
    assert [(each.subject, each.revoked_at) for each in await catalog.api_keys.all()] == [
        ("ann", revoked.revoked_at), ("bob", None),
    ]  # fmt: skip
    (event,) = await catalog.audit.page(None, 10, action="key.revoke")
    assert (event.actor, event.object_id) == ("carl", principal.key_id)
    assert event.detail == {"subject": "ann", "role": "manager"}


async def test_each_deed_is_in_the_audit_trail_once(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Uploading, publishing, deleting, asking: who, what, and never a second row for a retry or a refusal."""
    id = await accepted(catalog, kb)
    await accepted(catalog, kb)
    for _ in range(2):
        await catalog.documents.publish(publishing(id, 1))
    await catalog.documents.delete(id, "bob")
    with pytest.raises(NotFound):
        await catalog.documents.delete(id, "bob")
    with pytest.raises(NameTaken):
        await created(catalog, kb.name)
    await catalog.questions.create(kb.id, "Why?", "extractive", None, "carl")
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    with engine.connect() as connection:
        rows = connection.execute(select(AuditRow.actor, AuditRow.action).order_by(AuditRow.id)).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [
        ("ann", "knowledge_base.create"), ("ann", "document.upload"), ("ann", "document.publish"),
        ("bob", "document.delete"), ("carl", "question.ask"),
    ]  # fmt: skip


async def trail(catalog: Catalog, action: str) -> list[tuple[str, str | None, str | None, dict[str, object]]]:
    """(actor, knowledge base, object, detail) of the events of an action, oldest first."""
    events = await catalog.audit.page(None, 100, action=action)
    return [(each.actor, each.knowledge_base, each.object_id, each.detail) for each in reversed(events)]


@pytest.mark.parametrize("state", ["failed", "canceled"])
async def test_a_failure_is_in_the_audit_trail_once(
    catalog: Catalog, kb: KnowledgeBase, state: Literal["failed", "canceled"]
) -> None:
    """With its reason's code and who uploaded the version, however often the step is repeated; a retry fails anew."""
    id = await accepted(catalog, kb)
    await asyncio.gather(*(catalog.documents.finish(id, 1, state, Reason("damaged", {"x": "y"})) for _ in range(3)))
    assert await trail(catalog, "document.fail") == [("ann", kb.name, id, {"version": 1, "code": "damaged"})]
    assert await catalog.intake.retry(id, 1, None, "ann")
    for _ in range(2):
        await catalog.documents.finish(id, 1, state, Reason("encrypted"))
    codes = [detail["code"] for _, _, _, detail in await trail(catalog, "document.fail")]
    assert codes == ["damaged", "encrypted"]


async def test_what_did_not_fail_is_not_in_the_audit_trail_as_failed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The end of a run whose version was superseded, published or never there."""
    id = await accepted(catalog, kb)
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    await catalog.documents.publish(publishing(id, 2))
    for version in (1, 2, 3):
        await catalog.documents.finish(id, version, "canceled", Reason("canceled"))
    assert await trail(catalog, "document.fail") == []


async def test_a_new_key_is_in_the_audit_trail(catalog: Catalog) -> None:
    """With its id and its role, never with the key itself."""
    key = await catalog.api_keys.create("ann", "admin")
    found = await catalog.api_keys.find(key)
    assert found is not None
    assert await trail(catalog, "key.create") == [("ann", None, found.key_id, {"role": "admin"})]


async def test_what_is_rolled_back_was_never_done(settings: Settings, catalog: Catalog) -> None:
    """An event of a transaction that fails is not there."""
    engine = Engine(settings.catalog_url)

    async def fail() -> None:
        async with engine.write() as transaction:
            transaction.audit("ann", "key.create", None, MISSING)
            await transaction.flush()
            raise NotFound(kind="key", id=MISSING)

    with pytest.raises(NotFound):
        await fail()
    await engine.close()
    assert await trail(catalog, "key.create") == []


# --- times, migrations, outages --------------------------------------------------------------------


async def test_every_time_comes_back_with_its_zone(catalog: Catalog, kb: KnowledgeBase) -> None:
    """SQLite forgets the zone; no reader ever sees that."""
    id = await accepted(catalog, kb)
    question = await catalog.questions.create(kb.id, "Why?", "extractive", None, "ann")
    await catalog.questions.record(RecordAnswerInput(question_id=question.id))
    read = [
        await catalog.knowledge_bases.get(kb.name),
        await catalog.documents.get(id),
        (await catalog.documents.page(kb.id, None, None, 1))[0],
        await catalog.questions.get(question.id),
    ]
    times = [value for record in read for value in msgspec.structs.astuple(record) if isinstance(value, datetime)]
    assert len(times) == 8
    assert all(time.utcoffset() is not None and time.utcoffset().total_seconds() == 0 for time in times)  # type: ignore[union-attr]


async def test_ids_sort_by_their_time() -> None:
    """Later ids sort after earlier ones, so that pages by id are pages by time."""
    ids = [new_id() for _ in range(2000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


async def test_the_migrations_make_the_tables_of_the_code(settings: Settings) -> None:
    """Autogeneration finds nothing to change after the last migration; upgrading again does nothing."""
    await upgrade(settings)
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Table.metadata) == []
        heads = ScriptDirectory.from_config(alembic_config(settings.catalog_url)).get_heads()
        assert list(context.get_current_heads()) == heads
        assert len(heads) == 1
    engine.dispose()


async def test_the_migrations_can_be_undone(settings: Settings) -> None:
    """Down to nothing and up again."""
    config = alembic_config(settings.catalog_url)
    engine = create_engine(f"sqlite:///{settings.data_dir / 'catalog.db'}")
    await asyncio.to_thread(command.downgrade, config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    await upgrade(settings)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(AuditRow)) == 0
    engine.dispose()


async def test_what_was_indexed_keeps_its_keys(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Keys move to the live generation's rows and back; indexes of the table that is written anew keep their scope."""
    one, two = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf")
    await catalog.documents.publish(publishing(one, 1))
    await catalog.documents.publish(msgspec.structs.replace(publishing(one, 1), chunks_key="shadow", generation=2))
    config = alembic_config(settings.catalog_url)
    await catalog.close()
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'versions' ORDER BY name"
    before = sql(settings, indexes)
    await asyncio.to_thread(command.downgrade, config, "0005")
    keys = sql(settings, "SELECT document_id, chunks_key, vectors_key FROM versions ORDER BY document_id")
    assert keys == [(one, "chunks/1", "vectors/1"), (two, None, None)]
    sql(settings, "UPDATE knowledge_bases SET generation = 7")
    await upgrade(settings)
    rows = sql(settings, "SELECT document_id, version, generation, chunks_key, vectors_key, rows FROM indexed_versions")
    assert rows == [(one, 1, 7, "chunks/1", "vectors/1", 3)]
    assert sql(settings, indexes) == before
    assert any("WHERE" in (definition or "") for _, definition in before)
    found = await catalog.documents.indexed(one, 1)
    assert found == IndexedVersion(generation=7, chunks_key="chunks/1", vectors_key="vectors/1", rows=3)
    await catalog.documents.delete(one, "ann")
    await catalog.documents.remove(one)
    assert sql(settings, "SELECT * FROM indexed_versions") == []


def test_the_migrations_can_be_printed_for_postgresql() -> None:
    """Without a database; names are unique among what is not deleted there too."""
    config = alembic_config("postgresql+asyncpg://u:p@h/d")
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    sql = config.output_buffer.getvalue()
    partial = "CREATE UNIQUE INDEX {} ON {} WHERE deleted_at IS NULL;"
    assert partial.format("uq_knowledge_bases_name_live", "knowledge_bases (name)") in sql
    assert partial.format("uq_documents_name_live", "documents (knowledge_base_id, name)") in sql
    assert "TIMESTAMP WITH TIME ZONE" in sql
    assert all(f"CREATE TABLE {table}" in sql for table in Table.metadata.tables)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
async def test_an_unreachable_database_is_an_outage(tmp_path: Path, kind: str) -> None:
    """Reading, writing and pinging raise CatalogUnavailable, never an error of the driver."""
    urls = {
        "postgresql": f"postgresql+asyncpg://u:secret@127.0.0.1:{free_port()}/d",
        "sqlite": f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'catalog.db'}",
    }
    catalog = Catalog(urls[kind])
    for action in (
        catalog.ping(),
        catalog.documents.get(MISSING),
        catalog.documents.accept(MISSING, "a.pdf", ONE, 7, "ann"),
        catalog.content_locks.begin_removal(ONE, MISSING),
        catalog.knowledge_bases.page(None, 1),
        catalog.questions.get(MISSING),
        catalog.api_keys.find("holdfast_x"),
    ):
        with pytest.raises(CatalogUnavailable) as caught:
            await action
        assert "secret" not in str(caught.value)
    await catalog.close()


async def test_a_database_without_tables_is_an_outage(tmp_path: Path) -> None:
    """Before `upgrade` work waits, it does not fail."""
    settings = msgspec.structs.replace(
        load({"HOLDFAST_DATA": str(tmp_path)}), catalog=CatalogSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'c.db'}")
    )
    catalog = Catalog(settings.catalog_url)
    await catalog.ping()
    with pytest.raises(CatalogUnavailable):
        await catalog.documents.get(MISSING)
    await catalog.close()


# --- what is put back in line, and what is removed --------------------------------------------------


async def test_many_notes_are_written_at_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Those with a reason and those without, in any order."""
    ids = [await accepted(catalog, kb, f"{n}.txt") for n in range(4)]
    await catalog.intake.dispatched([(id, 1) for id in ids])
    down = Reason("triton_unavailable", {"detail": "refused"})
    for reasons in ([None, down, None, down], [down, None, None, None]):
        await catalog.documents.record_progress(
            [
                RunProgress(
                    document_id=id, version=1, at=datetime.now(UTC), state="waiting" if reason else "running",
                    stage="embed", reason=reason, waiting_for="triton" if reason else None,
                )
                for id, reason in zip(ids, reasons, strict=True)
            ]
        )  # fmt: skip
        found = [await catalog.documents.get(id) for id in ids]
        assert [each.state for each in found] == ["waiting" if reason else "running" for reason in reasons]
        assert [each.reason for each in found] == reasons


async def test_the_last_word_of_a_run_that_was_cut_off_is_not_taken_for_a_new_one(
    catalog: Catalog, kb: KnowledgeBase
) -> None:
    """A version that is back in line stays queued, or nobody would ever start it."""
    id = await accepted(catalog, kb)
    note = RunProgress(
        document_id=id, version=1, at=datetime.now(UTC) + timedelta(hours=1), state="running", stage="embed"
    )
    await catalog.documents.record_progress([note])
    assert (await catalog.documents.get(id)).state == "queued"
    await catalog.intake.dispatched([(id, 1)])
    await catalog.documents.record_progress([note])
    assert (await catalog.documents.get(id)).state == "running"
    (stalled,) = await catalog.stalled_runs.versions(("", 0), 10, datetime.now(UTC) + timedelta(hours=2))
    assert await catalog.stalled_runs.return_to_queue(stalled)
    assert not await catalog.stalled_runs.return_to_queue(stalled)  # it is not as it was any more
    await catalog.documents.record_progress([note])
    assert [each.document_id for each in await catalog.intake.undispatched(10)] == [id]
    assert await catalog.stalled_runs.versions(("", 0), 10, datetime.now(UTC) + timedelta(hours=2)) == []


async def test_a_content_is_removed_by_one_and_only_if_nobody_uses_it(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Who comes second, or uploads meanwhile, is refused; an archive that is unpacked is in use."""
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
    assert not await catalog.content_locks.begin_stray_removal(ONE, "a" * 32)  # its deletion takes it along
    batch = await catalog.batches.create(kb.id, "a.zip", 1, "ann", closed=True, archive_sha256=TWO)
    assert not await catalog.content_locks.begin_stray_removal(TWO, "a" * 32)
    await catalog.batches.record_state(batch.id, "ready")
    assert await catalog.content_locks.begin_stray_removal(TWO, "a" * 32)


async def test_control_of_what_has_no_run_is_noted_with_the_change(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Hold, release, cancel and retry each write who did it, once, and nothing when nothing changed."""
    id = await accepted(catalog, kb)
    assert await catalog.intake.pause(id, 1, "ada")
    assert not await catalog.intake.pause(id, 1, "bob")
    assert await catalog.intake.resume(id, 1, "ada")
    assert not await catalog.intake.resume(id, 1, "bob")
    assert await catalog.intake.cancel(id, 1, "cyd")
    assert not await catalog.intake.cancel(id, 1, "bob")
    assert await catalog.intake.retry(id, 1, "embed", "dee")
    assert not await catalog.intake.retry(id, 1, "embed", "bob")
    events = [event for event in await catalog.audit.page(None, 100, action="document") if event.object_id == id]
    assert [(event.actor, event.action, event.detail) for event in reversed(events)][1:] == [
        ("ada", "document.pause", {"version": 1}),
        ("ada", "document.resume", {"version": 1}),
        ("cyd", "document.cancel", {"version": 1}),
        ("dee", "document.retry", {"version": 1, "from_step": "embed"}),
    ]
    assert {event.knowledge_base for event in events} == {"handbook"}
