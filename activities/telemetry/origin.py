"""Where a change comes from: the request, or the run, that the code works for. The audit trail records it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request (key, address and id), or a run (workflow and run id). Empty for work that neither asked for."""

    key_id: str | None = None
    address: str | None = None
    request_id: str | None = None
    workflow_id: str | None = None
    run_id: str | None = None


_origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - it is frozen


def current() -> Origin:
    """The origin of what this task does."""
    return _origin.get()


@contextmanager
def of(origin: Origin) -> Iterator[None]:
    """What the block does comes from ``origin``."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def begin(origin: Origin) -> None:
    """Set the origin of what this task does from now on, and of the tasks that it starts."""
    _origin.set(origin)
