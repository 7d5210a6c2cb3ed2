"""How spans leave a process. Imported only where a process is traced: it loads OpenTelemetry's SDK.

Certificates, headers and compression are those of OpenTelemetry's own variables (``OTEL_EXPORTER_OTLP_…``).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import get_current_span, set_tracer_provider
from temporalio import workflow
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider, create_tracer_provider

from activities.settings import TracingSettings

#: Where collectors take traces, below their address.
PATH = "/v1/traces"

#: Milliseconds after which spans that have ended are sent: each sending costs as much as some hundred spans, and what a
#: killed process has not sent is lost.
SEND_MS = 1000

#: Seconds for which an export is tried.
TIMEOUT = 5.0

#: Seconds after which a process that ends begins no further export; with the last one it waits 7 s at most.
END_SECONDS = 2.0

#: Spans within one outermost span that are kept until it ends; further ones are left out.
MOST_KEPT = 1000


def provider(settings: TracingSettings, process: str) -> ReplaySafeTracerProvider:
    """The provider of this process's tracers, which is also OpenTelemetry's global one."""
    made = create_tracer_provider(
        sampler=ParentBased(TraceIdRatioBased(settings.ratio)),
        resource=Resource.create(
            {
                "service.name": "holdfast",
                "service.version": version("holdfast"),
                "service.instance.id": f"{process}-{os.getpid()}@{socket.gethostname()}",
            }
        ),
    )
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # once for each export that failed, not for each try
    exporter = OTLPSpanExporter(endpoint=settings.endpoint.rstrip("/") + PATH, timeout=TIMEOUT)
    made.add_span_processor(ParentsFirst(Sender(exporter)))
    set_tracer_provider(made)
    return made


class Sender(BatchSpanProcessor):
    """Sends spans in batches. A process that ends does not wait for all of them if the collector is slow."""

    def __init__(self, exporter: SpanExporter) -> None:
        super().__init__(exporter, schedule_delay_millis=SEND_MS)
        self._to = exporter

    def shutdown(self) -> None:
        """Send what is left, as long as it begins soon."""
        stop = threading.Timer(END_SECONDS, self._to.shutdown)
        stop.daemon = True
        stop.start()
        super().shutdown()  # type: ignore[no-untyped-call]
        stop.cancel()


class ParentsFirst(SpanProcessor):
    """Passes spans on when the outermost span of this process that they are in has ended: that one first.

    Those of runs have none in them, and most of them begin anew with each replay and never end.
    """

    def __init__(self, then: SpanProcessor) -> None:
        self._then = then
        self._lock = threading.Lock()
        self._outermost: dict[int, int] = {}  # of the spans that have not ended, by id
        self._ended: dict[int, list[ReadableSpan]] = {}  # within outermost spans that have not ended

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Find the outermost span that it is in: itself if it has no parent in this process that has not ended."""
        self._then.on_start(span, parent_context)
        if workflow.in_workflow():
            return
        id = span.context.span_id
        parent = get_current_span(parent_context).get_span_context()
        with self._lock:
            outermost = id if parent.is_remote else self._outermost.get(parent.span_id, id)
            self._outermost[id] = outermost
            if outermost == id:
                self._ended[id] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it, or pass it on together with those within it. One that outlives its outermost span goes alone."""
        id = span.context.span_id
        with self._lock:
            outermost = self._outermost.pop(id, id)
            kept = self._ended.get(outermost)
            if kept is not None:
                if outermost == id or len(kept) < MOST_KEPT:
                    kept.append(span)
                if outermost != id:
                    return
                del self._ended[id]
            else:
                kept = [span]
        for each in reversed(kept):
            self._then.on_end(each)

    def shutdown(self) -> None:
        """Send what has ended."""
        self._then.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what has ended now."""
        return self._then.force_flush(timeout_millis)
