"""Relay of webhook events: starts a run for each delivery that is due.

As for uploads (``dispatcher``), starts are idempotent, and what was recorded is found by the next poll.
"""

from __future__ import annotations

import asyncio

import structlog

from activities.errors import DependencyError, TemporalRefused
from activities.runtime.loops import Loop
from activities.stores.catalog.catalog import Catalog
from activities.stores.catalog.webhooks.records import DueDelivery
from workflows.client.jobs import Jobs

#: Seconds between polls without a hint.
POLL_SECONDS = 2.0

#: Runs started per poll, and how many of them concurrently.
GROUP, AT_ONCE = 100, 8

log = structlog.get_logger()


class WebhookDispatcher:
    """Starts deliveries inside of ``loop``."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog, self._jobs = catalog, jobs
        self.loop = Loop("webhooks", self.once, POLL_SECONDS)

    async def once(self) -> bool:
        """Start one group of runs; True if there may be more. Raises the DependencyError that kept runs waiting."""
        due, listed_at = await self._catalog.deliveries.due(GROUP)
        slots = asyncio.Semaphore(AT_ONCE)

        async def start(delivery: DueDelivery) -> None:
            async with slots:
                await self._jobs.deliver(delivery.to_make, delivery.type, delivery.knowledge_base, again=delivery.again)

        results = await asyncio.gather(*map(start, due), return_exceptions=True)
        begun, outage = [], None
        for delivery, result in zip(due, results, strict=True):
            if isinstance(result, DependencyError) and not isinstance(result, TemporalRefused):
                outage = result
                continue
            if result is not None:  # tried again when it counts as lost, so that it holds up no other
                log.error("a delivery is not started", delivery=delivery.to_make.delivery_id, exc_info=result)
            begun.append(delivery.to_make.delivery_id)
        if begun:
            await self._catalog.deliveries.dispatched(begun, listed_at)
        if outage is not None:
            raise outage
        return len(due) == GROUP
