"""Webhooks in the catalogue: an event is recorded with the end of its job, for those who want it, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine as SyncEngine
from sqlalchemy.exc import IntegrityError

from activities.contracts import addresses
from activities.contracts.documents import Chunking
from activities.contracts.reindex import RecordReindexInput, ReindexToRun
from activities.contracts.webhooks import MAX_ENDPOINTS, Delivered
from activities.errors import (
    DeliveryFailed,
    DocumentsNotBuilt,
    EmptyDocument,
    EndpointGone,
    NotFound,
    Reason,
    TooManyEndpoints,
    TooManyRequests,
    WrongState,
)
from activities.phrases import Phrase
from activities.settings import Settings
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Accepted, KnowledgeBase, Upload
from activities.stores.catalog.webhooks import deliveries as module
from activities.stores.catalog.webhooks.deliveries import FAILING, TRIED
from activities.stores.catalog.webhooks.records import Endpoint, NewEndpoint, ToSend
from tests.stores.catalog.conftest import ONE, TWO, accepted, created, publishing, sql

URL = "https://hooks.test/services/T0/token"
SECRET = "whsec_" + "A" * 43 + "="
FAILED = DeliveryFailed(detail=Phrase.ANSWERED, status=500).reason


async def added(catalog: Catalog, kb: KnowledgeBase | None, **fields: Any) -> Endpoint:
    """A new endpoint."""
    new = NewEndpoint(knowledge_base_id=kb.id if kb else None, url=URL, **fields)
    return await catalog.webhooks.create(new, SECRET, "ann")


async def due(catalog: Catalog, *endpoints: Endpoint) -> list[list[str]]:
    """The types of events that are due, for each of these endpoints."""
    found, _ = await catalog.deliveries.due(1000)
    return [[each.type for each in found if each.to_make.endpoint_id == endpoint.id] for endpoint in endpoints]


async def only(catalog: Catalog) -> str:
    """The one delivery that is due."""
    ((delivery,), _) = await catalog.deliveries.due(10)
    return delivery.to_make.delivery_id


async def message(catalog: Catalog) -> ToSend:
    """What the one delivery that is due sends."""
    sent = await catalog.deliveries.to_send(await only(catalog))
    assert isinstance(sent, ToSend)
    return sent


async def in_batch(catalog: Catalog, kb: KnowledgeBase, *names: str) -> tuple[str, list[str]]:
    """A batch with documents; its id and theirs."""
    batch = await catalog.batches.create(kb.id, "scans", 2, "ann", closed=True)
    uploads = [
        Upload(knowledge_base_id=kb.id, name=name, sha256=ONE, bytes=7, actor="ann", batch_id=batch.id)
        for name in names
    ]
    answers = await catalog.intake.accept(uploads)
    return batch.id, [each.document.id for each in answers if isinstance(each, Accepted)]


# --- events -------------------------------------------------------------------------------------------


async def test_a_document_that_is_ready_is_told(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Once, with its ids, name and counts; a later version is another event."""
    endpoint = await added(catalog, kb)
    document = await accepted(catalog, kb)
    for _ in range(2):
        await catalog.documents.publish(publishing(document, 1))
    assert await due(catalog, endpoint) == [["document.ready"]]
    sent = await message(catalog)
    assert sent.data == {
        "knowledge_base": {"id": kb.id, "name": "handbook"},
        "id": document,
        "name": "a.pdf",
        "url": addresses.PREFIX + f"/documents/{document}",
        "version": 1,
        "state": "ready",
        "reason": None,
        "media_type": "application/pdf",
        "pages": 2,
        "chunks": 3,
        "batch_id": None,
    }
    assert (sent.url, sent.secrets) == (URL, [SECRET])
    await accepted(catalog, kb, sha256=TWO)
    await catalog.documents.publish(publishing(document, 2), purged=False)
    assert await due(catalog, endpoint) == [["document.ready"]]
    await catalog.documents.publish(publishing(document, 2))
    assert await due(catalog, endpoint) == [["document.ready"] * 2]


