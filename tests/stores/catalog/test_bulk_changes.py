"""Changes of many documents: which they reach, what they do to each, and that nothing is done twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from activities.contracts.bulk import BulkAction, BulkRequested
from activities.contracts.names import MAX_TAGS
from activities.contracts.selection import DocumentFilter
from activities.errors import EmptyDocument, InvalidRequest, NotFound, SelectionChanged, WrongState
from activities.settings import Settings
from activities.stores.catalog import bulk_changes
from activities.stores.catalog.bulk_changes import STALLED, BulkChange
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import BulkChangeRow, DocumentRow, now
from tests.stores.catalog.conftest import MISSING, accepted, created, publishing, sql

ALL = DocumentFilter()


async def failed(catalog: Catalog, kb: KnowledgeBase, name: str) -> str:
    id = await accepted(catalog, kb, name, f"{hash(name) % 10**12:064}")
    await catalog.documents.finish(id, 1, "failed", EmptyDocument().reason)
    return id


async def ready(catalog: Catalog, kb: KnowledgeBase, name: str) -> str:
    id = await accepted(catalog, kb, name, f"{hash(name) % 10**12:064}")
    await catalog.documents.publish(publishing(id, 1))
    return id


async def asked(
    catalog: Catalog,
    kb: KnowledgeBase,
    action: BulkAction,
    *,
    ids: list[str] | None = None,
    filter: DocumentFilter | None = None,
    tag: str | None = None,
) -> str:
    """Record a change; its id."""
    wanted = BulkRequested(knowledge_base_id=kb.id, action=action, actor="ada", ids=ids, filter=filter, tag=tag)
    return (await catalog.bulk_changes.create(wanted)).id


async def made(catalog: Catalog, id: str, limit: int = 2) -> BulkChange:
    """Make a change in steps, up to the end or to what it waits for."""
    while True:
        step = await catalog.bulk_changes.step(id, limit)
        if step.ended or step.waits:
            return await catalog.bulk_changes.get(id)


async def names(catalog: Catalog, kb: KnowledgeBase) -> set[str]:
    return {each.name for each in (await catalog.document_list.page(kb.id)).documents}


async def test_what_matches_is_deleted_and_what_came_later_is_not(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Each with its audit event; the change ends when the data of the last one are removed."""
    gone = [await ready(catalog, kb, f"old {n}.md") for n in range(5)]
    await ready(catalog, kb, "kept.md")
    id = await asked(catalog, kb, "delete", filter=DocumentFilter(search="OLD"))
    await ready(catalog, kb, "old but later.md")
    change = await made(catalog, id)
    assert (change.changed, change.unchanged, change.failed, change.total) == (5, 0, 0, 5)
    assert (change.state, change.stage, change.finished_at) == ("running", "purge", None)
    assert await names(catalog, kb) == {"kept.md", "old but later.md"}
    events = await catalog.audit.page(None, 100, action="document.delete")
    assert {event.object_id for event in events} == set(gone)
    assert {(event.actor, event.detail["bulk"]) for event in events} == {("ada", id)}
    (request,) = await catalog.audit.page(None, 9, action="documents.delete")
    assert request.detail == {"documents": 5, "filter": {"search": "OLD"}}
    assert [each.id for each in await catalog.bulk_changes.to_purge(id)] == gone
    for document in gone:
        await catalog.documents.remove(document)
    assert await catalog.bulk_changes.to_purge(id) == []
    assert (await catalog.bulk_changes.get(id)).state == "ready"


async def test_only_what_failed_or_was_canceled_is_retried(catalog: Catalog, kb: KnowledgeBase) -> None:
    """What is ready or under way is unchanged."""
    again = await failed(catalog, kb, "failed.md")
    await ready(catalog, kb, "ready.md")
    await accepted(catalog, kb, "queued.md")
    change = await made(catalog, await asked(catalog, kb, "retry", filter=ALL))
    assert (change.changed, change.unchanged, change.failed, change.state) == (1, 2, 0, "ready")
    assert (await catalog.documents.get(again)).state == "queued"
    assert again in [each.document_id for each in await catalog.intake.undispatched(9)]


