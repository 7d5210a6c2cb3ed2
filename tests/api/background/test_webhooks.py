"""The relay of webhooks: an outage keeps deliveries waiting, and one that cannot be started holds up no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from activities.contracts.webhooks import DeliveryToMake
from activities.errors import TemporalRefused, TemporalUnavailable
from activities.settings import load
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.migrate import upgrade
from activities.stores.catalog.webhooks.records import NewEndpoint
from api.background.webhooks import WebhookDispatcher
from workflows.client.jobs import Jobs


class Runs:
    """Starts no run; raises the error that is noted for a delivery."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.started: list[str] = []

    async def deliver(self, delivery: DeliveryToMake, type: str, knowledge_base: str | None, *, again: bool) -> str:
        if delivery.delivery_id in self.errors:
            raise self.errors[delivery.delivery_id]
        self.started.append(delivery.delivery_id)
        return ""


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """An empty catalogue."""
    settings = load({"HOLDFAST_DATA": str(tmp_path / "data")})
    await upgrade(settings)
    catalog = Catalog(settings.catalog_url)
    yield catalog
    await catalog.close()


async def test_each_start_stands_for_itself(catalog: Catalog) -> None:
    """What an outage kept waiting is started by a later turn; what is refused is left until it counts as lost."""
    endpoint = await catalog.webhooks.create(
        NewEndpoint(knowledge_base_id=None, url="https://hooks.test/"), "whsec_", "ann"
    )
    good, refused, waiting = [await catalog.deliveries.test(endpoint, "ann") for _ in range(3)]
    runs = Runs()
    relay = WebhookDispatcher(catalog, cast(Jobs, runs))
    runs.errors = {refused: TemporalRefused(detail="too large"), waiting: TemporalUnavailable()}
    with pytest.raises(TemporalUnavailable):
        await relay.once()
    assert runs.started == [good]
    del runs.errors[waiting]
    assert not await relay.once()
    assert runs.started == [good, waiting]
    assert not (await catalog.deliveries.due(10))[0]