async def test_a_document_that_failed_is_told_with_its_reason(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Once; one that is canceled, or deleted by then, is not."""
    endpoint = await added(catalog, kb)
    one, two, three = [await accepted(catalog, kb, name) for name in ("a.pdf", "b.pdf", "c.pdf")]
    for _ in range(2):
        await catalog.documents.finish(one, 1, "failed", EmptyDocument().reason)
    await catalog.documents.finish(two, 1, "canceled", Reason(code="canceled"))
    await catalog.documents.delete(three, "ann")
    await catalog.documents.finish(three, 1, "failed", EmptyDocument().reason)
    assert await due(catalog, endpoint) == [["document.failed"]]
    assert (await message(catalog)).data["reason"] == {"code": "empty", "text": EmptyDocument.en}


async def test_a_deletion_is_told_when_nothing_is_left(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Not when it begins; not for each document of a deleted knowledge base."""
    endpoint = await added(catalog, None)
    one, two = await accepted(catalog, kb), await accepted(catalog, kb, "b.pdf")
    await catalog.documents.delete(one, "ann")
    assert await due(catalog, endpoint) == [[]]
    for _ in range(2):
        await catalog.documents.remove(one)
    assert await due(catalog, endpoint) == [["document.deleted"]]
    assert (await message(catalog)).data["deleted_by"] == "ann"
    await catalog.knowledge_bases.delete(kb.name, "ann")
    await catalog.documents.remove(two)
    assert await due(catalog, endpoint) == [["document.deleted"]]


async def test_a_batch_is_told_once_for_its_documents(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Each document only where that is asked for; a batch that goes on and ends again is told again."""
    batches, each = await added(catalog, kb), await added(catalog, kb, each_document=True)
    batch, (one, two) = await in_batch(catalog, kb, "a.pdf", "b.pdf")
    await catalog.documents.publish(publishing(one, 1))
    await catalog.documents.finish(two, 1, "failed", EmptyDocument().reason)
    await catalog.batches.record_state(batch, "running")
    assert await due(catalog, batches) == [[]]
    for _ in range(2):
        await catalog.batches.record_state(batch, "ready")
    told = ["document.ready", "document.failed", "batch.finished"]
    assert await due(catalog, batches, each) == [["batch.finished"], told]
    found, _ = await catalog.deliveries.due(10)
    id = next(delivery.to_make.delivery_id for delivery in found if delivery.to_make.endpoint_id == batches.id)
    sent = await catalog.deliveries.to_send(id)
    assert isinstance(sent, ToSend)
    assert (sent.data["state"], sent.data["documents"]) == ("ready", {"ready": 1, "failed": 1})
    assert sent.data["url"] == addresses.batch(batch)
    await catalog.batches.record_state(batch, "running")
    await catalog.batches.record_state(batch, "canceled")
    assert await due(catalog, batches) == [["batch.finished"] * 2]


async def test_a_reindex_is_told_and_its_plan_is_not(catalog: Catalog, kb: KnowledgeBase) -> None:
    """With its outcome."""
    endpoint = await added(catalog, kb)
    asked = ReindexToRun(
        reindex_id="", knowledge_base_id=kb.id, knowledge_base=kb.name, generation=0, previous=0, chunking=Chunking(),
        actor="ann", plan_only=True,
    )  # fmt: skip
    plan = await catalog.reindexes.create(asked)
    await catalog.reindexes.record(RecordReindexInput(reindex_id=plan.id, state="ready", stage="plan"))
    assert await due(catalog, endpoint) == [[]]
    job = ReindexToRun(**{name: getattr(asked, name) for name in asked.__struct_fields__} | {"plan_only": False})
    reindex = await catalog.reindexes.create(job)
    reason = DocumentsNotBuilt(count=1, name="a.pdf", detail="").reason
    end = RecordReindexInput(reindex_id=reindex.id, state="failed", stage="build", reason=reason, action="fail")
    for _ in range(2):
        await catalog.reindexes.record(end)
    assert await due(catalog, endpoint) == [["reindex.finished"]]
    data = (await message(catalog)).data
    assert (data["state"], data["reason"]["code"], data["switched"]) == ("failed", "documents-not-built", False)
    assert data["url"] == addresses.reindex(reindex.id)


async def test_only_those_who_want_an_event_get_it(catalog: Catalog, kb: KnowledgeBase) -> None:
    """By knowledge base, type, and whether they are enabled; all get the same event."""
    other = await created(catalog, "other")
    mine, all, theirs = await added(catalog, kb), await added(catalog, None), await added(catalog, other)
    failures = await added(catalog, kb, events=["document.failed"])
    off = await added(catalog, kb)
    await catalog.webhooks.change(off.id, {"disabled": True}, "ann")
    await catalog.documents.publish(publishing(await accepted(catalog, kb), 1))
    assert await due(catalog, mine, all, theirs, failures, off) == [["document.ready"], ["document.ready"], [], [], []]
    found, _ = await catalog.deliveries.due(10)
    assert len({delivery.to_make.event_id for delivery in found}) == 1


async def test_nothing_is_recorded_where_nobody_asks(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """One short query, and no row, for the end of a job."""
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    document = await accepted(catalog, kb)
    event.listen(SyncEngine, "before_cursor_execute", note)
    await catalog.documents.publish(publishing(document, 1))
    event.remove(SyncEngine, "before_cursor_execute", note)
    assert len([each for each in statements if "webhook" in each]) == 1
    assert await sql(settings, "SELECT count(*) FROM webhook_events") == [(0,)]


async def test_an_event_is_gone_with_its_transaction(settings: Settings, catalog: Catalog, kb: KnowledgeBase) -> None:
    """It is recorded together with the end of the job, or not at all."""
    await added(catalog, kb)
    document = await accepted(catalog, kb)
    refuse, allow = (
        ("CREATE TRIGGER refuse BEFORE INSERT ON webhook_deliveries BEGIN SELECT RAISE(ABORT, 'no'); END",
         "DROP TRIGGER refuse")
        if settings.catalog_url.startswith("sqlite")
        else ("ALTER TABLE webhook_deliveries ADD CONSTRAINT refuse CHECK (attempts < 0) NOT VALID",
              "ALTER TABLE webhook_deliveries DROP CONSTRAINT refuse")
    )  # fmt: skip
    await sql(settings, refuse)
    try:
        with pytest.raises(IntegrityError):
            await catalog.documents.publish(publishing(document, 1))
    finally:
        await sql(settings, allow)
    assert (await catalog.documents.get(document)).live_version is None
    assert await sql(settings, "SELECT count(*) FROM webhook_events") == [(0,)]


# --- runs and attempts --------------------------------------------------------------------------------


@pytest.fixture
async def delivery(catalog: Catalog, kb: KnowledgeBase) -> str:
    """A delivery of a test event."""
    return await catalog.deliveries.test(await added(catalog, kb), "ann")


async def endpoint_of(catalog: Catalog, delivery: str) -> Endpoint:
    """The endpoint of a delivery."""
    return await catalog.webhooks.get((await catalog.deliveries.get(delivery)).endpoint_id)


async def test_a_run_that_was_started_is_not_due_until_it_counts_as_lost(
    settings: Settings, catalog: Catalog, delivery: str
) -> None:
    """An attempt that was recorded meanwhile is not overwritten; a lost run is due again."""
    ((found,), listed_at) = await catalog.deliveries.due(10)
    assert (found.to_make.delivery_id, found.again) == (delivery, False)
    await catalog.deliveries.dispatched([delivery], listed_at)
    assert not (await catalog.deliveries.due(10))[0]
    await catalog.deliveries.failed(delivery, FAILED, 500, 50_000)
    before = await sql(settings, "SELECT due_at FROM webhook_deliveries")
    await catalog.deliveries.dispatched([delivery], datetime.now(UTC))
    assert await sql(settings, "SELECT due_at FROM webhook_deliveries") == before
    await sql(settings, "UPDATE webhook_deliveries SET due_at = '2020-01-01 00:00:00+00'")
    ((lost,), _) = await catalog.deliveries.due(10)
    assert lost.again


async def test_an_attempt_that_succeeds_ends_the_delivery(catalog: Catalog, delivery: str) -> None:
    """After one that failed; a repeated step has nothing to send."""
    failed = await catalog.deliveries.failed(delivery, FAILED, 500, 60.0)
    assert (failed.state, failed.status) == ("pending", 500)
    shown = await catalog.deliveries.get(delivery)
    assert (shown.attempts, shown.status, shown.reason) == (1, 500, FAILED)
    assert shown.next_attempt_at is not None
    assert (await endpoint_of(catalog, delivery)).failing_since is not None
    assert (await catalog.deliveries.succeeded(delivery, 204)).state == "delivered"
    shown = await catalog.deliveries.get(delivery)
    assert (shown.attempts, shown.status, shown.reason, shown.next_attempt_at) == (2, 204, None, None)
    assert (await endpoint_of(catalog, delivery)).failing_since is None
    assert await catalog.deliveries.to_send(delivery) == Delivered(state="delivered", status=204)
    assert not (await catalog.deliveries.due(10))[0]


async def test_the_last_attempt_that_fails_ends_the_delivery(catalog: Catalog, delivery: str) -> None:
    """Until a user has it sent again."""
    assert (await catalog.deliveries.failed(delivery, FAILED, 500, None)).state == "failed"
    assert not (await catalog.deliveries.due(10))[0]
    await catalog.deliveries.retry(await catalog.deliveries.get(delivery), "bob")
    ((again,), _) = await catalog.deliveries.due(10)
    assert (again.to_make.delivery_id, again.again) == (delivery, True)
    assert isinstance(await catalog.deliveries.to_send(delivery), ToSend)


async def test_an_endpoint_that_is_gone_is_disabled(catalog: Catalog, kb: KnowledgeBase, delivery: str) -> None:
    """By the system, which is audited; what is pending for it ends, and nothing more is sent until it is enabled."""
    endpoint = await endpoint_of(catalog, delivery)
    waiting = await catalog.deliveries.test(endpoint, "ann")
    assert (await catalog.deliveries.failed(delivery, EndpointGone().reason, 410, 60.0)).state == "failed"
    endpoint = await catalog.webhooks.get(endpoint.id)
    assert endpoint.disabled_cause == "gone"
    (audited,) = await catalog.audit.page(None, 10, action="webhook.disable")
    assert (audited.actor, audited.object_id, audited.detail) == ("system", endpoint.id, {"cause": "gone"})
    sent = await catalog.deliveries.to_send(waiting)
    assert isinstance(sent, ToSend)
    assert sent.disabled
    for refused in (
        catalog.deliveries.test(endpoint, "ann"),
        catalog.deliveries.retry(await catalog.deliveries.get(delivery), "ann"),
    ):
        with pytest.raises(WrongState):
            await refused
    enabled = await catalog.webhooks.change(endpoint.id, {"disabled": False}, "ann")
    assert (enabled.disabled_at, enabled.disabled_cause, enabled.failing_since) == (None, None, None)


async def test_an_endpoint_that_fails_for_days_is_disabled(settings: Settings, catalog: Catalog, delivery: str) -> None:
    """By a delivery that was tried several times, not by the first one after a quiet time."""
    for _ in range(TRIED - 1):
        await catalog.deliveries.failed(delivery, FAILED, None, 60.0)
        long_ago = (datetime.now(UTC) - FAILING - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S+00")
        await sql(settings, f"UPDATE webhook_endpoints SET failing_since = '{long_ago}'")
        assert (await endpoint_of(catalog, delivery)).disabled_at is None
    await catalog.deliveries.failed(delivery, FAILED, None, 60.0)
    assert (await endpoint_of(catalog, delivery)).disabled_cause == "failing"


async def test_a_secret_that_was_rotated_signs_for_a_day(settings: Settings, catalog: Catalog, delivery: str) -> None:
    """Beside the new one; then it is not used any more."""
    endpoint = await endpoint_of(catalog, delivery)
    rotated = await catalog.webhooks.rotate(endpoint.id, "whsec_new", "bob")
    assert rotated.previous_until is not None
    assert (await message(catalog)).secrets == ["whsec_new", SECRET]
    await sql(settings, "UPDATE webhook_endpoints SET previous_until = '2020-01-01 00:00:00+00'")
    assert (await message(catalog)).secrets == ["whsec_new"]
    assert (await catalog.webhooks.get(endpoint.id)).previous_until is None


async def test_a_delivery_is_gone_with_its_endpoint(catalog: Catalog, delivery: str) -> None:
    """Its run ends without a message."""
    await catalog.webhooks.delete((await endpoint_of(catalog, delivery)).id, "ann")
    assert await catalog.deliveries.to_send(delivery) == Delivered(state=None)
    assert await catalog.deliveries.succeeded(delivery, 200) == Delivered(state=None)
    assert await catalog.deliveries.failed(delivery, FAILED, 500, None) == Delivered(state=None)
    with pytest.raises(NotFound):
        await catalog.deliveries.get(delivery)


# --- endpoints ----------------------------------------------------------------------------------------


async def test_endpoints_are_listed_and_limited(catalog: Catalog, kb: KnowledgeBase) -> None:
    """A number of them for each knowledge base, and for the platform; they go with their knowledge base."""
    for _ in range(MAX_ENDPOINTS):
        await added(catalog, kb)
    with pytest.raises(TooManyEndpoints):
        await added(catalog, kb)
    everywhere = await added(catalog, None)
    page = await catalog.webhooks.page(kb.id, None, 15)
    rest = await catalog.webhooks.page(kb.id, page[-1].id, 15)
    assert len({each.id for each in (*page, *rest)}) == MAX_ENDPOINTS
    assert (await catalog.webhooks.page(None, None, 1))[0] == everywhere
    await catalog.knowledge_bases.delete(kb.name, "ann")
    assert await catalog.webhooks.page(None, None, 100) == [everywhere]


async def test_an_endpoint_is_not_flooded_by_hand(
    catalog: Catalog, kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests and repetitions count together, for each endpoint by itself; nothing is recorded of one too many."""
    monkeypatch.setattr(module, "MAX_REQUESTED_A_MINUTE", 3)
    endpoint, other = await added(catalog, kb), await added(catalog, kb)
    delivery = await catalog.deliveries.get(await catalog.deliveries.test(endpoint, "ann"))
    for _ in range(2):
        await catalog.deliveries.retry(delivery, "bob")
    for asks in (catalog.deliveries.test(endpoint, "ann"), catalog.deliveries.retry(delivery, "ann")):
        with pytest.raises(TooManyRequests):
            await asks
    assert len(await catalog.deliveries.page(endpoint.id, None, 10)) == 1
    await catalog.deliveries.test(other, "ann")


async def test_the_audit_trail_has_no_secret(catalog: Catalog, kb: KnowledgeBase) -> None:
    """Nor the path of an address, which may hold one."""
    endpoint = await added(catalog, kb)
    await catalog.webhooks.change(endpoint.id, {"url": URL + "2", "description": "x"}, "ann")
    await catalog.webhooks.rotate(endpoint.id, "whsec_new", "ann")
    await catalog.deliveries.retry(await catalog.deliveries.get(await catalog.deliveries.test(endpoint, "ann")), "ann")
    await catalog.webhooks.delete(endpoint.id, "ann")
    found = await catalog.audit.page(None, 10, action="webhook")
    actions = ("create", "update", "rotate-secret", "test", "retry", "delete")
    assert [event.action for event in reversed(found)] == [f"webhook.{action}" for action in actions]
    text = repr(found)
    assert "hooks.test" in text
    assert not any(word in text for word in ("whsec", "token", "AAAA"))


async def test_old_events_expire(settings: Settings, catalog: Catalog, kb: KnowledgeBase, delivery: str) -> None:
    """With their deliveries, unless one is pending."""
    waiting = await catalog.deliveries.test(await endpoint_of(catalog, delivery), "ann")
    await catalog.deliveries.succeeded(delivery, 200)
    assert await catalog.deliveries.expire(datetime.now(UTC) - timedelta(days=7)) == 0
    assert await catalog.deliveries.expire(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert await sql(settings, "SELECT id FROM webhook_deliveries") == [(waiting,)]
    assert await sql(settings, "SELECT count(*) FROM webhook_events") == [(1,)]
