"""An OpenTelemetry collector for tests: takes what processes export by OTLP over HTTP, and shows it as trees."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.http_server import Quiet, serving

#: A span with those within it, by name: ids in names are left out, and spans side by side are in alphabetical order.
Tree = tuple[str, tuple["Tree", ...]]

_ID = re.compile(r"_[0-9a-f]{32}")


class Collector:
    """What was exported so far."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Its address, as the setting has it."""
        return f"http://127.0.0.1:{self.port}"

    def trace(self, request_id: str) -> list[Span]:
        """The spans of a request's trace."""
        of_request = [span for span in self.spans if attributes(span).get("holdfast.request_id") == request_id]
        return [span for span in self.spans if of_request and span.trace_id == of_request[0].trace_id]

    def duplicates(self) -> list[str]:
        """Names of spans that were exported more than once."""
        counts = Counter(span.span_id for span in self.spans)
        return [span.name for span in self.spans if counts[span.span_id] > 1]

    def orphans(self) -> list[str]:
        """Names of spans whose parent was not exported."""
        known = {span.span_id for span in self.spans} | {b""}
        return [span.name for span in self.spans if span.parent_span_id not in known]


def attributes(span: Span) -> dict[str, str | int | float | bool]:
    """Its attributes that have a single value."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in span.attributes}


def tree(spans: list[Span], parent: bytes = b"") -> tuple[Tree, ...]:
    """Those within ``parent``; without one, those that are within none."""
    within = [span for span in spans if span.parent_span_id == parent]
    return tuple(sorted((_ID.sub("", span.name), tree(spans, span.span_id)) for span in within))


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Handler) as collector.port:
        yield collector
