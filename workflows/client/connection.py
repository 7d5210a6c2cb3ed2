"""The connection to Temporal, with the metrics of its SDK (``activities.runtime.temporal`` has the error table)."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from activities.runtime import temporal
from activities.settings import TemporalSettings


async def connect(settings: TemporalSettings, *, lazy: bool = False, metrics: str | None = None) -> Client:
    """A client with the converter of the contracts. ``lazy`` connects at the first call, not now.

    ``metrics`` is the address on which the SDK serves its metrics. Raises as ``activities.runtime.temporal.connect``.
    """
    runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=metrics))) if metrics else None
    return await temporal.connect(settings, lazy=lazy, runtime=runtime)
