"""Drops the oldest events of the log; their subtrees' hashes and a signed anchor stay, so that the rest verifies."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select

from activities.audit_log.tiles import WIDTH
from activities.stores.catalog.audit_log.holds import held
from activities.stores.catalog.audit_log.tables import ONLY, AuditCheckpointRow, AuditLogRow, AuditTileRow
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.tables import SYSTEM, AuditRow

#: Events that one transaction drops at most.
AT_ONCE = 8 * WIDTH

_FIRST = select(func.min(AuditRow.log_index)).where(AuditRow.log_index.is_not(None))
_FIRST_HELD = _FIRST.where(AuditRow.knowledge_base_id.in_(held()))


@repeats_conflicts
class LogRetention:
    """Events that are past their time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def droppable(self, before: datetime) -> int:
        """The size of the part of the log that may go now: whole tiles of events from before that time.

        It ends before the newest checkpoint, and before the first event of a knowledge base under a legal hold.
        """
        async with self._engine.read() as session:
            log = await session.get(AuditLogRow, ONLY)
            if log is None:
                return 0
            ends = [log.first + AT_ONCE, await session.scalar(select(func.max(AuditCheckpointRow.size))) or 0]
            ends.append(await session.scalar(_FIRST.where(AuditRow.at >= before)))
            ends.append(await session.scalar(_FIRST_HELD))
        size = min(end for end in ends if end is not None) // WIDTH * WIDTH
        return size if size > log.first else 0

    async def drop(self, size: int, anchor: str, before: datetime) -> None:
        """Drops the first ``size`` events; ``anchor`` is the signed checkpoint of that size.

        Drops none if a legal hold of some was set meanwhile: setting one takes the same lock (``Holds.set``).
        """
        async with self._engine.write() as session:
            log = await session.get_one(AuditLogRow, ONLY, with_for_update=True)
            first_held = await session.scalar(_FIRST_HELD)
            if size <= log.first or (first_held is not None and first_held < size):
                return
            events = size - log.first
            await session.execute(delete(AuditRow).where(AuditRow.log_index < size))
            tiles = delete(AuditTileRow).where(AuditTileRow.level == 0, AuditTileRow.position < size // WIDTH)
            await session.execute(tiles)
            await session.execute(delete(AuditCheckpointRow).where(AuditCheckpointRow.size < size))
            log.first, log.anchor = size, anchor
            session.audit(SYSTEM, "audit.expire", None, None, events=events, first=size, before=before.isoformat())
