"""Histories of earlier runs are replayed: a change of workflow code that would break a running one fails here.

``tests/data/histories`` holds histories that released code wrote; files there are only ever added
(``python -m tests.save_history WORKFLOW_ID NAME``).
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.runtime.converter import data_converter
from tests.conftest import ask, events, finished, ready, upload
from workflows.definitions import WORKFLOWS

HISTORIES = sorted((Path(__file__).parents[1] / "data" / "histories").glob("*.json"))

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."


#: Contracts are the same objects inside and outside of the sandbox.
RESTRICTIONS = SandboxRestrictions.default.with_passthrough_modules("msgspec", "activities")


def replayer() -> Replayer:
    """Replays with the workers' converter, in the sandbox, which rejects non-deterministic code."""
    return Replayer(
        workflows=WORKFLOWS,
        data_converter=data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions=RESTRICTIONS),
    )


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_an_old_history_replays(path: Path) -> None:
    """The current workflow code makes the same decisions as the code that wrote the history."""
    await replayer().replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))


def test_there_is_a_history_of_every_workflow() -> None:
    """Runs that are ready, failed, replaced, deleted and answered are all saved."""
    kept = {path.stem.split("-")[0] for path in HISTORIES}
    assert kept == {workflow.__name__ for workflow in WORKFLOWS}


async def test_current_runs_replay(api: httpx.AsyncClient, temporal: Client, kb: str) -> None:
    """Runs are deterministic: a run of the current code replays without a difference."""
    (document,) = await ready(api, kb, ("leave.txt", LEAVE.encode()))
    (failed,) = await upload(api, kb, ("empty.txt", b""))
    await finished(api, failed["id"])
    await ask(api, kb, "How many days may be carried over?")
    deleted = (await api.delete(f"/documents/{document['id']}")).json()
    await temporal.get_workflow_handle(deleted["workflow_id"]).result()
    asked = (await api.post(f"/knowledge-bases/{kb}/questions", json={"question": "What about leave?"})).json()
    await events(api, asked["events_url"])
    for workflow_id in (
        document["workflow_id"],
        failed["workflow_id"],
        deleted["workflow_id"],
        asked["workflow_id"],
    ):
        history = await temporal.get_workflow_handle(workflow_id).fetch_history()
        await replayer().replay_workflow(history)
