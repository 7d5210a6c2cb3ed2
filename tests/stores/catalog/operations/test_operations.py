"""What operators see of the catalogue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from activities.contracts.bulk import BulkRequested
from activities.contracts.documents import Chunking
from activities.contracts.questions import Answered, RecordAnswerInput
from activities.contracts.reindex import RecordReindexInput, ReindexToRun
from activities.contracts.reindex_all import AllSettings
from activities.contracts.sync import RecordSyncInput
from activities.errors import DamagedDocument, EmptyDocument, Reason
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, RunProgress
from activities.stores.catalog.tables import now
from tests.stores.catalog.conftest import accepted, created, publishing, sql
from tests.stores.catalog.test_sources import made


async def started(catalog: Catalog, kb: KnowledgeBase, name: str) -> str:
    """A document with a run."""
    id = await accepted(catalog, kb, name)
    (document,) = [each for each in await catalog.intake.undispatched(100) if each.document_id == id]
    await catalog.intake.dispatched([document])
    return id


async def failed(catalog: Catalog, kb: KnowledgeBase, name: str, reason: Reason) -> str:
    """A document that failed."""
    id = await accepted(catalog, kb, name)
    await catalog.documents.finish(id, 1, "failed", reason)
    return id


async def reindexing(catalog: Catalog, kb: KnowledgeBase) -> str:
    """A re-index that builds."""
    asked = ReindexToRun(
        reindex_id="", knowledge_base_id=kb.id, knowledge_base=kb.name, generation=0, previous=0, chunking=Chunking(),
        actor="ann",
    )  # fmt: skip
    id = (await catalog.reindexes.create(asked)).id
    await catalog.reindexes.record(RecordReindexInput(reindex_id=id, state="running", stage="build"))
    return id


async def test_jobs_that_were_started_come_first(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Then those that wait for a run; each part newest first, over all kinds and pages. Ended ones are left out."""
    waiting = [await accepted(catalog, kb, f"{n}.md") for n in range(2)]
    first = await started(catalog, kb, "first.md")
    batch = await catalog.batches.create(kb.id, "files", 4, "ann", closed=True)
    await catalog.batches.record_state(batch.id, "running")
    gone = await accepted(catalog, kb, "gone.md")
    await catalog.documents.publish(publishing(gone, 1))
    await catalog.documents.delete(gone, "ann")
    reindex = await reindexing(catalog, kb)
    question = await catalog.questions.create(kb.id, "How much leave?", "extractive", None, "ann")
    await failed(catalog, kb, "bad.md", EmptyDocument().reason)
    last = await started(catalog, kb, "last.md")
    expected = [last, question.id, reindex, gone, batch.id, first, waiting[1], waiting[0]]
    for limit in (1, 3, 20):
        found, after = [], None
        while page := await catalog.operations.jobs.page(after, limit):
            found += page
            after = page[-1].position
        assert [job.id for job in found] == expected
    assert [job.kind for job in found[:5]] == ["document", "question", "reindex", "deletion", "batch"]
    assert [job.name for job in found] == ["last.md", "", "", "gone.md", "files", "first.md", "1.md", "0.md"]
    assert {job.knowledge_base for job in found} == {"handbook"}
    assert [job.id for job in await catalog.operations.jobs.page(None, 9, "document")] == [last, first, *waiting[::-1]]
    assert await catalog.operations.jobs.counts() == {
        "document": {"queued": 4},
        "batch": {"running": 1},
        "deletion": {"running": 1},
        "sync": {},
        "bulk_change": {},
        "reindex": {"running": 1},
        "reindex_all": {},
        "question": {"running": 1},
    }


async def test_a_job_tells_its_progress_and_what_it_waits_for(catalog: Catalog, kb: KnowledgeBase) -> None:
    """As the worker last recorded it; without a run there is none, and the oldest that waits is told."""
    before = now()
    assert (await catalog.operations.jobs.not_started()).documents == 0
    id = await started(catalog, kb, "a.md")
    reason = Reason("triton-unavailable", {"detail": "refused"})
    note = RunProgress(
        document_id=id, version=1, at=now(), state="waiting", stage="embed", done=3, total=9, waiting_for="triton",
        reason=reason, eta_seconds=4.0,
    )  # fmt: skip
    await catalog.documents.record_progress([note])
    (job,) = await catalog.operations.jobs.page(None, 9)
    assert (job.state, job.stage, job.done, job.total, job.waiting_for) == ("waiting", "embed", 3, 9, "triton")
    assert (job.reason, job.eta_seconds, job.workflow_id) == (reason, 4.0, f"ingest/{id}/1")
    await accepted(catalog, kb, "b.md")
    paused = await accepted(catalog, kb, "c.md")
    await catalog.intake.pause(paused, 1, "ann")
    waits = await catalog.operations.jobs.not_started()
    assert waits.documents == 1
    assert waits.since is not None
    assert before < waits.since < now()


