"""Webhook endpoints: addresses that are told of events, and the secrets that sign what they are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.webhooks import MAX_ENDPOINTS, EventType
from activities.errors import NotFound, TooManyEndpoints
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.mapping import lock_knowledge_base
from activities.stores.catalog.tables import KnowledgeBaseRow, WebhookEndpointRow, now
from activities.stores.catalog.webhooks.records import DisabledCause, Endpoint, NewEndpoint

#: A secret stays valid for so long after its rotation.
OVERLAP = timedelta(days=1)


@repeats_conflicts
class Endpoints:
    """Webhook endpoints in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, new: NewEndpoint, secret: str, actor: str) -> Endpoint:
        """Adds an endpoint. Raises NotFound for a deleted knowledge base, and TooManyEndpoints."""
        of_same = WebhookEndpointRow.knowledge_base_id.is_not_distinct_from(new.knowledge_base_id)
        async with self._engine.write() as session:
            name = None
            if new.knowledge_base_id is not None:
                name = (await lock_knowledge_base(session, new.knowledge_base_id)).name
            count = await session.scalar(select(func.count()).select_from(WebhookEndpointRow).where(of_same)) or 0
            if count >= MAX_ENDPOINTS:
                raise TooManyEndpoints(limit=MAX_ENDPOINTS)
            row = WebhookEndpointRow(**msgspec.structs.asdict(new), secret=secret, created_by=actor)
            session.add(row)
            await session.flush()
            detail = {"host": _host(row.url), "events": row.events, "each_document": row.each_document}
            session.audit(actor, "webhook.create", row.knowledge_base_id, row.id, **detail)
        return _record(row, name)

    async def get(self, id: str) -> Endpoint:
        """An endpoint by id. Raises NotFound."""
        async with self._engine.read() as session:
            return await _found(session, id)

    async def page(self, knowledge_base_id: str | None, after: str | None, limit: int) -> list[Endpoint]:
        """At most ``limit`` endpoints, newest first, added before ``after``: of a knowledge base, or all."""
        query = _named().order_by(WebhookEndpointRow.id.desc()).limit(limit)
        query = query.where(WebhookEndpointRow.knowledge_base_id == knowledge_base_id) if knowledge_base_id else query
        query = query.where(WebhookEndpointRow.id < after) if after else query
        async with self._engine.read() as session:
            return [_record(row, name) for row, name in await session.execute(query)]

    async def change(self, id: str, changes: dict[str, Any], actor: str) -> Endpoint:
        """Sets fields of ``NewEndpoint``, and ``disabled``. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _locked(session, id)
            fields = dict(changes)
            disabled = fields.pop("disabled", None)
            for name, value in fields.items():
                setattr(row, name, value)
            if disabled is not None and disabled != (row.disabled_at is not None):
                row.disabled_at, row.disabled_cause = (now(), "user") if disabled else (None, None)
            if changes.keys() & {"url", "disabled"}:
                row.failing_since = None
            session.audit(actor, "webhook.update", row.knowledge_base_id, row.id, fields=sorted(changes))
            await session.flush()
            return await _found(session, id)

    async def rotate(self, id: str, secret: str, actor: str) -> Endpoint:
        """Replaces the secret; the one before signs too, until ``OVERLAP`` has passed. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _locked(session, id)
            row.previous_secret, row.previous_until, row.secret = row.secret, now() + OVERLAP, secret
            session.audit(actor, "webhook.rotate-secret", row.knowledge_base_id, row.id)
            await session.flush()
            return await _found(session, id)

    async def delete(self, id: str, actor: str) -> None:
        """Removes an endpoint with its deliveries. Raises NotFound."""
        async with self._engine.write() as session:
            row = await _locked(session, id)
            session.audit(actor, "webhook.delete", row.knowledge_base_id, row.id, host=_host(row.url))
            await session.delete(row)


async def _locked(session: AsyncSession, id: str) -> WebhookEndpointRow:
    row = await session.get(WebhookEndpointRow, id, with_for_update=True)
    if row is None:
        raise NotFound(kind="webhook", id=id)
    return row


async def _found(session: AsyncSession, id: str) -> Endpoint:
    found = (await session.execute(_named().where(WebhookEndpointRow.id == id))).first()
    if found is None:
        raise NotFound(kind="webhook", id=id)
    return _record(*found)


def _named() -> Select[WebhookEndpointRow, str | None]:
    return select(WebhookEndpointRow, KnowledgeBaseRow.name).outerjoin(
        KnowledgeBaseRow, KnowledgeBaseRow.id == WebhookEndpointRow.knowledge_base_id
    )


def _host(url: str) -> str:
    """What the audit trail has of an address: path and query may hold a secret of the receiver."""
    return urlsplit(url).hostname or ""


def _record(row: WebhookEndpointRow, knowledge_base: str | None) -> Endpoint:
    return Endpoint(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        knowledge_base=knowledge_base,
        url=row.url,
        description=row.description,
        events=msgspec.convert(row.events, list[EventType]),
        each_document=row.each_document,
        disabled_at=row.disabled_at,
        disabled_cause=msgspec.convert(row.disabled_cause, DisabledCause | None),
        failing_since=row.failing_since,
        previous_until=row.previous_until if row.previous_until and row.previous_until > now() else None,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
