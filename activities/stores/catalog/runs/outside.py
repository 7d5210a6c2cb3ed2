"""What was done to runs around the API, told in the audit trail once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from activities.stores.catalog.engine import Engine, repeats_conflicts
from activities.stores.catalog.runs.archive import hex_of, knowledge_base_ids
from activities.stores.catalog.runs.records import OutsideAction
from activities.stores.catalog.runs.tables import OutsideActionRow

#: The actor of these events: who is behind an identity is Temporal's to know, which asks for no name.
TEMPORAL = "temporal"


@repeats_conflicts
class OutsideActions:
    """Actions around the API in the catalogue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def tell(self, actions: Sequence[OutsideAction]) -> int:
        """Records one audit event for each action that was not told before; the number of these."""
        if not actions:
            return 0
        async with self._engine.write() as session:
            ids = {action.run.run_id for action in actions}
            query = select(OutsideActionRow.run_id, OutsideActionRow.event_id).where(OutsideActionRow.run_id.in_(ids))
            told = {tuple(row) for row in await session.execute(query)}
            new = [action for action in actions if (action.run.run_id, action.event_id) not in told]
            of_name = await knowledge_base_ids(session, [action.run for action in new])
            for action in new:
                session.add(OutsideActionRow(run_id=action.run.run_id, event_id=action.event_id))
                session.audit(
                    TEMPORAL,
                    f"run.{action.kind}_outside",
                    of_name.get(action.run.run_id),
                    hex_of(action.run.run_id),
                    workflow=action.run.workflow_id,
                    run=action.run.run_id,
                    type=action.run.type,
                    event=action.event_id,
                    time=action.at.isoformat(),
                    identity=action.identity,
                    **{name: value for name in ("name", "reason") if (value := getattr(action, name))},
                )
            return len(new)
