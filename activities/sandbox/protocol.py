"""The messages between a worker, its fork server and the children."""

from __future__ import annotations

import struct
from typing import Protocol

import msgspec

from activities.errors import Reason

FRAME = struct.Struct("<cQ")  # kind (Q request, P progress, R result, E error), bytes of the payload that follows
STATUS = struct.Struct("<iQ")  # wait status and peak resident set in KiB of a child that ended; sent on its lease


class Limits(msgspec.Struct, frozen=True):
    """Limits of one call: wall-clock (and CPU) seconds, and MiB of memory beyond what the child starts with."""

    seconds: float
    memory_mb: int


class Progress(Protocol):
    """Progress callback: receives the units done and their total."""

    def __call__(self, done: int, total: int) -> None: ...


class Failure(msgspec.Struct):
    """A HoldfastError that a child raised, as class name and reason."""

    kind: str
    reason: Reason
