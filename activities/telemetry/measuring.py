"""What a worker measures: its steps, and the Temporal SDK's own metrics, on one port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY
from temporalio.runtime import Runtime, TelemetryConfig

from activities.settings import MetricsSettings
from activities.telemetry import metrics
from activities.telemetry.scraping import serving
from activities.telemetry.sdk_metrics import SdkMetrics


@contextmanager
def measured(settings: MetricsSettings) -> Iterator[Runtime | None]:
    """The runtime for Temporal's client, whose metrics are served with those of this process inside of the block.

    None, the default runtime, without a port or a token. Raises SettingsError.
    """
    if not settings.port or not settings.token:
        yield None
        return
    sdk = SdkMetrics()
    runtime = Runtime(telemetry=TelemetryConfig(metrics=sdk.buffer))
    metrics.show_build()
    metrics.RECONCILED.set_to_current_time()
    with sdk, serving(settings):
        REGISTRY.register(sdk)
        try:
            yield runtime
        finally:
            REGISTRY.unregister(sdk)
