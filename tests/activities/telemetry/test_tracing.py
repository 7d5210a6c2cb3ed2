"""Traces: names, the order in which spans leave a process, and that nothing is loaded where nothing is traced."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import db_attributes, gen_ai_attributes, http_attributes
from opentelemetry.semconv.attributes import error_attributes

from activities.telemetry import carried, exporting, names, origin
from activities.telemetry.exporting import ParentsFirst
from activities.telemetry.origin import Origin
from activities.telemetry.tracing import span, traceparent

TEMPORAL = importlib.import_module("temporalio.contrib.opentelemetry._otel_interceptor")


def test_names_are_those_of_the_conventions() -> None:
    """What begins with a namespace of OpenTelemetry is in its conventions; the others are Temporal's or ours."""
    known = {
        value
        for module in (db_attributes, gen_ai_attributes, http_attributes, error_attributes)
        for value in vars(module).values()
        if isinstance(value, str)
    }
    operations = {each.value for each in gen_ai_attributes.GenAiOperationNameValues}
    ours = {name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    attributes = {value for value in ours.values() if "." in value and not value.startswith(names.OURS)}
    assert len(attributes) > 10
    assert attributes <= known
    assert {names.CHAT, names.EMBEDDINGS, names.INVOKE_WORKFLOW} <= operations
    of_temporal = Path(TEMPORAL.__file__ or "").read_text()
    assert all(f'"{each}"' in of_temporal for each in (names.WORKFLOW_ID, names.RUN_ID, names.ACTIVITY_ID))


def test_a_span_leaves_after_what_it_is_within() -> None:
    """Nothing leaves before the outermost span has ended, which leaves first; one that outlives it leaves alone."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(ParentsFirst(SimpleSpanProcessor(memory)))
    tracer = provider.get_tracer("test")

    def left() -> list[str]:
        return [each.name for each in memory.get_finished_spans()]

    with tracer.start_as_current_span("step"):
        with tracer.start_as_current_span("call"):
            tracer.start_span("call within").end()
        late = tracer.start_span("late")
        with tracer.start_as_current_span("second call"):
            pass
        assert left() == []
    assert left() == ["step", "second call", "call", "call within"]
    late.end()
    assert left()[4:] == ["late"]
    assert provider.force_flush()
    provider.shutdown()


def test_what_is_kept_of_a_long_step_is_bounded() -> None:
    """Its own span is always told."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(ParentsFirst(SimpleSpanProcessor(memory)))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("step"):
        for _ in range(exporting.MOST_KEPT + 10):
            tracer.start_span("call").end()
    left = [each.name for each in memory.get_finished_spans()]
    assert left == ["step"] + ["call"] * exporting.MOST_KEPT
    provider.shutdown()


class Slow(SpanExporter):
    """Sends to a collector that does not answer."""

    def __init__(self) -> None:
        self.batches, self._ended = 0, threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`."""
        if not self._ended.is_set():
            self.batches += 1
            self._ended.wait(5)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """See `SpanExporter.shutdown`."""
        self._ended.set()


def test_a_process_ends_although_the_collector_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the batch that is being sent, not for all."""
    monkeypatch.setattr(exporting, "END_SECONDS", 0.1)
    slow, provider = Slow(), TracerProvider()
    provider.add_span_processor(exporting.Sender(slow))
    for _ in range(5000):
        provider.get_tracer("test").start_span("call").end()
    provider.shutdown()
    assert slow.batches == 1


def test_a_request_goes_on_elsewhere() -> None:
    """What a row keeps of it has its id; the work that it asked for comes from it, and what is done after does not."""
    with origin.of(Origin(request_id="a" * 32)):
        kept = carried.current()
    assert kept == "a" * 32
    with carried.resumed(kept):
        assert origin.current().request_id == "a" * 32
    with carried.resumed(None):
        assert origin.current().request_id is None
    assert carried.current() is None


def test_without_a_collector_nothing_is_traced_nor_loaded() -> None:
    """What the API and workers trace with imports nothing of OpenTelemetry."""
    with span("step", root=True) as nothing:
        nothing.set({names.OUTCOME: "done"})
        assert traceparent() is None
    traced = (
        "api.http.measured, activities.runtime.correlation, activities.runtime.interceptor, activities.stores.triton"
    )
    program = f"import sys, {traced}; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
