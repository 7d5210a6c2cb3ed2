"""Runs as Temporal lists them, and their histories. All raise as ``runtime.temporal`` does."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from typing import get_args

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution

from activities.contracts.histories import Window
from activities.contracts.ids import TYPES
from activities.contracts.search_attributes import DOCUMENT, KNOWLEDGE_BASE, OWNER, STAGE
from activities.runtime import temporal
from activities.stores.catalog.runs.records import Run, RunStatus

#: Runs of one page of Temporal's list.
PAGE = 100

#: Our runs, of all runs of the namespace.
OURS = f"WorkflowType IN ({', '.join(map(repr, TYPES))})"


async def page(client: Client, query: str, token: str = "", size: int = PAGE) -> tuple[list[WorkflowExecution], str]:
    """One page of the runs that match, newest first, and the token of the next one; empty at the end."""
    found = client.list_workflows(
        query, page_size=size, next_page_token=b64decode(token) or None, rpc_timeout=temporal.RPC_TIMEOUT
    )
    async with temporal.translated():
        await found.fetch_next_page()
    return list(found.current_page or []), b64encode(found.next_page_token or b"").decode()


def query_of(window: Window) -> str:
    """The runs of a window."""
    if window.running:
        return f"{OURS} AND ExecutionStatus = 'Running'"
    since = f" AND CloseTime >= '{moment(window.since)}'" if window.since else ""
    return f"{OURS} AND ExecutionStatus != 'Running' AND CloseTime < '{moment(window.until)}'{since}"


def moment(at: datetime) -> str:
    """A time in a query; ``at`` is UTC."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def run_of(execution: WorkflowExecution) -> Run:
    """The run by what Temporal lists of it. Others may have started it, with attributes of any length."""
    attributes = execution.typed_search_attributes
    return Run(
        run_id=execution.run_id,
        workflow_id=execution.id,
        type=execution.workflow_type,
        knowledge_base=_cut(attributes.get(KNOWLEDGE_BASE), 63),
        document_id=_cut(attributes.get(DOCUMENT), 32),
        actor=_cut(attributes.get(OWNER), 200) or "",
        stage=_cut(attributes.get(STAGE), 32) or "",
        started_at=execution.start_time,
    )


async def history(client: Client, run: Run) -> list[HistoryEvent] | None:
    """The events of a run as they are stored, payloads encoded; None if Temporal does not have it any more."""
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
    try:
        async with temporal.translated():
            return list((await handle.fetch_history()).events)
    except temporal.RunNotFound:
        return None


def ended_as(execution: WorkflowExecution) -> RunStatus | None:
    """How a run ended; None while it runs."""
    name = execution.status.name.lower() if execution.status else ""
    return next((status for status in get_args(RunStatus) if status == name), None)


def _cut(value: str | None, length: int) -> str | None:
    return value[:length] if value is not None else None
