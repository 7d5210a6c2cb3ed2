"""Webhooks: types of events, and inputs and results of their delivery. Addresses and secrets never cross Temporal."""

from __future__ import annotations

from typing import Literal, get_args

from activities.contracts import Contract
from activities.errors import Reason

#: What an endpoint can be told of: the end of a job.
EventType = Literal[
    "document.ready", "document.failed", "document.deleted", "batch.finished", "reindex.finished", "sync.finished"
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

#: The event that only the endpoint under test is told of.
TEST_EVENT = "webhook.test"

DeliveryState = Literal["pending", "delivered", "failed"]

#: Longest address and description of an endpoint.
MAX_URL, MAX_DESCRIPTION = 2048, 200

#: Endpoints of one knowledge base, and of the platform.
MAX_ENDPOINTS = 20

#: Tests and repeated deliveries that people may ask of one endpoint in a minute.
MAX_REQUESTED_A_MINUTE = 30


class DeliveryToMake(Contract, frozen=True):
    """One event for one endpoint."""

    delivery_id: str
    event_id: str
    endpoint_id: str


class DeliverInput(Contract, frozen=True):
    """One attempt; the next one follows after ``retry_seconds``, None after the last one."""

    delivery_id: str
    retry_seconds: float | None = None


class Delivered(Contract, frozen=True):
    """What came of an attempt. ``state`` is None if the delivery is gone, with its endpoint."""

    state: DeliveryState | None
    status: int | None = None
    reason: Reason | None = None
