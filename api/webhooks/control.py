"""Control of webhooks: add, change, rotate the secret, test, send again."""

from __future__ import annotations

from typing import Any

from activities.runtime.loops import Loop
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.webhooks.records import Delivery, Endpoint, NewEndpoint
from activities.webhooks.addresses import Gate
from activities.webhooks.sender import new_secret
from api.webhooks.schemas import WebhookRequest


class WebhookControl:
    """``relay`` is woken when there is something to send."""

    def __init__(self, catalog: Catalog, relay: Loop, gate: Gate) -> None:
        self._catalog, self._relay, self._gate = catalog, relay, gate

    async def add(
        self, asked: WebhookRequest, knowledge_base: KnowledgeBase | None, actor: str
    ) -> tuple[Endpoint, str]:
        """Add an endpoint; it and its secret. Raises InvalidRequest and TooManyEndpoints."""
        new = NewEndpoint(
            knowledge_base_id=knowledge_base.id if knowledge_base else None,
            url=await self._gate.check(asked.url),
            description=asked.description,
            events=sorted(set(asked.events)),
            each_document=asked.each_document,
        )
        secret = new_secret()
        return await self._catalog.webhooks.create(new, secret, actor), secret

    async def change(self, endpoint: Endpoint, changes: dict[str, Any], actor: str) -> Endpoint:
        """Change fields. Raises InvalidRequest."""
        if "url" in changes:
            changes = changes | {"url": await self._gate.check(changes["url"])}
        if "events" in changes:
            changes = changes | {"events": sorted(set(changes["events"]))}
        return await self._catalog.webhooks.change(endpoint.id, changes, actor)

    async def rotate(self, endpoint: Endpoint, actor: str) -> tuple[Endpoint, str]:
        """Replace the secret; the endpoint and the new one."""
        secret = new_secret()
        return await self._catalog.webhooks.rotate(endpoint.id, secret, actor), secret

    async def test(self, endpoint: Endpoint, actor: str) -> Delivery:
        """Send a test event. Raises WrongState for a disabled endpoint, and TooManyRequests."""
        id = await self._catalog.deliveries.test(endpoint, actor)
        self._relay.wake()
        return await self._catalog.deliveries.get(id)

    async def retry(self, delivery: Delivery, actor: str) -> Delivery:
        """Send an event again, now. Raises WrongState for a disabled endpoint, and TooManyRequests."""
        await self._catalog.deliveries.retry(delivery, actor)
        self._relay.wake()
        return await self._catalog.deliveries.get(delivery.id)
