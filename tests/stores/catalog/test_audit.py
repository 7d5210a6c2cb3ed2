"""The audit trail in the catalogue: which events are written, and how they are read."""

from __future__ import annotations

import ast
import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select

from activities.contracts.answers import Citation, Source
from activities.contracts.documents import Chunking
from activities.contracts.questions import Answered, RecordAnswerInput, Retrieved
from activities.errors import (
    InvalidRequest,
    NameTaken,
    NotFound,
    Reason,
)
from activities.settings import Settings
from activities.stores.catalog.audit.actions import ACTIONS
from activities.stores.catalog.audit.answers import cursor_of
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.engine import Engine
from activities.stores.catalog.records import AuditEvent, KnowledgeBase
from activities.stores.catalog.tables import AuditRow
from activities.telemetry import origin
from activities.telemetry.origin import Origin
from tests.stores.catalog.conftest import MISSING, TWO, accepted, created, publishing, sql
from tests.stores.catalog.test_conversations import asked, events

ROOT = Path(__file__).parents[3]


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
    monkeypatch.setattr("activities.stores.catalog.audit.trail.PAGE", 3)
    for n in range(7):
        await catalog.audit.note("ann", "audit.read", None, n=n)
    assert [event.detail["n"] for event in await events(catalog)] == list(range(7))


def test_an_export_from_an_impossible_time_is_refused_before_it_begins(catalog: Catalog) -> None:
    """Else its file would end in the middle, after an answer that all is well."""
    with pytest.raises(InvalidRequest):
        catalog.audit.export(since=datetime.fromisoformat("0001-01-01T00:00:00+14:00"))


async def test_the_record_of_an_unknown_question_is_not_found(catalog: Catalog) -> None:
    """It raises NotFound."""
    with pytest.raises(NotFound):
        await catalog.audit.question(MISSING)


async def test_events_are_found_by_object_name_version_outcome_and_time(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The name is that of the object, also where the change does not name it; ``until`` is excluded."""
    id = await accepted(catalog, kb)
    assert await catalog.intake.pause(id, 1, "ada")
    await catalog.documents.finish(id, 1, "failed", Reason("damaged"))
    failed, paused, uploaded = await catalog.audit.page(None, 100, object_id=id)
    assert [each.action for each in (uploaded, paused, failed)] == [
        "document.upload", "document.pause", "document.fail",
    ]  # fmt: skip
    assert [(each.object_type, each.object_name, each.version) for each in (paused, failed)] == [
        ("document", "a.pdf", 1), ("document", "a.pdf", 1),
    ]  # fmt: skip
    assert (uploaded.outcome, failed.outcome, failed.code) == ("done", "failed", "damaged")
    assert await catalog.audit.page(None, 9, object_name="a.pdf") == [failed, paused, uploaded]
    assert await catalog.audit.page(None, 9, outcome="failed") == [failed]
    assert await catalog.audit.page(None, 9, version=1, until=failed.at) == [paused, uploaded]
    assert await catalog.audit.page(None, 9, version=2) == []


async def test_a_mistyped_filter_is_an_error(catalog: Catalog, kb: KnowledgeBase) -> None:
    """An unknown knowledge base is not found, an unknown action is not valid; deleted ones stay known."""
    await catalog.knowledge_bases.delete(kb.name, "ann")
    await catalog.audit.require_known(kb.name, "document")
    with pytest.raises(NotFound):
        await catalog.audit.require_known("handbok", None)
    with pytest.raises(InvalidRequest):
        await catalog.audit.require_known(None, "documnet.upload")


async def test_an_event_says_where_it_comes_from(catalog: Catalog, kb: KnowledgeBase) -> None:
    """The request, or the run, that the task works for."""

    async def made(where: Origin, name: str) -> AuditEvent:
        origin.begin(where)
        await accepted(catalog, kb, name)
        return (await catalog.audit.page(None, 1))[0]

    asked = await asyncio.create_task(made(Origin(key_id="k1", address="192.0.2.7", request_id="r1"), "a.pdf"))
    ran = await asyncio.create_task(made(Origin(workflow_id="sync/1", run_id="w1"), "b.pdf"))
    assert (asked.key_id, asked.address, asked.request_id, asked.run_id) == ("k1", "192.0.2.7", "r1", None)
    assert (ran.workflow_id, ran.run_id, ran.request_id) == ("sync/1", "w1", None)


async def test_all_actions_of_the_code_are_known() -> None:
    """Each literal action in the code has its row in the table of actions."""
    found: set[str] = set()
    for folder in ("activities", "api"):
        for file in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(file.read_text())):
                if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in ("audit", "note", "control"):
                    found |= {
                        each.value
                        for each in call.args[:3]
                        if isinstance(each, ast.Constant) and "." in str(each.value)
                    }
    assert len(found) > 30
    assert found - ACTIONS.keys() == set()


async def test_answers_are_found_from_a_version_of_a_document(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Exactly those that used it, in pages, also when the document is replaced and deleted since."""
    id, other = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf")
    used: list[list[tuple[str, int]]] = [[(id, 1)], [(id, 1), (other, 1)], [(other, 1)], [(id, 2)], [(id, 2), (id, 1)]]
    questions = []
    for n in range(6):
        question = (await asked(catalog, kb, f"Question {n}?")).id
        parts = used[n % len(used)]
        sources = [
            Source(n=m + 1, document_id=document, document_name="x", version=v, chunk_id=f"{document}:{v}:{c}", score=1)
            for m, (document, v) in enumerate(parts)
            for c in range(2)
        ]
        cited = Citation(n=1, document_id=id, document_name="x", quote="q", chunk_id=sources[0].chunk_id)
        await catalog.questions.record(
            RecordAnswerInput(
                question_id=question,
                retrieved=Retrieved(sources_key="", sources=sources, similarity=0.5),
                answered=Answered(answer="a", citations=[cited], mode="extractive", found=True),
            )
        )
        questions.append((question, parts))
    await accepted(catalog, kb, sha256=TWO)
    await catalog.documents.delete(id, "ann")
    for document, version in ((id, 1), (id, 2), (other, 1)):
        expected = [
            (each, parts[0] == (document, version)) for each, parts in questions if (document, version) in parts
        ]
        found = await catalog.answer_uses.page(document, version, None, 100)
        assert [(use.question_id, use.cited) for use in reversed(found)] == expected
        assert {use.passages for use in found} == {2}
        first = await catalog.answer_uses.page(document, version, None, 1)
        assert first + await catalog.answer_uses.page(document, version, cursor_of(first[0]), 100) == found
    assert len(await catalog.answer_uses.page(id, None, None, 100)) == sum(
        sum(document == id for document, _ in parts) for _, parts in questions
    )
    with pytest.raises(NotFound):
        await catalog.answer_uses.page(MISSING, None, None, 100)
