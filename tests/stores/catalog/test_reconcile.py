"""What Reconcile asks the catalogue: work without a run, files of live versions, versions that are kept no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from activities.contracts.questions import RecordAnswerInput
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, Upload
from tests.stores.catalog.conftest import MISSING, ONE, TWO, accepted, created, publishing, sql

LONG_AGO, TOMORROW = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)


async def test_queued_documents_that_nobody_started_are_found(
    catalog: Catalog, kb: KnowledgeBase, settings: Settings
) -> None:
    """Those that the dispatcher should start; not those of a batch, of a deleted knowledge base, or young ones."""
    one, two = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf", TWO)
    batch = await catalog.batches.create(kb.id, "batch", 2, "ann", closed=True)
    upload = Upload(knowledge_base_id=kb.id, name="c.pdf", sha256=ONE, bytes=7, actor="ann", batch_id=batch.id)
    await catalog.intake.accept([upload])
    found = await catalog.stalled_runs.unstarted(("", 0), 9, TOMORROW)
    assert [(each.document_id, each.knowledge_base, each.actor) for each in found] == [
        (one, kb.name, "ann"), (two, kb.name, "ann"),
    ]  # fmt: skip
    assert [each.document_id for each in await catalog.stalled_runs.unstarted((one, 1), 9, TOMORROW)] == [two]
    assert await catalog.stalled_runs.unstarted(("", 0), 9, LONG_AGO) == []
    await catalog.intake.dispatched(found[:1])
    assert [each.document_id for each in await catalog.stalled_runs.unstarted(("", 0), 9, TOMORROW)] == [two]
    (waiting,) = await catalog.stalled_runs.unstarted_batches("", 9, TOMORROW)
    assert (waiting.batch_id, waiting.knowledge_base, waiting.parallelism) == (batch.id, kb.name, 2)
    assert await catalog.stalled_runs.unstarted_batches("", 9, LONG_AGO) == []
    await catalog.batches.create(kb.id, "still empty", 2, "ann", closed=False)
    assert len(await catalog.stalled_runs.unstarted_batches("", 9, TOMORROW)) == 1
    await catalog.batches.dispatched(batch.id)
    assert await catalog.stalled_runs.unstarted_batches("", 9, TOMORROW) == []
    await sql(settings, "UPDATE knowledge_bases SET deleted_at = '2026-01-01 00:00:00.000000'")
    assert await catalog.stalled_runs.unstarted(("", 0), 9, TOMORROW) == []


async def test_questions_without_an_outcome_are_found_and_ended(catalog: Catalog, kb: KnowledgeBase) -> None:
    """An interrupted one has failed with its reason; one that was recorded meanwhile is not changed."""
    lost, answered = [await catalog.questions.create(kb.id, f"{n}?", "extractive", None, "ann") for n in range(2)]
    assert await catalog.stalled_runs.questions("", 9, TOMORROW) == [lost.id, answered.id]
    assert await catalog.stalled_runs.questions(lost.id, 9, TOMORROW) == [answered.id]
    assert await catalog.stalled_runs.questions("", 9, LONG_AGO) == []
    await catalog.questions.record(RecordAnswerInput(question_id=answered.id, canceled=True))
    for question in (lost, answered):
        await catalog.questions.interrupt(question.id)
    ended = await catalog.questions.get(lost.id)
    assert (ended.state, ended.reason and ended.reason.code) == ("failed", "interrupted")
    assert (await catalog.questions.get(answered.id)).state == "canceled"
    assert await catalog.stalled_runs.questions("", 9, TOMORROW) == []


async def test_the_files_of_live_versions_are_listed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """All in pages, or a sample; a version that was replaced is not live any more."""
    one, two = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf", TWO)
    await accepted(catalog, kb, "queued.pdf")
    for id in (one, two):
        await catalog.documents.publish(publishing(id, 1))
    first, second = await catalog.references.live_files("", 9)
    assert (first.document_id, first.version, first.name, first.knowledge_base) == (one, 1, "a.pdf", kb.name)
    assert (first.sha256, first.chunks_key, first.vectors_key) == (ONE, "chunks/1", "vectors/1")
    assert await catalog.references.live_files(one, 9) == [second]
    assert sorted(each.document_id for each in await catalog.references.sampled_files(9)) == sorted([one, two])
    assert len(await catalog.references.sampled_files(1)) == 1
    assert await catalog.references.still_live(first)
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    await catalog.documents.publish(publishing(one, 2))
    assert not await catalog.references.still_live(first)
    await catalog.documents.delete(two, "ann")
    assert not await catalog.references.still_live(second)


async def test_versions_that_were_replaced_long_ago_are_forgotten(
    catalog: Catalog, kb: KnowledgeBase, settings: Settings
) -> None:
    """Never the live version or a pending one; the audit trail keeps that there was one."""
    id = await accepted(catalog, kb)
    await catalog.documents.publish(publishing(id, 1))
    await catalog.documents.accept(kb.id, "a.pdf", TWO, 7, "ann")
    assert await catalog.retention.expired(("", 0), 9, TOMORROW, forget=True) == []  # not replaced yet
    await catalog.documents.publish(publishing(id, 2))
    await catalog.documents.accept(kb.id, "a.pdf", ONE, 7, "ann")
    assert await catalog.retention.expired(("", 0), 9, LONG_AGO, forget=True) == []
    assert await catalog.retention.expired(("", 0), 9, TOMORROW, forget=False) == [(id, 1, "a.pdf")]
    assert await catalog.retention.expired((id, 1), 9, TOMORROW, forget=False) == []
    assert await catalog.retention.expired(("", 0), 9, TOMORROW, forget=True) == [(id, 1, "a.pdf")]
    assert await sql(settings, "SELECT version FROM versions ORDER BY version") == [(2,), (3,)]
    assert await sql(settings, "SELECT version FROM indexed_versions") == [(2,)]
    ((actor, object_id),) = await sql(
        settings, "SELECT actor, object_id FROM audit_events WHERE action = 'document.expire'"
    )
    assert (actor, object_id) == ("system", id)
    assert await catalog.references.contents([ONE, TWO]) == {ONE, TWO}  # version 3 has the content of version 1 again


async def test_only_deletions_with_something_left_are_unfinished(
    catalog: Catalog, kb: KnowledgeBase, settings: Settings
) -> None:
    """Documents or a collection; the deletion belongs to who asked for it."""
    done = await created(catalog, "done")
    id = await accepted(catalog, kb)
    for each in (kb, done):
        await catalog.knowledge_bases.delete(each.name, "bob")
    (left,) = await catalog.stalled_runs.deleted_with_documents(TOMORROW)
    assert (left.id, left.deleted_by) == (kb.id, "bob")
    assert await catalog.stalled_runs.deleted_with_documents(LONG_AGO) == []
    assert await catalog.stalled_runs.deleted_with_collections([f"kb_{MISSING}_g1"], TOMORROW) == []
    found = await catalog.stalled_runs.deleted_with_collections([f"kb_{done.id}_g1"], TOMORROW)
    assert [each.id for each in found] == [done.id]
    await catalog.documents.remove(id)
    await sql(settings, "UPDATE knowledge_bases SET deleted_by = NULL")
    assert await catalog.stalled_runs.deleted_with_documents(TOMORROW) == []
    (found_again,) = await catalog.stalled_runs.deleted_with_collections([f"kb_{done.id}_g1"], TOMORROW)
    assert found_again == msgspec.structs.replace(found[0], deleted_by="system")
