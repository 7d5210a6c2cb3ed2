"""What was accepted and has no run yet: readiness and metrics tell how long it has waited."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func

from activities.stores.catalog.batches import Batches
from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.intake import for_dispatcher
from activities.stores.catalog.records import Overdue
from activities.stores.catalog.tables import VersionRow


@repeats_conflicts
class Outbox:
    """Documents and batches without a run; the dispatcher starts them."""

    def __init__(self, engine: Engine, batches: Batches) -> None:
        self._engine, self._batches = engine, batches

    async def overdue(self, before: datetime) -> Overdue:
        """What was accepted or requeued before ``before`` and has no run yet. Counts at most 100 batches."""
        waiting = for_dispatcher().where(VersionRow.updated_at < before)
        async with self._engine.read() as session:
            counted = await session.execute(waiting.with_only_columns(func.count(), func.min(VersionRow.updated_at)))
            documents, since = counted.one()
        batches = [each.updated_at for each in await self._batches.undispatched() if each.updated_at < before]
        oldest = min([*batches, *([since] if since is not None else [])], default=None)
        return Overdue(count=documents + len(batches), since=oldest)
