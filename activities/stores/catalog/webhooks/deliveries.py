"""Deliveries of events to endpoints: what is due, what is sent, and what came of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Select, delete, func, select, update

from activities.contracts.webhooks import (
    MAX_REQUESTED_A_MINUTE,
    TEST_EVENT,
    Delivered,
    DeliveryState,
    DeliveryToMake,
)
from activities.errors import EndpointGone, NotFound, Reason, TooManyRequests, WrongState
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.mapping import fixed, stored_reason
from activities.stores.catalog.tables import (
    SYSTEM,
    AuditRow,
    KnowledgeBaseRow,
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookEventRow,
    now,
)
from activities.stores.catalog.webhooks.announce import record
from activities.stores.catalog.webhooks.records import Delivery, DueDelivery, Endpoint, ToSend

#: A run that records nothing for so long after its next attempt was due is lost, and is started again.
LOST = timedelta(hours=1)

#: An endpoint that has taken nothing for so long is disabled, by a delivery that was tried so often.
FAILING, TRIED = timedelta(days=5), 5

#: Events that are removed with one transaction.
SLICE = 1000


@repeats_conflicts
class Deliveries:
    """Deliveries of webhooks in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # --- runs ---------------------------------------------------------------------------------------------

    async def due(self, limit: int) -> tuple[list[DueDelivery], datetime]:
        """Up to ``limit`` deliveries whose runs are to be started, and when they were listed."""
        moment = now()
        query = (
            select(WebhookDeliveryRow, WebhookEventRow.type, KnowledgeBaseRow.name)
            .join(WebhookEventRow, WebhookEventRow.id == WebhookDeliveryRow.event_id)
            .outerjoin(KnowledgeBaseRow, KnowledgeBaseRow.id == WebhookEventRow.knowledge_base_id)
            .where(_IS_PENDING, WebhookDeliveryRow.due_at <= moment)
            .order_by(WebhookDeliveryRow.due_at)
            .limit(limit)
        )
        async with self._engine.read() as session:
            found = [
                DueDelivery(
                    to_make=DeliveryToMake(delivery_id=row.id, event_id=row.event_id, endpoint_id=row.endpoint_id),
                    type=type,
                    knowledge_base=name,
                    again=row.attempts > 0,
                )
                for row, type, name in await session.execute(query)
            ]
        return found, moment

    async def dispatched(self, ids: Collection[str], listed_at: datetime) -> None:
        """Records that runs have started, unless one has recorded an attempt since they were listed."""
        same = WebhookDeliveryRow.id.in_(ids) & (WebhookDeliveryRow.due_at <= listed_at)
        async with self._engine.write() as session:
            await session.execute(update(WebhookDeliveryRow).where(same).values(due_at=now() + LOST))

    # --- attempts -----------------------------------------------------------------------------------------

    async def to_send(self, id: str) -> ToSend | Delivered:
        """What is to be sent, or what came of the delivery, if nothing is."""
        query = (
            select(WebhookDeliveryRow, WebhookEventRow, WebhookEndpointRow)
            .join(WebhookEventRow, WebhookEventRow.id == WebhookDeliveryRow.event_id)
            .join(WebhookEndpointRow, WebhookEndpointRow.id == WebhookDeliveryRow.endpoint_id)
            .where(WebhookDeliveryRow.id == id)
        )
        async with self._engine.read() as session:
            found = (await session.execute(query)).first()
        if found is None:
            return Delivered(state=None)
        delivery, event, endpoint = found
        if delivery.state != "pending":
            return _outcome(delivery)
        previous = endpoint.previous_until is not None and endpoint.previous_until > now()
        return ToSend(
            event_id=event.id,
            type=event.type,
            at=event.created_at,
            data=event.data,
            url=endpoint.url,
            secrets=[endpoint.secret, *([endpoint.previous_secret] if previous and endpoint.previous_secret else [])],
            disabled=endpoint.disabled_at is not None,
        )

    async def succeeded(self, id: str, status: int) -> Delivered:
        """Records that an endpoint took its event."""
        async with self._engine.write() as session:
            row = await session.get(WebhookDeliveryRow, id, with_for_update=True)
            if row is None:
                return Delivered(state=None)
            _attempted(row, status)
            row.state, row.reason, row.next_attempt_at = "delivered", None, None
            was_failing = WebhookEndpointRow.failing_since.is_not(None)
            works = update(WebhookEndpointRow).where(WebhookEndpointRow.id == row.endpoint_id, was_failing)
            await session.execute(works.values(failing_since=None))
            return _outcome(row)

    async def failed(
        self, id: str, reason: Reason, status: int | None, retry_seconds: float | None, *, sent: bool = True
    ) -> Delivered:
        """Records that an attempt failed; the delivery has failed unless another one follows.

        An endpoint that is gone, or has failed for ``FAILING``, is disabled. ``sent`` is False if there was no attempt,
        because it is disabled.
        """
        async with self._engine.write() as session:
            row = await session.get(WebhookDeliveryRow, id, with_for_update=True)
            if row is None or row.state != "pending":
                return Delivered(state=None) if row is None else _outcome(row)
            row.reason = msgspec.to_builtins(reason)
            if sent:
                _attempted(row, status)
                await _judge(session, row, gone=reason.code == EndpointGone.code)
            if retry_seconds is None or reason.code == EndpointGone.code:
                row.state, row.next_attempt_at = "failed", None
            else:
                row.next_attempt_at = now() + timedelta(seconds=retry_seconds)
                row.due_at = row.next_attempt_at + LOST
            return _outcome(row)

    # --- users --------------------------------------------------------------------------------------------

    async def get(self, id: str) -> Delivery:
        """A delivery by id. Raises NotFound."""
        async with self._engine.read() as session:
            found = (await session.execute(_described().where(WebhookDeliveryRow.id == id))).first()
        if found is None:
            raise NotFound(kind="delivery", id=id)
        return _record(*found)

    async def page(self, endpoint_id: str, after: str | None, limit: int) -> list[Delivery]:
        """At most ``limit`` deliveries to an endpoint, newest first, recorded before the delivery ``after``."""
        query = _described().where(WebhookDeliveryRow.endpoint_id == endpoint_id)
        query = query.where(WebhookDeliveryRow.id < after) if after else query
        async with self._engine.read() as session:
            found = await session.execute(query.order_by(WebhookDeliveryRow.id.desc()).limit(limit))
            return [_record(*row) for row in found]

    async def test(self, endpoint: Endpoint, actor: str) -> str:
        """Records a test event for one endpoint; the delivery's id.

        Raises NotFound, WrongState for a disabled endpoint, and TooManyRequests.
        """
        data = {"webhook": {"id": endpoint.id}, "sent_by": actor}
        async with self._engine.write() as session:
            if not await _may_be_asked(session, endpoint.id):
                raise NotFound(kind="webhook", id=endpoint.id)
            (delivery,) = await record(session, TEST_EVENT, endpoint.knowledge_base_id, data, [endpoint.id])
            session.audit(actor, "webhook.test", endpoint.knowledge_base_id, endpoint.id)
        return delivery.id

    async def retry(self, delivery: Delivery, actor: str) -> None:
        """Makes a delivery due now. Raises NotFound, WrongState for a disabled endpoint, and TooManyRequests."""
        async with self._engine.write() as session:
            known = await _may_be_asked(session, delivery.endpoint_id)
            row = await session.get(WebhookDeliveryRow, delivery.id, with_for_update=True)
            if row is None or not known:
                raise NotFound(kind="delivery", id=delivery.id)
            row.state, row.due_at, row.next_attempt_at = "pending", now(), None
            session.audit(actor, "webhook.retry", delivery.knowledge_base_id, row.endpoint_id, delivery=delivery.id)

    async def expire(self, before: datetime) -> int:
        """Removes up to ``SLICE`` events from before ``before`` that nothing is pending of; returns their number."""
        pending = select(WebhookDeliveryRow.id).where(WebhookDeliveryRow.event_id == WebhookEventRow.id, _IS_PENDING)
        old = select(WebhookEventRow.id).where(WebhookEventRow.created_at < before, ~pending.exists()).limit(SLICE)
        async with self._engine.write() as session:
            removed = await session.execute(delete(WebhookEventRow).where(WebhookEventRow.id.in_(old)))
        return int(removed.rowcount)  # type: ignore[attr-defined]


