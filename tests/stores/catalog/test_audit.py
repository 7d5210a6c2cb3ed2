"""The audit trail in the catalogue: which events are written, and how they are read."""

from __future__ import annotations

import asyncio
from datetime import timedelta, timezone

import pytest
from sqlalchemy import select

from activities.contracts.documents import Chunking
from activities.errors import (
    NameTaken,
    NotFound,
    Reason,
)
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.tables import AuditRow
from tests.stores.catalog.conftest import MISSING, TWO, accepted, created, publishing, sql
from tests.stores.catalog.test_conversations import asked, events


async def test_each_action_is_in_the_audit_trail_once(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """Uploads, publications, deletions, questions: actor and object, and no second row for a retry or a refusal."""
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
    rows = await sql(settings, select(AuditRow.actor, AuditRow.action).order_by(AuditRow.id))
    assert [tuple(row) for row in rows] == [
        ("ann", "knowledge_base.create"), ("ann", "document.upload"), ("ann", "document.publish"),
        ("bob", "document.delete"), ("carl", "question.ask"),
    ]  # fmt: skip


async def trail(catalog: Catalog, action: str) -> list[tuple[str, str | None, str | None, dict[str, object]]]:
    """(actor, knowledge base, object, detail) of the events of an action, oldest first."""
    events = await catalog.audit.page(None, 100, action=action)
    return [(each.actor, each.knowledge_base, each.object_id, each.detail) for each in reversed(events)]


async def test_a_failure_is_in_the_audit_trail_once(catalog: Catalog, kb: KnowledgeBase) -> None:
    """With its reason's code and the uploader, however often the step repeats; a failed retry adds a new event."""
    id = await accepted(catalog, kb)
    await asyncio.gather(*(catalog.documents.finish(id, 1, "failed", Reason("damaged", {"x": "y"})) for _ in range(3)))
    assert await trail(catalog, "document.fail") == [("ann", kb.name, id, {"version": 1, "code": "damaged"})]
    assert await catalog.intake.retry(id, 1, None, "ann")
    for _ in range(2):
        await catalog.documents.finish(id, 1, "failed", Reason("encrypted"))
    codes = [detail["code"] for _, _, _, detail in await trail(catalog, "document.fail")]
    assert codes == ["damaged", "encrypted"]


async def test_what_did_not_fail_is_not_in_the_audit_trail_as_failed(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Neither is a cancel, nor the end of a run whose version was superseded, published or never existed."""
    canceled = await accepted(catalog, kb, "canceled.pdf")
    await catalog.documents.finish(canceled, 1, "canceled", Reason("canceled"))
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


async def test_a_rolled_back_transaction_leaves_no_event(settings: Settings, catalog: Catalog) -> None:
    """The event of a failed transaction is not in the trail."""
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


async def test_control_of_a_version_without_a_run_is_audited(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Pause, resume, cancel and retry each record their actor, once, and nothing when nothing changed."""
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


@pytest.fixture
async def handbook(catalog: Catalog) -> KnowledgeBase:
    """A knowledge base that root created."""
    return await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "root")


async def test_the_trail_is_filtered_by_actor_action_knowledge_base_and_time(
    catalog: Catalog, handbook: KnowledgeBase
) -> None:
    """Newest first in pages; each filter excludes the others; an action's first part matches all of its kind."""
    other = await catalog.knowledge_bases.create("other", "", "", Chunking(), "root")
    await asked(catalog, handbook, "One?")
    await asked(catalog, other, "Two?", actor="bob")
    await catalog.knowledge_bases.delete("other", "root")
    whole = await catalog.audit.page(None, 100)
    actions = [(each.actor, each.action, each.knowledge_base) for each in whole]
    assert actions == [
        ("root", "knowledge_base.delete", "other"),
        ("bob", "question.ask", "other"),
        ("ann", "question.ask", "handbook"),
        ("root", "knowledge_base.create", "other"),
        ("root", "knowledge_base.create", "handbook"),
    ]
    assert await catalog.audit.page(whole[1].id, 2) == whole[2:4]
    assert await catalog.audit.page(None, 100, actor="bob") == [whole[1]]
    assert await catalog.audit.page(None, 100, knowledge_base="other") == [whole[0], whole[1], whole[3]]
    assert await catalog.audit.page(None, 100, action="question.ask") == whole[1:3]
    assert await catalog.audit.page(None, 100, action="knowledge_base") == [whole[0], whole[3], whole[4]]
    assert await catalog.audit.page(None, 100, action="know") == []
    assert await catalog.audit.page(None, 100, action="%") == []
    assert await catalog.audit.page(None, 100, since=whole[2].at) == whole[:3]
    elsewhere = whole[2].at.astimezone(timezone(timedelta(hours=8)))
    assert await catalog.audit.page(None, 100, since=elsewhere) == whole[:3]
    assert await events(catalog) == whole[::-1]


async def test_an_export_goes_through_all_pages(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """More events than one page holds are exported in order, each once."""
    monkeypatch.setattr("activities.stores.catalog.audit.PAGE", 3)
    for n in range(7):
        await catalog.audit.note("ann", "audit.read", None, n=n)
    assert [event.detail["n"] for event in await events(catalog)] == list(range(7))


async def test_the_record_of_an_unknown_question_is_not_found(catalog: Catalog) -> None:
    """It raises NotFound."""
    with pytest.raises(NotFound):
        await catalog.audit.question(MISSING)
