"""Webhooks as the API shows them."""

from __future__ import annotations

from typing import Any

from activities.contracts import addresses
from activities.contracts.ids import webhook_workflow_id
from activities.errors import Language
from activities.stores.catalog.webhooks.records import Delivery, Endpoint
from api.webhooks.schemas import DeliveryInfo, WebhookInfo, WebhookSecret


def webhook_info(endpoint: Endpoint) -> WebhookInfo:
    """An endpoint without its secret."""
    return WebhookInfo(**_fields(endpoint))


def webhook_secret(endpoint: Endpoint, secret: str) -> WebhookSecret:
    """An endpoint with its new secret."""
    return WebhookSecret(**_fields(endpoint), secret=secret)


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "knowledge_base": endpoint.knowledge_base,
        "url": endpoint.url,
        "description": endpoint.description,
        "events": endpoint.events,
        "each_document": endpoint.each_document,
        "state": "disabled" if endpoint.disabled_at else "enabled",
        "disabled_at": endpoint.disabled_at,
        "disabled_cause": endpoint.disabled_cause,
        "failing_since": endpoint.failing_since,
        "previous_secret_until": endpoint.previous_until,
        "created_by": endpoint.created_by,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
        "deliveries_url": addresses.webhook_deliveries(endpoint.id),
    }


def delivery_info(delivery: Delivery, language: Language) -> DeliveryInfo:
    """A delivery with the reason why its last attempt failed."""
    return DeliveryInfo(
        id=delivery.id,
        webhook_id=delivery.endpoint_id,
        event_id=delivery.event_id,
        type=delivery.type,
        state=delivery.state,
        attempts=delivery.attempts,
        status_code=delivery.status,
        reason=delivery.reason.render(language) if delivery.reason else None,
        last_attempt_at=delivery.last_attempt_at,
        next_attempt_at=delivery.next_attempt_at,
        created_at=delivery.created_at,
        workflow_id=webhook_workflow_id(delivery.event_id, delivery.endpoint_id),
    )
