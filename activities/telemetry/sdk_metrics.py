"""The metrics of the Temporal SDK, in the registry of the process's own.

The SDK can serve its metrics itself, but to everybody: it knows no token. It buffers them instead, and they are added
up here, with the names of its own endpoint (``_total``, ``_seconds``).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BufferedMetricUpdate,
    MetricBuffer,
    MetricBufferDurationFormat,
)

#: Updates that are kept between two drains. A run makes some hundred.
BUFFERED = 200_000

#: Seconds between two drains.
DRAIN_SECONDS = 1.0

#: Bounds of durations: waits for a worker are watched at 200 ms, runs take hours.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 300.0, 3600.0)

#: Series of one metric; further ones are left out.
MOST_SERIES = 500

#: Labels that say the same of every series.
DROPPED = frozenset({"service_name", "namespace"})

Labels = tuple[tuple[str, str], ...]


@dataclass
class _Series:
    """The value of a counter or gauge; the sum and the counts by bucket of a histogram."""

    value: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))


class SdkMetrics(Collector):
    """Adds up what the SDK buffers; drains it inside of the block ``with``, and when it is collected."""

    def __init__(self) -> None:
        self.buffer = MetricBuffer(BUFFERED, MetricBufferDurationFormat.SECONDS)
        self._series: dict[tuple[str, int], dict[Labels, _Series]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sdk-metrics", daemon=True)

    def __enter__(self) -> SdkMetrics:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(DRAIN_SECONDS):
            with self._lock:
                self._drain()

    def _drain(self) -> None:
        for update in self.buffer.retrieve_updates():
            self.add(update)

    def add(self, update: BufferedMetricUpdate) -> None:
        """Adds one update."""
        metric = update.metric
        name = f"{metric.name}_seconds" if metric.unit == "s" else metric.name
        of_metric = self._series.setdefault((name, int(metric.kind)), {})
        labels = tuple(sorted((key, str(value)) for key, value in update.attributes.items() if key not in DROPPED))
        series = of_metric.get(labels)
        if series is None:
            if len(of_metric) >= MOST_SERIES:
                return
            series = of_metric[labels] = _Series()
        if metric.kind == BUFFERED_METRIC_KIND_GAUGE:
            series.value = update.value
            return
        series.value += update.value
        if metric.kind != BUFFERED_METRIC_KIND_COUNTER:
            series.counts[bisect_left(BUCKETS, update.value)] += 1

    def describe(self) -> list[Metric]:
        """None: the names are known when there are values."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics so far."""
        with self._lock:
            self._drain()
            yield from [self._family(name, kind, found) for (name, kind), found in self._series.items()]

    @staticmethod
    def _family(name: str, kind: int, found: dict[Labels, _Series]) -> Metric:
        """A metric with all its series; not each has the same labels."""
        said = "Of the Temporal SDK."
        if kind == BUFFERED_METRIC_KIND_GAUGE:
            metric: Metric = GaugeMetricFamily(name, said)
        elif kind == BUFFERED_METRIC_KIND_COUNTER:
            metric = CounterMetricFamily(name, said)
        else:
            metric = HistogramMetricFamily(name, said)
        for labels, series in found.items():
            shown = dict(labels)
            if kind == BUFFERED_METRIC_KIND_GAUGE:
                metric.add_sample(name, shown, series.value)
            elif kind == BUFFERED_METRIC_KIND_COUNTER:
                metric.add_sample(f"{name}_total", shown, series.value)
            else:
                total = 0
                for bound, count in zip((*BUCKETS, float("inf")), series.counts, strict=True):
                    total += count
                    shown_bound = "+Inf" if bound == float("inf") else str(bound)
                    metric.add_sample(f"{name}_bucket", {**shown, "le": shown_bound}, total)
                metric.add_sample(f"{name}_count", shown, total)
                metric.add_sample(f"{name}_sum", shown, series.value)
        return metric
