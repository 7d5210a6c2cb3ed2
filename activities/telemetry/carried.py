"""What goes on from a request to the run that it asks for, through the catalogue: its id and its span."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from activities.telemetry import origin, tracing

#: Longest value of ``current``: an id in hexadecimal, a space, and the value of a W3C header.
MAX_CARRIED = 100


def current() -> str | None:
    """The current request, for ``resumed``; None outside of requests."""
    request_id = origin.current().request_id
    if request_id is None:
        return None
    return " ".join(filter(None, (request_id, tracing.traceparent())))[:MAX_CARRIED]


@contextmanager
def resumed(carried: str | None) -> Iterator[None]:
    """The block is work for a request of before: it logs the request's id, and starts runs in its trace."""
    request_id, _, traceparent = (carried or "").partition(" ")
    if not request_id:
        yield
        return
    import structlog  # noqa: PLC0415 - catalogue records, which take `current`, load nothing beside msgspec

    asked = msgspec.structs.replace(origin.current(), request_id=request_id)
    logged = structlog.contextvars.bound_contextvars(request_id=request_id)
    with origin.of(asked), logged, tracing.within(traceparent or None):
        yield
