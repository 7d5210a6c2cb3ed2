"""What a worker measures: its steps, and the Temporal SDK's own metrics, on one port; the SDK's log among ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from prometheus_client import REGISTRY
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    MetricBuffer,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from activities.settings import MetricsSettings
from activities.telemetry import metrics
from activities.telemetry.scraping import serving
from activities.telemetry.sdk_metrics import SdkMetrics

#: The name of the SDK's logger.
SDK_LOGGER = "temporalio.core"


def logging_runtime(buffer: MetricBuffer | None = None) -> Runtime:
    """A runtime that logs as this process does. What the SDK adds to its messages may quote payloads: at debug only."""
    logger = logging.getLogger(SDK_LOGGER)
    forwarding = LogForwardingConfig(
        logger=logger, append_log_fields_to_message=logger.isEnabledFor(logging.DEBUG), append_target_to_name=False
    )
    said = LoggingConfig(filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(telemetry=TelemetryConfig(logging=said, metrics=buffer))


@cache
def process_runtime() -> Runtime:
    """The runtime of a process that measures nothing of the SDK; each has threads of its own."""
    return logging_runtime()


@contextmanager
def measured(settings: MetricsSettings) -> Iterator[Runtime]:
    """The runtime for Temporal's client, whose metrics are served with those of this process inside of the block.

    Without a port or a token nothing is counted. Raises SettingsError.
    """
    if not settings.are_served:
        yield process_runtime()
        return
    sdk = SdkMetrics()
    runtime = logging_runtime(sdk.buffer)
    metrics.show_build()
    metrics.RECONCILED.set_to_current_time()
    with sdk, serving(settings):
        REGISTRY.register(sdk)
        try:
            yield runtime
        finally:
            REGISTRY.unregister(sdk)
