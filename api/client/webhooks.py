"""Webhooks over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from api.client.paths import at
from api.client.resources import PAGE, Answer, Resource
from api.webhooks.schemas import DeliveryInfo, WebhookInfo, WebhookSecret


class Webhooks(Resource):
    async def add(self, url: str, **settings: Any) -> Answer[WebhookSecret]:
        """``settings`` as the API takes them; those that are None are left to it."""
        given = {name: value for name, value in settings.items() if value is not None}
        return await self._ask(WebhookSecret, "POST", "webhooks", json={"url": url, **given})

    def all(self, kb: str | None = None) -> AsyncIterator[Answer[WebhookInfo]]:
        return self._all(WebhookInfo, "webhooks", kb=kb, limit=PAGE)

    async def get(self, id: str) -> Answer[WebhookInfo]:
        return await self._ask(WebhookInfo, "GET", "webhooks", id)

    async def change(self, id: str, **fields: Any) -> Answer[WebhookInfo]:
        return await self._ask(WebhookInfo, "PATCH", "webhooks", id, json=fields)

    async def rotate(self, id: str) -> Answer[WebhookSecret]:
        return await self._ask(WebhookSecret, "POST", "webhooks", id, "rotate-secret")

    async def test(self, id: str) -> Answer[DeliveryInfo]:
        return await self._ask(DeliveryInfo, "POST", "webhooks", id, "test")

    async def deliveries(self, id: str, limit: int) -> list[Answer[DeliveryInfo]]:
        """The newest ones."""
        return await self._page(DeliveryInfo, "webhooks", id, "deliveries", limit=limit)

    async def retry(self, delivery: str) -> Answer[DeliveryInfo]:
        return await self._ask(DeliveryInfo, "POST", "webhooks", "deliveries", delivery, "retry")

    async def delete(self, id: str) -> None:
        await self._api.call("DELETE", at("webhooks", id))
