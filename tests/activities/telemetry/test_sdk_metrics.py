"""The metrics of the Temporal SDK: added up from its buffer, and shown as its own endpoint shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    Runtime,
    TelemetryConfig,
)

from activities.telemetry import sdk_metrics
from activities.telemetry.sdk_metrics import SdkMetrics


@dataclass
class Described:
    """A metric of the buffer."""

    name: str
    kind: Any
    unit: str | None = None
    description: str | None = None


@dataclass
class Update:
    """A value of the buffer."""

    metric: Described
    value: float
    attributes: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def sdk() -> SdkMetrics:
    """The metrics of a runtime that counts nothing by itself."""
    found = SdkMetrics()
    Runtime(telemetry=TelemetryConfig(metrics=found.buffer))
    return found


def text(sdk: SdkMetrics) -> list[str]:
    """What Prometheus reads, without comments."""
    registry = CollectorRegistry()
    registry.register(sdk)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_counters_are_added_and_gauges_replaced(sdk: SdkMetrics) -> None:
    """Series of one metric need not have the same labels; what all would have is left out."""
    tasks = Described("temporal_tasks", BUFFERED_METRIC_KIND_COUNTER)
    slots = Described("temporal_slots", BUFFERED_METRIC_KIND_GAUGE)
    for update in (
        Update(tasks, 1, {"task_queue": "cpu", "namespace": "default"}),
        Update(tasks, 2, {"namespace": "default", "task_queue": "cpu"}),
        Update(tasks, 1, {"task_queue": "cpu", "failure_reason": "timeout"}),
        Update(slots, 5),
        Update(slots, 3),
    ):
        sdk.add(update)  # type: ignore[arg-type]
    assert text(sdk) == [
        'temporal_tasks_total{task_queue="cpu"} 3.0',
        'temporal_tasks_total{failure_reason="timeout",task_queue="cpu"} 1.0',
        "temporal_slots 3.0",
    ]


def test_a_wait_of_200_ms_is_told_from_a_longer_one(sdk: SdkMetrics) -> None:
    """A duration has its unit in the name, and a bucket ends at 0.2 s."""
    wait = Described("temporal_wait", BUFFERED_METRIC_KIND_HISTOGRAM, unit="s")
    for seconds in (0.15, 0.2, 0.21, 9999.0):
        sdk.add(Update(wait, seconds))  # type: ignore[arg-type]
    shown = text(sdk)
    assert 'temporal_wait_seconds_bucket{le="0.2"} 2.0' in shown
    assert 'temporal_wait_seconds_bucket{le="0.5"} 3.0' in shown
    assert 'temporal_wait_seconds_bucket{le="+Inf"} 4.0' in shown
    assert "temporal_wait_seconds_count 4.0" in shown


def test_a_metric_cannot_have_any_number_of_series(sdk: SdkMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the SDK puts into a label, a worker does not grow without end."""
    monkeypatch.setattr(sdk_metrics, "MOST_SERIES", 3)
    tasks = Described("temporal_tasks", BUFFERED_METRIC_KIND_COUNTER)
    for number in range(10):
        sdk.add(Update(tasks, 1, {"id": number}))  # type: ignore[arg-type]
    assert len(text(sdk)) == 3
