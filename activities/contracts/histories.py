"""Inputs and results of ``ArchiveHistories`` and of the scan for what was done to runs around the API."""

from __future__ import annotations

from datetime import datetime

from activities.contracts import Contract


class Window(Contract, frozen=True):
    """Where a scan of runs is: those that closed from ``since`` on, and before it began at ``until``.

    ``page`` is Temporal's token of the next page (base64). ``running`` runs are looked at before closed ones.
    """

    until: datetime
    since: datetime | None = None
    page: str = ""
    running: bool = False


class ArchiveInput(Contract, frozen=True):
    """``window`` is that of the previous call; None for the first one."""

    window: Window | None = None


class ArchiveSlice(Contract, frozen=True):
    """The histories that were archived, and the ``window`` of the next call; None at the end."""

    archived: int
    window: Window | None = None


class ExpireInput(Contract, frozen=True):
    """Deletes archived histories past the time for which the setting keeps them."""


class ExpireSlice(Contract, frozen=True):
    """The histories that were deleted; ``more`` if some may be left."""

    expired: int
    more: bool = False
