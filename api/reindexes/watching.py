"""Re-indexes with what they wait for: the catalogue's record, and what Temporal knows of the steps."""

from __future__ import annotations

import msgspec

from activities.contracts.ids import reindex_workflow_id
from activities.runtime import temporal
from activities.stores.catalog.records import Reindex
from workflows.client.jobs import Jobs


class WatchedReindex(msgspec.Struct, frozen=True):
    """A re-index now."""

    reindex: Reindex
    waiting_for: str | None

    @property
    def id(self) -> str:
        """Its id."""
        return self.reindex.id

    @property
    def state(self) -> str:
        """Its state."""
        return self.reindex.state


async def watched(reindex: Reindex, jobs: Jobs) -> WatchedReindex:
    """A re-index with the dependency for which its steps wait."""
    waits = None
    if reindex.state == "running":
        workflow_id = reindex_workflow_id(reindex.knowledge_base_id, reindex.generation)
        waits = await temporal.waits_for(jobs.client, workflow_id)
    return WatchedReindex(reindex, waits)