async def test_a_sync_that_waits_for_a_confirmation_is_listed_with_its_reason(
    catalog: Catalog, kb: KnowledgeBase
) -> None:
    """Until it has ended; previews are not listed."""
    source = await made(catalog, kb)
    sync = await catalog.syncs.start(source.id, "monday", "ann", preview=False)
    await catalog.syncs.start(source.id, "", "ann", preview=True)
    (job,) = await catalog.operations.jobs.page(None, 9)
    assert (job.id, job.state, job.started) == (sync.id, "queued", False)
    reason = Reason("many-deletions", {"deleted": "8", "documents": "9"})
    note = RecordSyncInput(
        sync_id=sync.id, state="waiting", stage="confirm", total=8, waiting_for="confirmation", reason=reason
    )
    await catalog.syncs.record(note)
    (job,) = await catalog.operations.jobs.page(None, 9)
    assert (job.kind, job.name, job.knowledge_base, job.started) == ("sync", "docs", "handbook", True)
    assert (job.state, job.stage, job.waiting_for, job.reason) == ("waiting", "confirm", "confirmation", reason)
    assert (job.done, job.total, job.workflow_id) == (0, 8, f"sync/{source.id}/monday")
    assert (await catalog.operations.jobs.counts())["sync"] == {"waiting": 1}
    await catalog.syncs.record(RecordSyncInput(sync_id=sync.id, state="ready"))
    assert await catalog.operations.jobs.page(None, 9) == []
    assert (await catalog.operations.jobs.counts())["sync"] == {}


async def test_a_bulk_change_is_listed_until_it_has_ended(catalog: Catalog, kb: KnowledgeBase) -> None:
    """With the number of documents that it has looked at."""
    ids = [await failed(catalog, kb, f"{n}.md", EmptyDocument().reason) for n in range(3)]
    asked = BulkRequested(knowledge_base_id=kb.id, action="tag", actor="ann", ids=ids, tag="old")
    change = await catalog.bulk_changes.create(asked)
    assert [job.started for job in await catalog.operations.jobs.page(None, 9)] == [False]
    await catalog.bulk_changes.dispatched(change.id)
    await catalog.bulk_changes.step(change.id, 2)
    (job,) = await catalog.operations.jobs.page(None, 9)
    assert (job.kind, job.id, job.knowledge_base, job.started) == ("bulk_change", change.id, "handbook", True)
    assert (job.state, job.stage, job.done, job.total) == ("running", "change", 2, 3)
    assert job.workflow_id == f"bulk/{change.id}"
    assert (await catalog.operations.jobs.counts())["bulk_change"] == {"running": 1}
    while not (await catalog.bulk_changes.step(change.id, 2)).ended:
        pass
    assert await catalog.operations.jobs.page(None, 9) == []


async def test_a_reindex_of_many_is_listed_until_it_has_ended(catalog: Catalog, kb: KnowledgeBase) -> None:
    """With the number of knowledge bases that have ended."""
    other = await created(catalog, "other")
    many = await catalog.reindex_alls.create([kb, other], AllSettings(), "ann")
    await catalog.reindex_alls.record(many.id, "running")
    await catalog.reindex_alls.settle(many.id, 0, "skipped", None, "")
    (job,) = await catalog.operations.jobs.page(None, 9)
    assert (job.kind, job.id, job.knowledge_base, job.state) == ("reindex_all", many.id, "", "running")
    assert (job.done, job.total, job.workflow_id) == (1, 2, f"reindex-all/{many.id}")
    assert (await catalog.operations.jobs.counts())["reindex_all"] == {"running": 1}
    await catalog.reindex_alls.record(many.id, "ready")
    assert await catalog.operations.jobs.page(None, 9) == []


async def test_a_knowledge_base_is_deleted_until_its_documents_are_removed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Its documents are not listed one by one; without documents nothing is left to do."""
    await accepted(catalog, kb)
    await created(catalog, "empty")
    for name in (kb.name, "empty"):
        await catalog.knowledge_bases.delete(name, "ann")
    found = await catalog.operations.jobs.page(None, 9, "deletion")
    assert [(job.id, job.workflow_id) for job in found] == [(kb.id, f"delete-kb/{kb.id}")]


async def test_failures_are_grouped_by_code(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Latest versions of documents that exist; a group has its knowledge bases, its times and its last reason."""
    other = await created(catalog, "other")
    damaged = [DamagedDocument(format="pdf", detail=f"page {n}").reason for n in range(3)]
    await failed(catalog, kb, "a.pdf", damaged[0])
    await failed(catalog, other, "b.pdf", damaged[1])
    await failed(catalog, other, "c.pdf", damaged[2])
    await failed(catalog, kb, "d.pdf", EmptyDocument().reason)
    deleted = await failed(catalog, kb, "e.pdf", EmptyDocument().reason)
    await catalog.documents.delete(deleted, "ann")
    await failed(catalog, kb, "f.pdf", EmptyDocument().reason)
    await accepted(catalog, kb, "f.pdf", "3" * 64)
    first, second = await catalog.operations.failures.groups()
    assert (first.code, first.documents, first.knowledge_bases) == ("damaged", 3, [("other", 2), ("handbook", 1)])
    assert (first.sample, first.sample_name) == (damaged[2], "c.pdf")
    assert first.first < first.last
    assert (second.code, second.documents, second.sample_name) == ("empty", 1, "d.pdf")
    assert await catalog.operations.failures.count("damaged", other.id) == 2
    assert await catalog.operations.failures.count("nothing", None) == 0