_IS_PENDING = WebhookDeliveryRow.state == fixed("pending")


async def _may_be_asked(session: Transaction, endpoint_id: str) -> bool:
    """Whether there is an endpoint, to which people may have something sent now; others wait for this transaction.

    Raises WrongState for a disabled one, and TooManyRequests.
    """
    lock = {"key_share": True}  # events for it are recorded meanwhile
    row = await session.get(WebhookEndpointRow, endpoint_id, with_for_update=lock)
    if row is None:
        return False
    if row.disabled_at is not None:
        raise WrongState(state="disabled")
    asked = select(func.count()).where(
        AuditRow.object_id == endpoint_id,
        AuditRow.action.in_(("webhook.test", "webhook.retry")),
        AuditRow.at > now() - timedelta(minutes=1),
    )
    if (await session.scalar(asked) or 0) >= MAX_REQUESTED_A_MINUTE:
        raise TooManyRequests(seconds=60)
    return True


def _attempted(row: WebhookDeliveryRow, status: int | None) -> None:
    row.attempts, row.status, row.last_attempt_at = row.attempts + 1, status, now()


async def _judge(session: Transaction, row: WebhookDeliveryRow, *, gone: bool) -> None:
    """Notes that an endpoint fails, and disables it if that is enough."""
    lock = {"key_share": True}  # events for it are recorded meanwhile
    endpoint = await session.get(WebhookEndpointRow, row.endpoint_id, with_for_update=lock)
    if endpoint is None or endpoint.disabled_at is not None:
        return
    endpoint.failing_since = endpoint.failing_since or now()
    if gone or (row.attempts >= TRIED and endpoint.failing_since < now() - FAILING):
        cause = "gone" if gone else "failing"
        endpoint.disabled_at, endpoint.disabled_cause = now(), cause
        session.audit(SYSTEM, "webhook.disable", endpoint.knowledge_base_id, endpoint.id, cause=cause)


def _outcome(row: WebhookDeliveryRow) -> Delivered:
    return Delivered(
        state=msgspec.convert(row.state, DeliveryState),
        status=row.status,
        reason=stored_reason(row.reason),
    )


def _described() -> Select[WebhookDeliveryRow, str, str | None]:
    return (
        select(WebhookDeliveryRow, WebhookEventRow.type, WebhookEndpointRow.knowledge_base_id)
        .join(WebhookEventRow, WebhookEventRow.id == WebhookDeliveryRow.event_id)
        .join(WebhookEndpointRow, WebhookEndpointRow.id == WebhookDeliveryRow.endpoint_id)
    )


def _record(row: WebhookDeliveryRow, type: str, knowledge_base_id: str | None) -> Delivery:
    return Delivery(
        id=row.id,
        endpoint_id=row.endpoint_id,
        knowledge_base_id=knowledge_base_id,
        event_id=row.event_id,
        type=type,
        state=msgspec.convert(row.state, DeliveryState),
        attempts=row.attempts,
        status=row.status,
        reason=stored_reason(row.reason),
        last_attempt_at=row.last_attempt_at,
        next_attempt_at=row.next_attempt_at,
        created_at=row.created_at,
    )
