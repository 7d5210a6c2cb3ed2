"""Traces of a process, exported by OTLP over HTTP; without an endpoint nothing of OpenTelemetry is even imported.

Spans within a request or a step leave the process behind it (``exporting``), and a run has one span, made when it ends
with an id that every replay computes again (``activities.runtime.correlation``). So a worker that is killed leaves no
span behind whose parent is never told, and none is told twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from activities.errors import HoldfastError
from activities.settings import TracingSettings
from activities.telemetry import names

if TYPE_CHECKING:
    from opentelemetry.trace import Span as SdkSpan
    from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider

Kind = Literal["INTERNAL", "SERVER", "CLIENT", "CONSUMER"]
Value = str | int | float | bool | Sequence[str]
Attributes = Mapping[str, str] | Mapping[str, str | int] | Mapping[str, Value]

#: The W3C header with the trace and the span that a request comes from.
TRACEPARENT = "traceparent"

_provider: ReplaySafeTracerProvider | None = None


class Span:
    """A span of OpenTelemetry, or nothing where nothing is traced."""

    def __init__(self, span: SdkSpan | None = None) -> None:
        self._span = span

    def set(self, attributes: Attributes) -> None:
        """Add attributes, or replace them."""
        if self._span is not None:
            self._span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        """Give it the name that is known by now."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, kind: str) -> None:
        """Mark it as failed, with the code of an error or its class: what errors say may quote a text."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode  # noqa: PLC0415

            self._span.set_attribute(names.ERROR_TYPE, kind)
            self._span.set_status(StatusCode.ERROR)

    def enter(self) -> None:
        """Make it the current one of this task, until the task ends, and of the tasks that it starts from now on."""
        if self._span is not None:
            from opentelemetry import context, trace  # noqa: PLC0415 - only where something is traced

            context.attach(trace.set_span_in_context(self._span))

    def end(self) -> None:
        """End it; only for a span that ``begin`` has begun."""
        if self._span is not None:
            self._span.end()


NOTHING = Span()


def configure(settings: TracingSettings, process: str) -> None:
    """Trace this process if there is an endpoint; once, before it connects to anything."""
    global _provider  # noqa: PLW0603 - as OpenTelemetry's own
    if settings.endpoint:
        from activities.telemetry.exporting import provider  # noqa: PLC0415 - costs memory, and is rarely needed

        _provider = provider(settings, process)


def is_on() -> bool:
    """Whether this process is traced."""
    return _provider is not None


def close() -> None:
    """Send what is left, for some seconds at most."""
    if _provider is not None:
        _provider.shutdown()


@contextmanager
def span(
    name: str, attributes: Attributes | None = None, kind: Kind = "INTERNAL", *, root: bool = False
) -> Iterator[Span]:
    """A span around the block, within the current one; unless ``root``, only where there is one."""
    if _provider is None or not (root or _is_within()):
        yield NOTHING
        return
    from opentelemetry.trace import use_span  # noqa: PLC0415

    begun = _begin(name, attributes, kind)
    with use_span(begun, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        found = Span(begun)
        try:
            yield found
        except Exception as exc:
            found.fail(error_type(exc))
            raise
        except (asyncio.CancelledError, GeneratorExit):
            found.set({names.OUTCOME: "stopped"})
            raise


def begin(
    name: str,
    attributes: Attributes | None = None,
    kind: Kind = "INTERNAL",
    *,
    at: datetime | None = None,
    root: bool = False,
) -> Span:
    """A span within the current one, which the caller ends; what happens meanwhile is not within it by itself."""
    if _provider is None or not (root or _is_within()):
        return NOTHING
    return Span(_begin(name, attributes, kind, at))


def note(attributes: Attributes) -> None:
    """Add attributes to the current span, if there is one."""
    if _provider is not None:
        from opentelemetry.trace import get_current_span  # noqa: PLC0415

        get_current_span().set_attributes(attributes)


def ids() -> tuple[str, str] | None:
    """The ids of the current trace and span in hexadecimal, if something is traced."""
    if _provider is None:
        return None
    from opentelemetry.trace import format_span_id, format_trace_id, get_current_span  # noqa: PLC0415

    current = get_current_span().get_span_context()
    return (format_trace_id(current.trace_id), format_span_id(current.span_id)) if current.is_valid else None


def traceparent() -> str | None:
    """The current span as the value of a W3C header, if something is traced."""
    if _provider is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(TRACEPARENT)


@contextmanager
def within(header: str | None) -> Iterator[None]:
    """The block belongs to the span that a W3C header names; to none if there is no header, or a wrong one."""
    if _provider is None:
        yield
        return
    from opentelemetry import context  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier = {TRACEPARENT: header} if header else {}
    token = context.attach(TraceContextTextMapPropagator().extract(carrier, context.Context()))
    try:
        yield
    finally:
        context.detach(token)


def error_type(exc: BaseException) -> str:
    """The code of an error of ours, also of one that has crossed Temporal, or the class of another one."""
    if isinstance(exc, HoldfastError):
        return exc.reason.code
    code = getattr(exc, "type", None)
    return code if isinstance(code, str) and code else type(exc).__name__


def _is_within() -> bool:
    from opentelemetry.trace import get_current_span  # noqa: PLC0415

    return get_current_span().get_span_context().is_valid


def _begin(name: str, attributes: Attributes | None, kind: Kind, at: datetime | None = None) -> SdkSpan:
    from opentelemetry.trace import SpanKind, get_tracer  # noqa: PLC0415

    nanoseconds = int(at.timestamp() * 1e9) if at is not None else None
    return get_tracer("holdfast").start_span(name, kind=SpanKind[kind], attributes=attributes, start_time=nanoseconds)
