"""Deliveries of webhooks with a real Temporal server and a real receiver: at least once, and no secret in a history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.documents import Chunking
from activities.contracts.ids import webhook_workflow_id
from activities.contracts.queues import Queue
from activities.contracts.webhooks import Delivered, DeliveryToMake
from activities.errors import CatalogUnavailable
from activities.runtime.interceptor import ActivityEdge
from activities.runtime.temporal import connect
from activities.settings import TemporalSettings, load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.records import KnowledgeBase
from activities.stores.catalog.webhooks.deliveries import Deliveries
from activities.stores.catalog.webhooks.records import Delivery, Endpoint, NewEndpoint, ToSend
from activities.webhooks.addresses import Gate
from activities.webhooks.deliver import WebhookActivities
from activities.webhooks.sender import Sender, new_secret
from api.background.webhooks import WebhookDispatcher
from tests.conftest import assert_eventually
from tests.receiver import LOOPBACK, Receiver, receiving
from tests.workflows.test_replay import replayer
from workflows import webhooks as delivering
from workflows.client.jobs import Jobs
from workflows.webhooks import DeliverWebhook


@dataclass
class Hooks:
    """A catalogue, a receiver, and the relay between them."""

    catalog: Catalog
    kb: KnowledgeBase
    client: Client
    receiver: Receiver
    relay: WebhookDispatcher
    secret: str = ""

    async def endpoint(self) -> Endpoint:
        """An endpoint that leads to the receiver."""
        self.secret = new_secret()
        new = NewEndpoint(knowledge_base_id=self.kb.id, url=self.receiver.url)
        return await self.catalog.webhooks.create(new, self.secret, "ann")

    async def send(self, endpoint: Endpoint) -> Delivery:
        """Have a test event sent; its run has been started."""
        id = await self.catalog.deliveries.test(endpoint, "ann")
        await self.relay.once()
        return await self.catalog.deliveries.get(id)

    async def reaches(self, delivery: Delivery, wanted: Callable[[Delivery], bool]) -> Delivery:
        """Wait until a delivery is as wanted."""

        async def check() -> Delivery | None:
            found = await self.catalog.deliveries.get(delivery.id)
            return found if wanted(found) else None

        return await assert_eventually(check, step=0.05)

    @asynccontextmanager
    async def working(self, catalog: Catalog | None = None) -> AsyncIterator[None]:
        """A worker inside of the block, with this catalogue if one is given."""
        activities = WebhookActivities(catalog or self.catalog, Sender(Gate([ip_network(LOOPBACK)])))
        async with Worker(
            self.client,
            task_queue=Queue.WORKFLOWS,
            workflows=[DeliverWebhook],
            workflow_runner=UnsandboxedWorkflowRunner(),
            activities=[activities.deliver_webhook],
            interceptors=[ActivityEdge()],
        ):
            yield

    def ended(self, delivery: Delivery) -> Awaitable[object]:
        """The result of a delivery's run."""
        return asyncio.wait_for(self.client.get_workflow_handle(id_of(delivery)).result(), 30)


def id_of(delivery: Delivery) -> str:
    """The id of a delivery's run."""
    return webhook_workflow_id(delivery.event_id, delivery.endpoint_id)


@pytest.fixture
async def hooks(tmp_path: Path, temporal_server: TemporalSettings) -> AsyncIterator[Hooks]:
    """Nothing is due at first."""
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
    catalog, client = Catalog(settings.catalog_url), await connect(temporal_server)
    kb = await catalog.knowledge_bases.create("handbook", "", "", Chunking(), "ann")
    with receiving() as receiver:
        yield Hooks(catalog, kb, client, receiver, WebhookDispatcher(catalog, Jobs(client)))
    await catalog.close()


async def test_a_receiver_that_fails_first_gets_its_event(hooks: Hooks) -> None:
    """Again under the same id, with a good signature; neither history nor log has the secret or the address."""
    endpoint = await hooks.endpoint()
    hooks.receiver.statuses = [500]
    with capture_logs() as logged:
        async with hooks.working():
            delivery = await hooks.send(endpoint)
            waiting = await hooks.reaches(delivery, lambda found: found.attempts == 1)
            assert (waiting.state, waiting.status) == ("pending", 500)
            assert waiting.next_attempt_at is not None
            assert waiting.reason is not None
            assert "500" in waiting.reason.render()
            assert (await hooks.catalog.webhooks.get(endpoint.id)).failing_since is not None
            await hooks.catalog.deliveries.retry(waiting, "ann")
            await hooks.relay.once()  # does not wait for the next attempt
            await hooks.ended(delivery)
    assert (await hooks.catalog.deliveries.get(delivery.id)).state == "delivered"
    first, second = hooks.receiver.messages
    assert first.id == second.id == delivery.event_id
    assert first.body == second.body
    assert second.verified(hooks.secret)["type"] == "webhook.test"
    assert (await hooks.catalog.webhooks.get(endpoint.id)).failing_since is None
    history = await hooks.client.get_workflow_handle(id_of(delivery)).fetch_history()
    for text in (history.to_json(), repr(logged)):
        assert not any(word in text for word in (hooks.secret, hooks.secret[6:], "/hook", "of=test", "127.0.0.1:"))
    await replayer().replay_workflow(history)


