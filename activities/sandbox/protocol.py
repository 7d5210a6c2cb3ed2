"""What a worker, its fork server and the children say to each other."""

from __future__ import annotations

import struct
from typing import Protocol

import msgspec

from activities.errors import Reason

FRAME = struct.Struct("<cQ")


STATUS = struct.Struct("<iQ")  # wait status, peak resident set in KiB


class Limits(msgspec.Struct, frozen=True):
    """What a child may use: wall-clock (and CPU) seconds, and MiB on top of what it starts with."""

    seconds: float
    memory_mb: int


class Progress(Protocol):
    """Called now and then with how much is done."""

    def __call__(self, done: int, total: int) -> None: ...


class Failure(msgspec.Struct):
    """A child's HoldfastError, by class name and reason."""

    kind: str
    reason: Reason
