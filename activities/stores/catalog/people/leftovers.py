"""What is left of sign-ins that ended, and of invitations that are of no more use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select

from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.people.tables import InvitationRow, SessionRow

#: Most rows of a table that one call removes.
SLICE = 1000


@repeats_conflicts
class Leftovers:
    """Ended sessions, and used or expired invitations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def remove(self, before: datetime) -> int:
        """Removes up to ``SLICE`` sessions and invitations each that ended before ``before``; returns their number."""
        ended = or_(SessionRow.expires_at < before, SessionRow.revoked_at < before)
        useless = or_(InvitationRow.expires_at < before, InvitationRow.used_at < before)
        sessions = select(SessionRow.id).where(ended).limit(SLICE)
        invitations = select(InvitationRow.hash).where(useless).limit(SLICE)
        async with self._engine.write() as session:
            removed: list[Any] = [
                await session.execute(delete(SessionRow).where(SessionRow.id.in_(sessions))),
                await session.execute(delete(InvitationRow).where(InvitationRow.hash.in_(invitations))),
            ]
        return sum(int(each.rowcount) for each in removed)
