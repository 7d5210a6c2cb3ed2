"""Events are recorded in the transaction that ends the job, and only if an endpoint wants them.

An event names what happened by ids, names, states and counts. It never has text of a document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from sqlalchemy import select

from activities.contracts.webhooks import EventType
from activities.errors import Reason
from activities.stores.catalog.engine import Transaction
from activities.stores.catalog.tables import (
    BatchRow,
    DocumentRow,
    KnowledgeBaseRow,
    ReindexRow,
    SyncRow,
    VersionRow,
    WebhookDeliveryRow,
    WebhookEndpointRow,
    WebhookEventRow,
    new_id,
)

#: Where the API shows what an event is about.
_API = "/api/v1"

#: What is told of a version by its state.
_OUTCOMES: dict[str, EventType] = {"ready": "document.ready", "failed": "document.failed"}

Data = Callable[[], Awaitable[dict[str, Any]]]


async def announce(
    transaction: Transaction, type: EventType, knowledge_base_id: str, data: Data, *, batch_id: str | None = None
) -> None:
    """Records an event for each endpoint that wants it; ``data`` is called only if there is one.

    Nothing is told of a deleted knowledge base, and of a document of a batch only if an endpoint wants each of them.
    """
    query = select(WebhookEndpointRow.id, WebhookEndpointRow.events, WebhookEndpointRow.each_document).where(
        WebhookEndpointRow.disabled_at.is_(None),
        WebhookEndpointRow.knowledge_base_id.is_(None) | (WebhookEndpointRow.knowledge_base_id == knowledge_base_id),
    )
    endpoints = [
        id
        for id, events, each_document in await transaction.execute(query)
        if (not events or type in events) and (batch_id is None or each_document)
    ]
    knowledge_base = await transaction.get(KnowledgeBaseRow, knowledge_base_id) if endpoints else None
    if knowledge_base is not None and knowledge_base.deleted_at is None:
        about = {"knowledge_base": {"id": knowledge_base.id, "name": knowledge_base.name}}
        await record(transaction, type, knowledge_base_id, about | await data(), endpoints)


async def record(
    transaction: Transaction, type: str, knowledge_base_id: str | None, data: dict[str, Any], endpoints: list[str]
) -> list[WebhookDeliveryRow]:
    """Records an event for these endpoints; its deliveries."""
    event = WebhookEventRow(id=new_id(), type=type, knowledge_base_id=knowledge_base_id, data=data)
    transaction.add(event)
    await transaction.flush()
    deliveries = [WebhookDeliveryRow(event_id=event.id, endpoint_id=id) for id in endpoints]
    transaction.add_all(deliveries)
    await transaction.flush()
    return deliveries


async def announce_version(transaction: Transaction, document: DocumentRow, version: VersionRow, before: str) -> None:
    """Announces that a version, whose state was ``before``, is ready or has failed."""
    type = _OUTCOMES.get(version.state)
    if type is None or version.state == before or document.deleted_at is not None:
        return

    async def data() -> dict[str, Any]:
        return {
            **_document(document),
            "version": version.version,
            "state": version.state,
            "reason": _reason(version.reason),
            "media_type": version.media_type,
            "pages": version.pages,
            "chunks": version.chunks,
            "batch_id": version.batch_id,
        }

    await announce(transaction, type, document.knowledge_base_id, data, batch_id=version.batch_id)


async def announce_deletion(transaction: Transaction, document: DocumentRow) -> None:
    """Announces that nothing of a document is left."""

    async def data() -> dict[str, Any]:
        return {**_document(document), "deleted_by": document.deleted_by}

    await announce(transaction, "document.deleted", document.knowledge_base_id, data)


async def announce_batch(
    transaction: Transaction, batch: BatchRow, counts: Callable[[], Awaitable[dict[str, int]]]
) -> None:
    """Announces that a batch has come to its end, with its documents counted by state."""

    async def data() -> dict[str, Any]:
        return {
            "id": batch.id,
            "name": batch.name,
            "state": batch.state,
            "reason": _reason(batch.reason),
            "documents": await counts(),
            "url": f"{_API}/batches/{batch.id}",
        }

    await announce(transaction, "batch.finished", batch.knowledge_base_id, data)


async def announce_reindex(transaction: Transaction, reindex: ReindexRow) -> None:
    """Announces that a re-index has come to its end."""

    async def data() -> dict[str, Any]:
        return {
            "id": reindex.id,
            "state": reindex.state,
            "reason": _reason(reindex.reason),
            "generation": reindex.generation,
            "previous": reindex.previous,
            "switched": reindex.switched_at is not None and reindex.rolled_back_at is None,
            "documents": reindex.done,
            "url": f"{_API}/reindexes/{reindex.id}",
        }

    await announce(transaction, "reindex.finished", reindex.knowledge_base_id, data)


async def announce_sync(transaction: Transaction, sync: SyncRow, source: str) -> None:
    """Announces that a sync has come to its end."""

    async def data() -> dict[str, Any]:
        return {
            "id": sync.id,
            "state": sync.state,
            "reason": _reason(sync.reason),
            "source": {"id": sync.source_id, "name": source},
            "applied": sync.applied or {},
            "batch_id": sync.batch_id,
            "url": f"{_API}/syncs/{sync.id}",
        }

    await announce(transaction, "sync.finished", sync.knowledge_base_id, data)


def _document(document: DocumentRow) -> dict[str, Any]:
    return {"id": document.id, "name": document.name, "url": f"{_API}/documents/{document.id}"}


def _reason(stored: dict[str, Any] | None) -> dict[str, str] | None:
    """The code of a reason and its sentence in English."""
    if not stored:
        return None
    reason = msgspec.convert(stored, Reason)
    return {"code": reason.code, "text": reason.render()}