async def test_started_twice_is_told_once(hooks: Hooks) -> None:
    """A relay that died before it noted the start starts again: the run is joined, or finds that all is done."""
    delivery = await hooks.send(await hooks.endpoint())
    again = DeliveryToMake(delivery_id=delivery.id, event_id=delivery.event_id, endpoint_id=delivery.endpoint_id)
    jobs = Jobs(hooks.client)
    await jobs.deliver(again, delivery.type, None, again=False)
    async with hooks.working():
        await hooks.ended(delivery)
        await jobs.deliver(again, delivery.type, None, again=False)
        await hooks.ended(delivery)
    assert len(hooks.receiver.messages) == 1


class Forgetful:
    """Deliveries of a catalogue that is down when the first success is to be recorded."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries, self.down = deliveries, True

    async def to_send(self, id: str) -> ToSend | Delivered:
        return await self._deliveries.to_send(id)

    async def succeeded(self, id: str, status: int) -> Delivered:
        if self.down:
            self.down = False
            raise CatalogUnavailable(detail="it was killed")
        return await self._deliveries.succeeded(id, status)


async def test_what_was_sent_and_not_recorded_is_sent_again(hooks: Hooks) -> None:
    """The same message under the same id, by which the receiver can tell."""
    delivery = await hooks.send(await hooks.endpoint())
    forgetful = SimpleNamespace(deliveries=Forgetful(hooks.catalog.deliveries))
    async with hooks.working(cast(Catalog, forgetful)):
        await hooks.ended(delivery)
    first, second = hooks.receiver.messages
    assert (first.id, first.body) == (second.id, second.body)
    assert second.verified(hooks.secret)["type"] == "webhook.test"
    found = await hooks.catalog.deliveries.get(delivery.id)
    assert (found.state, found.attempts) == ("delivered", 1)


async def test_an_event_is_sent_again_when_a_user_asks(hooks: Hooks) -> None:
    """Also one that was taken: the same message, by another run of the same id."""
    delivery = await hooks.send(await hooks.endpoint())
    async with hooks.working():
        await hooks.ended(delivery)
        await hooks.catalog.deliveries.retry(delivery, "ann")
        await hooks.relay.once()
        await hooks.reaches(delivery, lambda found: found.attempts == 2)
    first, second = hooks.receiver.messages
    assert (first.id, first.body) == (second.id, second.body)


async def test_an_endpoint_that_is_gone_gets_nothing_more(hooks: Hooks) -> None:
    """410 disables it, the delivery has failed, and what is due for it fails without being sent."""
    endpoint = await hooks.endpoint()
    hooks.receiver.statuses = [410]
    later = await hooks.catalog.deliveries.test(endpoint, "ann")
    async with hooks.working():
        await hooks.relay.once()
        delivery = await hooks.catalog.deliveries.get(later)
        with pytest.raises(WorkflowFailureError) as caught:
            await hooks.ended(delivery)
        assert isinstance(caught.value.cause, ApplicationError)
        assert caught.value.cause.type == "endpoint-gone"
    assert (await hooks.catalog.webhooks.get(endpoint.id)).disabled_cause == "gone"
    assert (await hooks.catalog.deliveries.get(later)).status == 410


async def test_a_disabled_endpoint_gets_nothing(hooks: Hooks) -> None:
    """What was pending for it has failed, with the reason."""
    endpoint = await hooks.endpoint()
    delivery = await hooks.send(endpoint)
    await hooks.catalog.webhooks.change(endpoint.id, {"disabled": True}, "ann")
    async with hooks.working():
        with pytest.raises(WorkflowFailureError):
            await hooks.ended(delivery)
    found = await hooks.catalog.deliveries.get(delivery.id)
    assert (found.state, found.attempts) == ("failed", 0)
    assert found.reason is not None
    assert "disabled" in found.reason.render()
    assert not hooks.receiver.messages


async def test_the_last_attempt_ends_the_delivery(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """After all waits; redirects are no success, and are not followed."""
    monkeypatch.setattr(delivering, "SCHEDULE", (0.01, 0.01))
    with receiving() as elsewhere:
        hooks.receiver.statuses, hooks.receiver.location = [307, 307, 307], elsewhere.url
        async with hooks.working():
            delivery = await hooks.send(await hooks.endpoint())
            with pytest.raises(WorkflowFailureError):
                await hooks.ended(delivery)
        assert not elsewhere.messages
    found = await hooks.catalog.deliveries.get(delivery.id)
    assert (found.state, found.attempts, found.status, found.next_attempt_at) == ("failed", 3, 307, None)
    assert len(hooks.receiver.messages) == 3


async def test_a_removed_endpoint_ends_its_runs(hooks: Hooks) -> None:
    """Without a message."""
    endpoint = await hooks.endpoint()
    delivery = await hooks.send(endpoint)
    await hooks.catalog.webhooks.delete(endpoint.id, "ann")
    async with hooks.working():
        await hooks.ended(delivery)
    assert not hooks.receiver.messages


def test_the_waits_are_those_of_standard_webhooks() -> None:
    """Three days, longer and longer."""
    assert list(delivering.SCHEDULE) == sorted(delivering.SCHEDULE)
    assert 72 <= sum(delivering.SCHEDULE) / 3600 <= 84
