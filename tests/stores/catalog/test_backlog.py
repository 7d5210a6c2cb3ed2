"""The backlog: documents on their way into the index, by uploader, and the estimated time until they are ready."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from activities.contracts.ingest import VersionRun
from activities.errors import Reason
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase, RunProgress, Upload
from tests.stores.catalog.conftest import created, publishing

FAILED = Reason("damaged")
LATER = datetime.now(UTC) + timedelta(days=1)


async def taken(catalog: Catalog, kb: KnowledgeBase, name: str, actor: str = "ann") -> str:
    """The id of an uploaded document with content of its own."""
    sha256 = f"{abs(hash((kb.id, name, actor))):064d}"
    return (await catalog.documents.accept(kb.id, name, sha256, 7, actor)).document.id


async def test_documents_are_pending_until_their_final_state(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Ready, failed, canceled and deleted ones do not count; paused ones do; other knowledge bases' do not."""
    ids = [await taken(catalog, kb, f"{name}.pdf") for name in "abcde"]
    await taken(catalog, await created(catalog, "other"), "x.pdf")
    assert (await catalog.backlog.of_knowledge_base(kb.id)).documents == 5
    await catalog.documents.publish(publishing(ids[0], 1))
    await catalog.documents.finish(ids[1], 1, "failed", FAILED)
    await catalog.documents.finish(ids[2], 1, "canceled", FAILED)
    await catalog.documents.delete(ids[3], "ann")
    await catalog.documents.record_pause(ids[4], 1, paused=True)
    assert (await catalog.backlog.of_knowledge_base(kb.id)).documents == 1
    assert (await catalog.backlog.of_actor(kb.id, "ann", LATER)).documents == 1


async def test_a_question_waits_for_its_askers_earlier_documents(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Not for those of others or later ones; a new version of a live document counts too."""
    mine = await taken(catalog, kb, "mine.pdf")
    await taken(catalog, kb, "theirs.pdf", "bob")
    await catalog.documents.publish(publishing(mine, 1))
    await catalog.documents.accept(kb.id, "mine.pdf", "f" * 64, 7, "ann")
    asked = datetime.now(UTC)
    await taken(catalog, kb, "later.pdf")
    assert (await catalog.backlog.of_actor(kb.id, "ann", asked)).documents == 1
    assert (await catalog.backlog.of_actor(kb.id, "bob", asked)).documents == 1
    assert (await catalog.backlog.of_actor(kb.id, "eve", asked)).documents == 0
    assert (await catalog.backlog.of_knowledge_base(kb.id)).documents == 3


async def test_an_archive_is_waited_for_with_all_its_files(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Before it is unpacked it counts as one; its documents count although they appear after the question."""
    batch = await catalog.batches.create(kb.id, "a.zip", 4, "ann", closed=True, archive_sha256="a" * 64)
    asked = datetime.now(UTC)
    assert (await catalog.backlog.of_actor(kb.id, "ann", asked)).documents == 1
    upload = Upload(knowledge_base_id=kb.id, name="in.txt", sha256="b" * 64, bytes=7, actor="ann", batch_id=batch.id)
    await catalog.intake.accept([upload])
    assert (await catalog.backlog.of_actor(kb.id, "ann", asked)).documents == 2
    await catalog.batches.end_unpacking(batch.id, [])
    assert (await catalog.backlog.of_actor(kb.id, "ann", asked)).documents == 1


async def test_the_estimate_follows_the_recent_rate(catalog: Catalog, kb: KnowledgeBase) -> None:
    """From the rate of the last minute if there is one, else from the runs' own progress, else no estimate."""
    ids = [await taken(catalog, kb, f"{number}.pdf") for number in range(6)]
    assert (await catalog.backlog.of_knowledge_base(kb.id)).eta_seconds is None
    await catalog.documents.begin_run(VersionRun(document_id=ids[5], version=1, run=1))
    note = RunProgress(document_id=ids[5], version=1, at=LATER, state="running", stage="embed", eta_seconds=42.04)
    await catalog.documents.record_progress([note])
    assert (await catalog.backlog.of_knowledge_base(kb.id)).eta_seconds == 42.0
    for id in ids[:3]:
        await catalog.documents.publish(publishing(id, 1))
    pending = await catalog.backlog.of_knowledge_base(kb.id)
    assert pending.documents == 3
    assert pending.eta_seconds is not None
    assert 0 < pending.eta_seconds <= 42.0