async def test_failures_return_to_the_queue_in_pages(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Oldest first, only those of the code, the knowledge base and the time; each is audited as a retry."""
    other = await created(catalog, "other")
    ids = [await failed(catalog, kb, f"{n}.pdf", EmptyDocument().reason) for n in range(3)]
    await failed(catalog, other, "0.pdf", EmptyDocument().reason)
    await failed(catalog, kb, "damaged.pdf", DamagedDocument(format="pdf", detail="cut").reason)
    asked = now()
    late = await failed(catalog, kb, "late.pdf", EmptyDocument().reason)
    requeue = catalog.operations.failures.requeue
    assert {each.document_id for each in await requeue("empty", kb.id, asked, 2, "ann")} == set(ids[:2])
    (last,) = await requeue("empty", kb.id, asked, 2, "ann")
    assert (last.document_id, last.version, last.run, last.knowledge_base) == (ids[2], 1, 2, "handbook")
    assert await requeue("empty", kb.id, asked, 2, "ann") == []
    waiting = {document.document_id for document in await catalog.intake.undispatched(10)}
    assert waiting == set(ids)
    (event, *_) = events = await catalog.audit.page(None, 10, action="document.retry")
    assert len(events) == 3
    assert (event.actor, event.detail) == ("ann", {"version": 1, "failed_for": "empty"})
    assert (await catalog.documents.get(late)).state == "failed"


async def test_the_last_hour_is_counted_by_minutes(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Sixty minutes up to now; what is older is left out. Answers have their times."""
    for n in range(3):
        await catalog.documents.publish(publishing(await accepted(catalog, kb, f"{n}.md"), 1))
    old = await accepted(catalog, kb, "old.md")
    await catalog.documents.publish(publishing(old, 1))
    await sql(settings, f"UPDATE versions SET published_at = '2026-01-01 00:00:00' WHERE document_id = '{old}'")
    await failed(catalog, kb, "bad.md", EmptyDocument().reason)
    for found in (True, True, False, None):
        question = await catalog.questions.create(kb.id, "How much leave?", "extractive", None, "ann")
        answer = Answered(answer="Five days.", citations=[], mode="extractive", found=bool(found), model=None)
        input = RecordAnswerInput(question_id=question.id, answered=answer if found is not None else None)
        await catalog.questions.record(input)
    await catalog.questions.create(kb.id, "How much leave?", "extractive", None, "ann")
    hour = await catalog.operations.throughput.last_hour()
    assert len(hour.minutes) == 60
    assert {later.at - earlier.at for earlier, later in zip(hour.minutes, hour.minutes[1:], strict=False)} == {
        timedelta(minutes=1)
    }
    assert timedelta() <= datetime.now(UTC) - hour.minutes[-1].at < timedelta(minutes=2)
    totals = {
        name: sum(getattr(minute, name) for minute in hour.minutes)
        for name in ("ready", "chunks", "failed", "asked", "answered", "refused", "unanswered")
    }
    assert totals == {
        "ready": 3, "chunks": 9, "failed": 1, "asked": 5, "answered": 2, "refused": 1, "unanswered": 1,
    }  # fmt: skip
    assert len(hour.seconds) == 3
    assert hour.seconds == sorted(hour.seconds)


async def test_generations_tell_since_when(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Building ones first; after the switch, both have their phase since then."""
    id = await reindexing(catalog, kb)
    await catalog.generations.begin(id)
    building, live = await catalog.operations.generations.page(9)
    assert [(each.phase, each.generation, each.knowledge_base) for each in (building, live)] == [
        ("building", 2, "handbook"),
        ("live", 1, "handbook"),
    ]
    assert (await catalog.generations.switch(id, "ann", back=False)).switched
    soaking, live = await catalog.operations.generations.page(9)
    assert [(each.phase, each.generation) for each in (soaking, live)] == [("soaking", 1), ("live", 2)]
    assert soaking.since == live.since > building.since
    await catalog.knowledge_bases.delete(kb.name, "ann")
    assert await catalog.operations.generations.page(9) == []
