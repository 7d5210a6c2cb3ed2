"""Webhooks: endpoints that are told of the end of jobs, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, patch, post
from litestar.params import Parameter

from activities.errors import Forbidden
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.records import Principal
from activities.stores.catalog.webhooks.records import Delivery, Endpoint
from api.http.access import Access, has, needs
from api.http.language import language_of
from api.http.schemas import Page, page_of
from api.knowledge_bases.routes import given
from api.webhooks.control import WebhookControl
from api.webhooks.schemas import ChangeWebhook, DeliveryInfo, WebhookInfo, WebhookRequest, WebhookSecret
from api.webhooks.views import delivery_info, webhook_info, webhook_secret

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000, description="Maximum number of items on a page.")]
Name = Annotated[str | None, Parameter(description="Name of a knowledge base.")]

#: What managing the endpoints of a knowledge base takes.
MANAGES = needs("manager", "knowledge_base", also=("operator",))
OF_WEBHOOK = needs("manager", "webhook", also=("operator",))
OF_DELIVERY = needs("manager", "delivery", also=("operator",))


class WebhooksController(Controller):
    path = "/api/v1/webhooks"
    tags = ["Webhooks"]

    @post(access=needs("reader"), summary="Add a webhook; the answer has its secret, which is not shown again")
    async def add(
        self, data: WebhookRequest, access: Access, webhook_control: WebhookControl, principal: Principal
    ) -> WebhookSecret:
        knowledge_base = None
        if data.knowledge_base is not None:
            knowledge_base = await access.named(principal, MANAGES, data.knowledge_base)
        elif not has(principal, "operator"):
            raise Forbidden(role="operator")
        return webhook_secret(*await webhook_control.add(data, knowledge_base, principal.subject))

    @get(access=needs("reader"), summary="List webhooks that you may manage, newest first")
    async def index(
        self,
        catalog: Catalog,
        access: Access,
        principal: Principal,
        kb: Name = None,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Page[WebhookInfo]:
        of = (await access.named(principal, MANAGES, kb)).id if kb is not None else None
        shown: list[Endpoint] = []
        while len(shown) < limit:  # no page and no cursor tells of those of others
            found = await catalog.webhooks.page(of, cursor, limit)
            shown += [each for each in found if await _may_manage(access, principal, each)]
            if len(found) < limit:
                break
            cursor = found[-1].id
        return page_of(shown[:limit], limit, webhook_info)


async def _may_manage(access: Access, principal: Principal, endpoint: Endpoint) -> bool:
    if endpoint.knowledge_base_id is None:
        return has(principal, "operator")
    return await access.may(principal, MANAGES, endpoint.knowledge_base_id)


class WebhookController(Controller):
    path = "/api/v1/webhooks/{webhook_id:str}"
    tags = ["Webhooks"]

    @get(access=OF_WEBHOOK, summary="Get a webhook")
    async def show(self, webhook: Endpoint) -> WebhookInfo:
        return webhook_info(webhook)

    @patch(access=OF_WEBHOOK, summary="Change a webhook, disable or enable it")
    async def change(
        self, webhook: Endpoint, data: ChangeWebhook, webhook_control: WebhookControl, principal: Principal
    ) -> WebhookInfo:
        return webhook_info(await webhook_control.change(webhook, given(data), principal.subject))

    @post("/rotate-secret", access=OF_WEBHOOK, summary="Replace the secret; the old one signs too for a day")
    async def rotate(self, webhook: Endpoint, webhook_control: WebhookControl, principal: Principal) -> WebhookSecret:
        return webhook_secret(*await webhook_control.rotate(webhook, principal.subject))

    @post("/test", status_code=202, access=OF_WEBHOOK, summary="Send the event webhook.test")
    async def test(
        self, webhook: Endpoint, request: AnyRequest, webhook_control: WebhookControl, principal: Principal
    ) -> DeliveryInfo:
        return delivery_info(await webhook_control.test(webhook, principal.subject), language_of(request))

    @get("/deliveries", access=OF_WEBHOOK, summary="List what a webhook was told in the last days, newest first")
    async def deliveries(
        self,
        webhook: Endpoint,
        request: AnyRequest,
        catalog: Catalog,
        cursor: str | None = None,
        limit: Limit = 20,
    ) -> Page[DeliveryInfo]:
        found = await catalog.deliveries.page(webhook.id, cursor, limit)
        return page_of(found, limit, lambda delivery: delivery_info(delivery, language_of(request)))

    @delete(status_code=204, access=OF_WEBHOOK, summary="Remove a webhook with its deliveries")
    async def remove(self, webhook: Endpoint, catalog: Catalog, principal: Principal) -> None:
        await catalog.webhooks.delete(webhook.id, principal.subject)


class DeliveryController(Controller):
    path = "/api/v1/webhooks/deliveries/{delivery_id:str}"
    tags = ["Webhooks"]

    @post("/retry", status_code=202, access=OF_DELIVERY, summary="Send an event again now")
    async def retry(
        self, delivery: Delivery, request: AnyRequest, webhook_control: WebhookControl, principal: Principal
    ) -> DeliveryInfo:
        return delivery_info(await webhook_control.retry(delivery, principal.subject), language_of(request))
