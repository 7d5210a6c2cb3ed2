"""Slices of a scan: a step of Reconcile works for a while, then says where to go on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

#: Things that are compared at once, and requests to Temporal that are under way at once.
PAGE, AT_ONCE = 500, 16


#: Seconds after which a step hands back what it has found, to go on in the next one.
SLICE_SECONDS = 20.0


def older_than(grace_seconds: float) -> datetime:
    """What changed later than this is left alone."""
    return datetime.now(UTC) - timedelta(seconds=grace_seconds)


class TimeSlice:
    """How long a step may go on before it hands back what it has."""

    def __init__(self) -> None:
        self._end = asyncio.get_running_loop().time() + SLICE_SECONDS

    def is_over(self) -> bool:
        """Whether the time has come."""
        return asyncio.get_running_loop().time() > self._end
