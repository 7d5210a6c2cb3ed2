"""The metrics endpoint."""

from __future__ import annotations

from litestar.plugins.prometheus import PrometheusController

from api.http.access import OPTION, needs


class Metrics(PrometheusController):
    """Prometheus metrics, for operators."""

    path = "/metrics"
    opt = {OPTION: needs("operator")}
    include_in_schema = False
