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

from activities.runtime.converter import converter_for
from activities.runtime.encryption import is_encrypted
from tests.conftest import ask, events, finished, ready, upload
from workflows.worker import WORKFLOWS

FOLDER = Path(__file__).parents[1] / "data" / "histories"
HISTORIES = sorted(FOLDER.glob("*.json"))

#: The key of the histories that are encrypted.
KEYS = FOLDER / "keys"

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."


#: Contracts are the same objects inside and outside of the sandbox.
RESTRICTIONS = SandboxRestrictions.default.with_passthrough_modules("msgspec", "activities")


def replayer(client: Client | None = None) -> Replayer:
    """Replays in the sandbox, which rejects non-deterministic code, with a client's converter or that of saved runs."""
    return Replayer(
        workflows=WORKFLOWS,
        data_converter=client.data_converter if client else converter_for(str(KEYS), "default"),
        workflow_runner=SandboxedWorkflowRunner(restrictions=RESTRICTIONS),
    )


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_an_old_history_replays(path: Path) -> None:
    """The current workflow code makes the same decisions as the code that wrote the history."""
    saved = WorkflowHistory.from_json(path.stem, path.read_text())
    began = saved.events[0].workflow_execution_started_event_attributes
    await replayer().replay_workflow(WorkflowHistory(began.workflow_id or path.stem, saved.events))


def test_there_is_an_encrypted_history() -> None:
    """Runs that are encrypted stay readable with their key."""
    (path,) = (path for path in HISTORIES if path.stem.endswith("-encrypted"))
    history = WorkflowHistory.from_json("any", path.read_text())
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    assert all(map(is_encrypted, payloads))


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
        await replayer(temporal).replay_workflow(history)
