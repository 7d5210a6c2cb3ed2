"""Time slices of a scan: an activity of Reconcile works for a limited time, then returns a cursor."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

#: Items per page of a scan.
PAGE = 500


#: Seconds after which an activity returns its result and a cursor for the next call.
SLICE_SECONDS = 20.0


def older_than(grace_seconds: float) -> datetime:
    """The start of the grace period, in UTC: scans skip everything that changed later."""
    return datetime.now(UTC) - timedelta(seconds=grace_seconds)


class TimeSlice:
    """Deadline of an activity that scans in slices; starts when created, inside of a running event loop."""

    def __init__(self) -> None:
        self._end = asyncio.get_running_loop().time() + SLICE_SECONDS

    def is_over(self) -> bool:
        """Whether SLICE_SECONDS have passed."""
        return asyncio.get_running_loop().time() > self._end
