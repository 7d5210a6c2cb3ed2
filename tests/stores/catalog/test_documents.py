"""Documents in the catalogue: versions, publishing, deletion and progress."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from activities.contracts.documents import Remark
from activities.errors import NotFound, Reason, StillInUse
from activities.phrases import RemarkText
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import IndexedVersion, KnowledgeBase, RunProgress
from api.documents.status import state_of
from api.documents.views import document_info
from tests.stores.catalog.conftest import MISSING, ONE, TWO, accepted, publishing, sql


async def test_an_upload_is_the_first_version_of_a_document(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It is queued, its actor is the uploader, and nothing of it is live yet."""
    taken = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    document = taken.document
    assert taken.created
    assert (document.name, document.version, document.state, document.live_version) == ("a.pdf", 1, "queued", None)
    assert (document.sha256, document.bytes, document.actor, document.chunks) == (ONE, 7, "ann", 0)
    assert await catalog.documents.get(document.id) == document
    assert await catalog.documents.live([document.id]) == {}


async def test_the_same_content_makes_no_new_version(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Uploading the latest version's content again returns that version, queued or ready."""
    first = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    again = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "bob")
    assert (again.created, again.document) == (False, first.document)
    await catalog.documents.publish(publishing(first.document.id, 1))
    assert not (await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")).created


async def test_other_content_is_the_next_version(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The document keeps its id; a return to older content is a new version too."""
    id = await accepted(catalog, kb)
    second = await catalog.documents.accept(kb.id, "a.pdf", TWO, 8, "bob")
    assert (second.created, second.document.id, second.document.version) == (True, id, 2)
    third = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    assert (third.created, third.document.id, third.document.version) == (True, id, 3)


@pytest.mark.parametrize("state", ["failed", "canceled"])
async def test_content_of_a_failed_version_can_be_uploaded_again(
    catalog: Catalog, kb: KnowledgeBase, state: str
) -> None:
    """After a failure or cancellation the same bytes are a new version; the old one keeps its reason."""
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
    """An unknown and a deleted knowledge base are both refused."""
    with pytest.raises(NotFound):
        await catalog.documents.accept(MISSING, "a.pdf", ONE, 7, "ann")
    await catalog.knowledge_bases.delete(kb.name, "ann")
    with pytest.raises(NotFound):
        await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")


async def test_pages_go_through_all_documents_newest_first(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Each page begins after the last document of the page before; a state filters them."""
    ids = [await accepted(catalog, kb, f"{n}.pdf") for n in range(5)]
    await catalog.documents.publish(publishing(ids[2], 1))
    first = await catalog.documents.page(kb.id, None, None, 2)
    second = await catalog.documents.page(kb.id, None, first[-1].id, 2)
    third = await catalog.documents.page(kb.id, None, second[-1].id, 2)
    assert [document.id for document in first + second + third] == ids[::-1]
    assert [document.id for document in await catalog.documents.page(kb.id, "ready", None, 9)] == [ids[2]]
    assert (await catalog.backlog.of_knowledge_base(kb.id)).documents == 4
    assert await catalog.knowledge_bases.counts([kb.id]) == {kb.id: {"queued": 4, "ready": 1}}


async def test_a_version_keeps_its_remarks(catalog: Catalog, kb: KnowledgeBase) -> None:
    """They come with its publication; the API says each in the reader's language, and those it knows."""
    id = await accepted(catalog, kb)
    assert (await catalog.documents.get(id)).remarks == []
    said = [Remark(kind=RemarkText.PICTURES.code, count=3), Remark(kind="of-a-later-version", count=1)]
    await catalog.documents.publish(msgspec.structs.replace(publishing(id, 1), remarks=said))
    document = await catalog.documents.get(id)
    assert document.remarks == said
    assert [remark.text for remark in document_info(document, "en").remarks] == ["pictures without readable text: 3"]
    assert [remark.text for remark in state_of(document, "zh").remarks] == ["没有可读文字的图片：3"]


async def test_publishing_makes_a_version_live(catalog: Catalog, kb: KnowledgeBase) -> None:
    """It returns the version that it replaced, and keeps the version's blob keys; publishing twice returns the same."""
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
    """An older version that is ready later retires itself as superseded."""
    id = await accepted(catalog, kb)
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    assert (await catalog.documents.publish(publishing(id, 2))).live
    late = await catalog.documents.publish(publishing(id, 1))
    assert (late.live, late.retired) == (False, [1])
    assert (await catalog.documents.live([id]))[id].version == 2
    assert (await catalog.documents.get(id)).version == 2


async def test_a_deleted_document_is_never_published(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A version that is ready after the deletion retires itself, also when the document's rows are gone."""
    id = await accepted(catalog, kb)
    await catalog.documents.delete(id, "ann")
    late = await catalog.documents.publish(publishing(id, 1))
    assert (late.live, late.retired) == (False, [1])
    assert await catalog.documents.live([id]) == {}
    await catalog.documents.remove(id)
    forgotten = await catalog.documents.publish(publishing(id, 1))
    assert (forgotten.live, forgotten.retired) == (False, [1])


async def test_a_canceled_version_is_not_published(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The first of the two wins: a late publication retires itself, a late cancellation reports the publication."""
    id = await accepted(catalog, kb)
    assert not await catalog.documents.finish(id, 1, "canceled", Reason("canceled"))
    late = await catalog.documents.publish(publishing(id, 1))
    assert (late.live, late.retired) == (False, [1])
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    await catalog.documents.publish(publishing(id, 2))
    assert await catalog.documents.finish(id, 2, "canceled", Reason("canceled"))
    assert (await catalog.documents.live([id]))[id].version == 2


SECOND_GENERATION = """
INSERT INTO generations (knowledge_base_id, generation, collection, model, model_fingerprint, created_at)
SELECT knowledge_base_id, 2, 'kb_g2', 'm', 'f', created_at FROM generations
"""


async def test_a_version_is_published_into_one_generation(
    settings: Settings, catalog: Catalog, kb: KnowledgeBase
) -> None:
    """The catalogue keeps its keys by generation; the default is the live one, and the latest publication counts."""
    id = await accepted(catalog, kb)
    (dispatch,) = await catalog.intake.undispatched(10)
    assert dispatch.generation == 1
    await catalog.documents.publish(publishing(id, 1))
    await sql(settings, SECOND_GENERATION)
    shadow = msgspec.structs.replace(publishing(id, 1), chunks_key="chunks/s", vectors_key="vectors/s", generation=2)
    for chunks in (4, 5):
        await catalog.documents.publish(msgspec.structs.replace(shadow, chunks=chunks))
    live = IndexedVersion(generation=1, chunks_key="chunks/1", vectors_key="vectors/1", rows=3)
    other = IndexedVersion(generation=2, chunks_key="chunks/s", vectors_key="vectors/s", rows=5)
    assert [await catalog.documents.indexed(id, 1, number) for number in (None, 1, 2, 3)] == [live, live, other, None]
    assert [each.vectors_key for each in await catalog.documents.blobs(id, 2)] == ["vectors/s"]
    assert [each.vectors_key for each in await catalog.documents.blobs(id, 3)] == [None]
    keys = ["chunks/1", "chunks/s", "chunks/0", "vectors/1", "vectors/s"]
    assert await catalog.references.chunks(keys) == {"chunks/1", "chunks/s"}
    assert await catalog.references.vectors(keys) == {"vectors/1", "vectors/s"}
    await sql(settings, "UPDATE knowledge_bases SET generation = 2")
    assert await catalog.documents.indexed(id, 1) == other
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    assert [each.generation for each in await catalog.intake.undispatched(10) if each.version == 2] == [2]


async def test_what_is_live_is_compared_by_generation(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Row count and keys of a live version differ between generations; a missing one is reported as such."""
    id = await accepted(catalog, kb)
    first = await catalog.knowledge_bases.generation(kb.id)
    await catalog.documents.publish(publishing(id, 1))
    await sql(settings, SECOND_GENERATION)
    second = await catalog.knowledge_bases.generation(kb.id, 2)
    assert (first.generation, second.generation, second.collection) == (1, 2, "kb_g2")
    with pytest.raises(NotFound):
        await catalog.knowledge_bases.generation(kb.id, 3)
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
    """The records of its versions in each generation are removed too."""
    id = await accepted(catalog, kb)
    await sql(settings, SECOND_GENERATION)
    await catalog.documents.publish(publishing(id, 1))
    await catalog.documents.publish(msgspec.structs.replace(publishing(id, 1), generation=2))
    assert len(await sql(settings, "SELECT * FROM indexed_versions")) == 2
    await catalog.documents.delete(id, "ann")
    await catalog.documents.remove(id)
    assert await sql(settings, "SELECT * FROM indexed_versions") == []


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
    assert [blobs.parsed_key for blobs in await catalog.documents.blobs(id)] == ["parsed/1"]
    await catalog.documents.remove(id)
    assert await catalog.documents.blobs(id) == []


async def test_only_what_is_deleted_may_be_purged(catalog: Catalog, kb: KnowledgeBase, settings: Settings) -> None:
    """Documents and knowledge bases; what does not exist may be purged too: its rows belong to nothing."""
    id, other = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf", TWO)
    await catalog.documents.publish(publishing(id, 1))
    assert await catalog.documents.live_version(id) == 1
    for check in (
        catalog.documents.require_deleted(id),
        catalog.knowledge_bases.require_deleted(kb.id),
        catalog.documents.of_deleted(kb.id),
    ):
        with pytest.raises(StillInUse):
            await check
    await catalog.documents.delete(id, "ann")
    await catalog.documents.require_deleted(id)
    assert await catalog.documents.live_version(id) is None
    with pytest.raises(StillInUse):
        await catalog.documents.require_deleted(other)
    await catalog.knowledge_bases.delete(kb.name, "ann")
    await catalog.knowledge_bases.require_deleted(kb.id)
    await catalog.documents.require_deleted(MISSING)
    await catalog.knowledge_bases.require_deleted(MISSING)
    assert await catalog.documents.of_deleted(MISSING) == []


async def test_an_upload_into_a_deleted_knowledge_base_is_removed_with_it(
    catalog: Catalog, kb: KnowledgeBase, settings: Settings
) -> None:
    """A document that slipped in during the deletion is deleted by who deleted the knowledge base."""
    early, late = await accepted(catalog, kb), await accepted(catalog, kb, "late.pdf", TWO)
    await catalog.knowledge_bases.delete(kb.name, "bob")
    undelete = "UPDATE documents SET deleted_at = NULL, deleted_by = NULL, live_version = 1"
    await sql(settings, f"{undelete} WHERE id = '{late}'")
    await catalog.documents.require_deleted(late)
    assert sorted(await catalog.documents.of_deleted(kb.id)) == sorted([early, late])
    assert await sql(settings, "SELECT deleted_by, live_version FROM documents") == [("bob", None), ("bob", None)]
    for id in (early, late):
        await catalog.documents.remove(id)
    assert await sql(settings, "SELECT id FROM documents") == []


async def test_the_name_is_free_again_after_a_deletion(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The same name is a new document, even before the old one is removed."""
    old = await accepted(catalog, kb)
    await catalog.documents.delete(old, "ann")
    new = await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    assert new.created
    assert new.document.id != old
    assert new.document.version == 1


async def test_only_what_is_deleted_can_be_removed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Removing a visible document does nothing."""
    id = await accepted(catalog, kb)
    await catalog.documents.remove(id)
    assert (await catalog.documents.get(id)).version == 1


async def test_progress_of_many_runs_is_written_at_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """With and without reasons, in any order."""
    ids = [await accepted(catalog, kb, f"{n}.txt") for n in range(4)]
    await catalog.intake.dispatched(await catalog.intake.undispatched(10))
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


async def test_late_progress_of_a_terminated_run_is_ignored(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A version that was requeued stays queued; otherwise no run would ever start for it."""
    id = await accepted(catalog, kb)
    note = RunProgress(
        document_id=id, version=1, at=datetime.now(UTC) + timedelta(hours=1), state="running", stage="embed"
    )
    await catalog.documents.record_progress([note])
    assert (await catalog.documents.get(id)).state == "queued"
    await catalog.intake.dispatched(await catalog.intake.undispatched(10))
    await catalog.documents.record_progress([note])
    assert (await catalog.documents.get(id)).state == "running"
    (stalled,) = await catalog.stalled_runs.versions(("", 0), 10, datetime.now(UTC) + timedelta(hours=2))
    assert await catalog.stalled_runs.return_to_queue(stalled)
    assert not await catalog.stalled_runs.return_to_queue(stalled)  # its state has changed since
    await catalog.documents.record_progress([note])
    assert [each.document_id for each in await catalog.intake.undispatched(10)] == [id]
    assert await catalog.stalled_runs.versions(("", 0), 10, datetime.now(UTC) + timedelta(hours=2)) == []
