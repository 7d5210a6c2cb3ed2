"""Metrics of the models, which Triton shows beside its own on its metrics port.

A metric is changed through Triton's process, which would delay a request: models count for themselves, and a thread
hands the numbers over once a second.
"""

import threading
from collections.abc import Mapping
from typing import Any

HAND_OVER_SECONDS = 1.0
"""Seconds between two hand-overs."""

EMBED = {
    "holdfast_embed_waiting": "Requests for vectors that are not answered yet, by lane: urgent (questions) or bulk.",
    "holdfast_embed_batch_rows": "Texts of the latest batch, of any number of requests.",
    "holdfast_embed_batches_total": "Batches that the model has computed.",
    "holdfast_embed_requests_total": "Answered requests for vectors.",
    "holdfast_embed_rows_total": "Texts that were embedded.",
    "holdfast_embed_tokens_total": "Tokens of these texts, without padding.",
    "holdfast_embed_seconds_total": "Seconds from the arrival of these requests to their answers.",
}
"""Metrics of `embed`, and of every model that `embed_loader` loads."""

GENERATE = {
    "holdfast_generate_running": "Answers that are being written, or wait for a slot.",
    "holdfast_generate_requests_total": "Answers that began.",
    "holdfast_generate_first_token_seconds_total": "Seconds from the arrival of these requests to their first tokens.",
    "holdfast_generate_tokens_total": "Pieces of text, of a token each, that were written.",
}
"""Metrics of `generate`."""


class ModelMetrics:
    """Numbers of one instance of a model, by name and labels. Those that end with `_total` only grow."""

    def __init__(self, pb_utils: Any, described: Mapping[str, str], args: Mapping[str, str]) -> None:
        self._kinds = {True: pb_utils.MetricFamily.COUNTER, False: pb_utils.MetricFamily.GAUGE}
        self._families = {
            name: pb_utils.MetricFamily(name=name, description=text, kind=self._kinds[name.endswith("_total")])
            for name, text in described.items()
        }
        self._labels = {"model": args["model_name"], "instance": args["model_instance_name"]}
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], float] = {}
        self._shown: dict[tuple[str, str], tuple[Any, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def add(self, name: str, value: float = 1, lane: str = "") -> None:
        """Adds to a number."""
        with self._lock:
            self._values[name, lane] = self._values.get((name, lane), 0) + value

    def set(self, name: str, value: float) -> None:
        """Replaces a number; one that only grows keeps the larger value, whichever thread comes last."""
        with self._lock:
            grown = self._values.get((name, ""), value) if name.endswith("_total") else value
            self._values[name, ""] = max(value, grown)

    def close(self) -> None:
        """Ends the thread; the model's metrics disappear."""
        self._stop.set()
        self._thread.join()
        self._shown.clear()
        self._families.clear()

    def _run(self) -> None:
        while not self._stop.wait(HAND_OVER_SECONDS):
            with self._lock:
                values = dict(self._values)
            for (name, lane), value in values.items():
                self._hand_over(name, lane, value)

    def _hand_over(self, name: str, lane: str, value: float) -> None:
        metric, before = self._shown.get((name, lane), (None, 0.0))
        if metric is None:
            metric = self._families[name].Metric(labels=self._labels | ({"lane": lane} if lane else {}))
        elif value == before:
            return
        if name.endswith("_total"):
            metric.increment(value - before)
        else:
            metric.set(value)
        self._shown[name, lane] = metric, value
