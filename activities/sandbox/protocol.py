"""The messages between a worker, its fork server and the children."""

from __future__ import annotations

import struct
from typing import Protocol

import msgspec

from activities.errors import Reason

FORK, LOAD = b"F", b"L"  # messages to the fork server: fork a child; call a function (pickled) before further forks
FRAME = struct.Struct("<cQ")  # kind (Q request, P progress, R result, E error), bytes of the payload that follows
STATUS = struct.Struct("<iQ")  # wait status and peak resident set in KiB of a child that ended; sent on its lease


class Limits(msgspec.Struct, frozen=True):
    """Limits of one call: wall-clock seconds, and MiB of memory beyond what the child starts with.

    Each unit of reported progress adds ``step_seconds``, up to ``max_seconds`` in all.
    """

    seconds: float
    memory_mb: int
    step_seconds: float = 0.0
    max_seconds: float = 0.0

    def after(self, done: int) -> float:
        """Seconds that the call may take once ``done`` units are done."""
        return max(self.seconds, min(self.seconds + done * self.step_seconds, self.max_seconds))

    @property
    def most(self) -> float:
        """The longest that the call may ever take."""
        return max(self.seconds, self.max_seconds) if self.step_seconds else self.seconds


class Progress(Protocol):
    """Progress callback: receives the units done and their total."""

    def __call__(self, done: int, total: int) -> None: ...


class Failure(msgspec.Struct):
    """A HoldfastError that a child raised, as class name and reason; ``cause`` is the library's own text, to log."""

    kind: str
    reason: Reason
    cause: str = ""
