"""Records of webhooks. Only ``ToSend`` has secrets."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from activities.contracts.webhooks import DeliveryState, DeliveryToMake, EventType
from activities.errors import Reason
from activities.stores.catalog.records import Record

#: Why an endpoint is disabled: by a user, since it said that it is gone (410), or since it failed for days.
DisabledCause = Literal["user", "gone", "failing"]


class NewEndpoint(Record, frozen=True, kw_only=True):
    """``knowledge_base_id`` is None for events of all knowledge bases; ``events`` is empty for all types."""

    knowledge_base_id: str | None
    url: str
    description: str = ""
    events: list[EventType] = msgspec.field(default_factory=list)
    each_document: bool = False


class Endpoint(NewEndpoint, frozen=True, kw_only=True):
    """An endpoint. The secret from before the last rotation is valid until ``previous_until``."""

    id: str
    knowledge_base: str | None
    disabled_at: datetime | None
    disabled_cause: DisabledCause | None
    failing_since: datetime | None
    previous_until: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class Delivery(Record, frozen=True):
    """An event for an endpoint, which belongs to ``knowledge_base_id``, or to the platform; ``status`` is HTTP's."""

    id: str
    endpoint_id: str
    knowledge_base_id: str | None
    event_id: str
    type: str
    state: DeliveryState
    attempts: int
    status: int | None
    reason: Reason | None
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    created_at: datetime


class DueDelivery(Record, frozen=True):
    """A delivery whose run is to be started; ``again`` if there were attempts before."""

    to_make: DeliveryToMake
    type: str
    knowledge_base: str | None
    again: bool


class ToSend(Record, frozen=True):
    """What an attempt needs."""

    event_id: str
    type: str
    at: datetime
    data: dict[str, Any]
    url: str
    secrets: list[str]
    disabled: bool

    def __repr__(self) -> str:
        return f"ToSend(event_id={self.event_id!r}, type={self.type!r})"
