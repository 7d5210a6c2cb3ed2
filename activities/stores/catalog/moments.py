"""Times that requests give."""

from __future__ import annotations

from datetime import UTC, datetime

from activities.errors import InvalidRequest
from activities.phrases import Phrase


def in_utc(at: datetime) -> datetime:
    """The time in UTC, as which one without a zone counts. Raises InvalidRequest for one that no calendar has."""
    try:
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError as exc:
        raise InvalidRequest(detail=Phrase.NOT_A_TIME, value=at.isoformat()) from exc