async def test_few_are_retried_at_once(catalog: Catalog, kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest waits until some of them have ended, so that uploads do not wait for thousands."""
    monkeypatch.setattr(bulk_changes, "RETRIED_AT_ONCE", 3)
    for n in range(5):
        await failed(catalog, kb, f"{n}.md")
    id = await asked(catalog, kb, "retry", filter=DocumentFilter(state="failed"))
    assert (await made(catalog, id)).changed == 3
    for document in await catalog.intake.undispatched(9):
        await catalog.documents.finish(document.document_id, 1, "failed", EmptyDocument().reason, document.run)
    assert (await made(catalog, id)).changed == 5


async def test_tags_are_added_and_removed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """What has the tag already is unchanged; a document with too many says so, and holds up no other."""
    plain, tagged, full = [await ready(catalog, kb, f"{n}.md") for n in "abc"]
    await catalog.documents.tag(tagged, ["law", "old"], "ann")
    await catalog.documents.tag(full, [f"t{n}" for n in range(MAX_TAGS)], "ann")
    change = await made(catalog, await asked(catalog, kb, "tag", filter=ALL, tag="law"))
    assert (change.changed, change.unchanged, change.failed, change.state) == (1, 1, 1, "ready")
    assert [(each.id, each.name, each.reason.code) for each in change.failures] == [(full, "c.md", "invalid-request")]
    assert (await catalog.documents.get(plain)).tags == ["law"]
    change = await made(catalog, await asked(catalog, kb, "untag", filter=DocumentFilter(tag="law"), tag="law"))
    assert (change.changed, change.unchanged, change.failed) == (2, 0, 0)
    assert (await catalog.documents.get(tagged)).tags == ["old"]


async def test_named_documents_are_changed_and_no_others(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Ids that are gone, of another knowledge base or of nothing fail alike, and each once."""
    mine = await ready(catalog, kb, "mine.md")
    foreign = await ready(catalog, await created(catalog, "other"), "theirs.md")
    gone = await ready(catalog, kb, "gone.md")
    await catalog.documents.delete(gone, "ann")
    id = await asked(catalog, kb, "delete", ids=[mine, foreign, gone, MISSING, mine])
    change = await made(catalog, id)
    assert (change.total, change.changed, change.failed) == (4, 1, 3)
    assert {each.id for each in change.failures} == {foreign, gone, MISSING}
    assert {(each.name, each.reason.code) for each in change.failures} == {("", "not-found")}
    assert (await catalog.documents.get(foreign)).name == "theirs.md"


async def test_a_document_that_does_not_match_any_more_is_left(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A failed one that was retried by hand in the meantime is not deleted as failed."""
    ids = [await failed(catalog, kb, f"{n}.md") for n in range(3)]
    id = await asked(catalog, kb, "delete", filter=DocumentFilter(state="failed"))
    assert await catalog.intake.retry(ids[2], 1, None, "ann")
    change = await made(catalog, id)
    assert (change.changed, change.unchanged) == (2, 0)
    assert await names(catalog, kb) == {"2.md"}


async def test_nothing_to_change_is_an_error(catalog: Catalog, kb: KnowledgeBase) -> None:
    """And so is more than was confirmed; nothing is recorded."""
    with pytest.raises(InvalidRequest, match="no document matches"):
        await asked(catalog, kb, "delete", filter=ALL)
    await ready(catalog, kb, "a.md")
    await ready(catalog, kb, "b.md")
    wanted = BulkRequested(knowledge_base_id=kb.id, action="delete", actor="ada", filter=ALL)
    with pytest.raises(SelectionChanged, match="2 documents match by now, and not 1"):
        await catalog.bulk_changes.create(wanted, expected=1)
    assert await catalog.bulk_changes.page(kb.id, None, 9) == []
    assert (await catalog.bulk_changes.create(wanted, expected=3)).total == 2


async def test_a_change_ends_with_its_knowledge_base(catalog: Catalog, kb: KnowledgeBase) -> None:
    """What is left is the deletion's."""
    await ready(catalog, kb, "a.md")
    id = await asked(catalog, kb, "tag", filter=ALL, tag="x")
    await catalog.knowledge_bases.delete(kb.name, "ann")
    assert (await catalog.bulk_changes.step(id, 9)).ended
    assert await catalog.bulk_changes.undispatched() == []
    with pytest.raises(NotFound):
        await catalog.bulk_changes.get(id)
    with pytest.raises(NotFound):
        await asked(catalog, kb, "tag", ids=[MISSING], tag="x")


async def test_a_silent_change_is_started_again(catalog: Catalog, kb: KnowledgeBase, settings: Settings) -> None:
    """One that has a run is left to it, and one that has ended is over."""
    await ready(catalog, kb, "a.md")
    id = await asked(catalog, kb, "tag", filter=ALL, tag="x")
    (job,) = await catalog.bulk_changes.undispatched()
    assert (job.bulk_id, job.knowledge_base, job.action, job.documents, job.tag) == (id, kb.name, "tag", 1, "x")
    await catalog.bulk_changes.dispatched(id)
    assert await catalog.bulk_changes.undispatched() == []
    await sql(settings, update(BulkChangeRow).values(updated_at=now() - STALLED - timedelta(seconds=1)))
    assert [each.bulk_id for each in await catalog.bulk_changes.undispatched()] == [id]
    await made(catalog, id)
    await sql(settings, update(BulkChangeRow).values(updated_at=now() - STALLED - timedelta(seconds=1)))
    assert await catalog.bulk_changes.undispatched() == []
    assert (await sql(settings, select(DocumentRow.deleted_at)))[0][0] is None


async def test_a_canceled_change_leaves_what_it_has_done(catalog: Catalog, kb: KnowledgeBase) -> None:
    """No document more is changed; what was counted stays, and whoever canceled it is told."""
    for n in range(5):
        await ready(catalog, kb, f"{n}.md")
    id = await asked(catalog, kb, "tag", filter=ALL, tag="hr")
    await catalog.bulk_changes.step(id, 2)
    canceled = await catalog.bulk_changes.cancel(id, "bob")
    assert (canceled.state, canceled.changed, canceled.total, canceled.canceled_by) == ("canceled", 2, 5, "bob")
    step = await catalog.bulk_changes.step(id, 2)
    assert (step.ended, step.done, step.canceled_by) == (True, 2, "bob")
    tagged = await catalog.document_list.page(kb.id, DocumentFilter(tag="hr"))
    assert len(tagged.documents) == 2
    assert await catalog.bulk_changes.undispatched() == []
    (event,) = await catalog.audit.page(None, 9, action="documents.cancel")
    assert (event.actor, event.detail) == ("bob", {"change": "tag", "changed": 2})
    with pytest.raises(WrongState, match="canceled"):
        await catalog.bulk_changes.cancel(id, "bob")
    with pytest.raises(NotFound):
        await catalog.bulk_changes.cancel(MISSING, "bob")


async def test_a_canceled_deletion_removes_the_data_of_what_it_deleted(catalog: Catalog, kb: KnowledgeBase) -> None:
    """And keeps the other documents; one that has deleted nothing ends at once, one that has deleted all goes on."""
    for n in range(3):
        await ready(catalog, kb, f"{n}.md")
    id = await asked(catalog, kb, "delete", filter=ALL)
    await catalog.bulk_changes.step(id, 1)
    canceled = await catalog.bulk_changes.cancel(id, "bob")
    assert (canceled.state, canceled.stage, canceled.changed) == ("running", "purge", 1)
    assert (await catalog.bulk_changes.step(id, 1)).ended
    (gone,) = await catalog.bulk_changes.to_purge(id)
    await catalog.documents.remove(gone.id)
    assert await catalog.bulk_changes.to_purge(id) == []
    assert (await catalog.bulk_changes.get(id)).state == "canceled"
    assert len(await names(catalog, kb)) == 2
    nothing = await asked(catalog, kb, "delete", filter=ALL)
    assert (await catalog.bulk_changes.cancel(nothing, "bob")).state == "canceled"
    everything = await asked(catalog, kb, "delete", filter=ALL)
    await made(catalog, everything)
    with pytest.raises(WrongState, match="purge"):
        await catalog.bulk_changes.cancel(everything, "bob")
