"""Wire types of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from activities.contracts.webhooks import EVENT_TYPES, MAX_DESCRIPTION, MAX_URL, DeliveryState, EventType
from api.http.schemas import Request, Schema

Url = Annotated[str, Meta(max_length=MAX_URL, description="Where events are posted, by https.")]
Events = Annotated[list[EventType], Meta(max_length=len(EVENT_TYPES), description="Types of events; empty for all.")]
Description = Annotated[str, Meta(max_length=MAX_DESCRIPTION)]
EachDocument = Annotated[
    bool, Meta(description="Also tell of each document of a batch, not only of the batch when it has finished.")
]


class WebhookRequest(Request, frozen=True):
    """An endpoint to add. Without ``knowledge_base`` it is told of all of them, which needs the role ``operator``."""

    url: Url
    knowledge_base: Annotated[str, Meta(max_length=200)] | None = None
    events: Events = []
    description: Description = ""
    each_document: EachDocument = False


class ChangeWebhook(Request, frozen=True):
    """Fields that are left out stay as they are; ``disabled`` false lets an endpoint begin anew."""

    url: Url | msgspec.UnsetType = msgspec.UNSET
    events: Events | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET
    each_document: EachDocument | msgspec.UnsetType = msgspec.UNSET
    disabled: bool | msgspec.UnsetType = msgspec.UNSET


class WebhookInfo(Schema, frozen=True):
    """A webhook. ``state`` is enabled or disabled; ``disabled_cause`` says by whom: user, gone (410) or failing.

    ``failing_since`` is the first failed attempt after the last one that succeeded. The secret from before a rotation
    signs too, until ``previous_secret_until``.
    """

    id: str
    knowledge_base: str | None
    url: str
    description: str
    events: list[EventType]
    each_document: bool
    state: str
    disabled_at: datetime | None
    disabled_cause: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    deliveries_url: str


class WebhookSecret(WebhookInfo, frozen=True):
    """A webhook with its secret, which is shown this once."""

    secret: str


class DeliveryInfo(Schema, frozen=True):
    """An event for an endpoint: ``event_id`` is the header ``webhook-id``, ``status_code`` that of the last attempt."""

    id: str
    webhook_id: str
    event_id: str
    type: str
    state: DeliveryState
    attempts: int
    status_code: int | None
    reason: str | None
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    created_at: datetime
    workflow_id: str
