"""Step of ``DeliverWebhook``: tells an endpoint of an event, and records what came of it.

The message is read from the catalogue: the history of a run has ids only.
"""

from __future__ import annotations

from temporalio import activity

from activities.contracts.webhooks import Delivered, DeliverInput
from activities.errors import DeliveryFailed, EndpointGone, HoldfastError
from activities.phrases import Phrase
from activities.stores.catalog.catalog import Catalog
from activities.webhooks.sender import Sender

#: The status that ends an endpoint.
GONE = 410


class WebhookActivities:
    """Runs on the ``workflows`` queue: it only waits for the network, and must not keep indexing waiting."""

    def __init__(self, catalog: Catalog, sender: Sender) -> None:
        self._catalog, self._sender = catalog, sender

    @activity.defn(name="deliver_webhook")
    async def deliver_webhook(self, input: DeliverInput) -> Delivered:
        """Makes one attempt. What was sent and could not be recorded is sent again, under the same id."""
        message = await self._catalog.deliveries.to_send(input.delivery_id)
        if isinstance(message, Delivered):
            return message
        deliveries, id = self._catalog.deliveries, input.delivery_id
        if message.disabled:
            disabled = DeliveryFailed(detail=Phrase.WEBHOOK_DISABLED).reason
            return await deliveries.failed(id, disabled, None, None, sent=False)
        try:
            status = await self._sender.send(message)
        except DeliveryFailed as exc:
            return await deliveries.failed(id, exc.reason, None, input.retry_seconds)
        if 200 <= status < 300:
            return await deliveries.succeeded(id, status)
        return await deliveries.failed(id, _refusal(status).reason, status, input.retry_seconds)


def _refusal(status: int) -> HoldfastError:
    if status == GONE:
        return EndpointGone()
    return DeliveryFailed(detail=Phrase.REDIRECTED if 300 <= status < 400 else Phrase.ANSWERED, status=status)
