"""Replays histories with the workflow code of this version: would a run make the same decisions again?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from workflows.definitions import WORKFLOWS

#: The longest description of a difference, in characters.
MAX_DIFFERENCE = 1000

#: Replays take a core: one at a time in a process.
_one_at_a_time = asyncio.Semaphore(1)


async def difference(client: Client, workflow_id: str, events: Sequence[HistoryEvent]) -> str | None:
    """What this version does otherwise than the history, as Temporal says it; None if it replays. Runs no activity."""
    replayer = Replayer(
        workflows=WORKFLOWS, data_converter=client.data_converter, workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with _one_at_a_time:
        result = await replayer.replay_workflow(WorkflowHistory(workflow_id, events), raise_on_replay_failure=False)
    return str(result.replay_failure)[:MAX_DIFFERENCE] if result.replay_failure is not None else None
