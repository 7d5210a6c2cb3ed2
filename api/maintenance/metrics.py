"""The metrics endpoint."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.plugins.prometheus import PrometheusController
from prometheus_client import Gauge

from activities.runtime.loops import Loop
from activities.stores.catalog.catalog import Catalog
from api.http.access import OPTION, needs
from api.maintenance.health import overdue, seconds_overdue

LOOP_UP = Gauge("holdfast_loop_up", "1 while a loop of this process works, 0 while it is dead or stuck.", ["loop"])
LOOP_SUCCESS = Gauge("holdfast_loop_seconds_since_success", "Seconds since a turn of the loop ended well.", ["loop"])
OVERDUE = Gauge("holdfast_overdue", "Accepted uploads and batches that have no run after a minute.")
OVERDUE_OLDEST = Gauge("holdfast_overdue_oldest_seconds", "Seconds since the oldest of them was accepted.")


class Metrics(PrometheusController):
    """Prometheus metrics, for operators."""

    path = "/metrics"
    opt = {OPTION: needs("operator")}
    include_in_schema = False

    @get()
    async def get(self, loops: list[Loop], catalog: Catalog) -> Response[Any]:
        """The metrics of this process, and of what it shares with others in the catalogue."""
        for loop in loops:
            LOOP_UP.labels(loop.name).set(loop.healthy)
            LOOP_SUCCESS.labels(loop.name).set(loop.seconds_since_success)
        if (found := await overdue(catalog)) is not None:
            OVERDUE.set(found.count)
            OVERDUE_OLDEST.set(seconds_overdue(found))
        return await PrometheusController.get.fn(self)  # type: ignore[no-any-return]
