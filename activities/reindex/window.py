"""Hours of the day in which a job may work: ``22:00-06:00 Europe/Berlin``."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from activities.errors import InvalidRequest
from activities.phrases import Phrase

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: ([A-Za-z0-9_+/-]{1,60}))?")


class Window(msgspec.Struct, frozen=True):
    """From ``opens`` to ``closes`` (of the next day, if that is not later) on the clocks of ``zone``."""

    opens: time
    closes: time
    zone: ZoneInfo

    def closed_seconds(self, at: datetime) -> float:
        """Seconds from ``at`` to the next opening; 0 while it is open."""
        local = at.astimezone(self.zone)
        clock = local.time()
        if self.opens < self.closes:
            is_open = self.opens <= clock < self.closes
        else:
            is_open = clock >= self.opens or clock < self.closes
        if is_open:
            return 0.0
        opening = datetime.combine(local.date(), self.opens, self.zone)
        if opening <= local:
            opening = datetime.combine(local.date() + timedelta(days=1), self.opens, self.zone)
        return opening.timestamp() - at.timestamp()


def parse_window(text: str) -> Window | None:
    """The window that ``text`` describes, by default in UTC; None for an empty text. Raises InvalidRequest."""
    if not text:
        return None
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise InvalidRequest(detail=Phrase.WINDOW_FORM)
    hour, minute, end_hour, end_minute, zone = found.groups()
    try:
        where = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(detail=Phrase.WINDOW_ZONE, zone=zone) from None
    return Window(time(int(hour), int(minute)), time(int(end_hour), int(end_minute)), where)
