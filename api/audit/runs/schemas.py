"""Wire types of runs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from api.http.schemas import Schema

RunState = Literal["running", "completed", "failed", "canceled", "terminated", "continued_as_new", "timed_out"]


class RunInfo(Schema, frozen=True):
    """A run of a workflow. ``stage`` is its last state; ``archived``: its history is in the file store."""

    run_id: str
    workflow_id: str
    type: str
    state: RunState
    stage: str
    knowledge_base: str | None
    document_id: str | None
    actor: str
    started_at: datetime
    closed_at: datetime | None
    archived: bool
    temporal_url: str


class RunEventInfo(Schema, frozen=True):
    """One event of a history, without its payloads.

    ``name`` is that of the activity, signal, update or child; ``identity`` what the requester or worker said of itself.
    """

    id: int
    at: datetime
    type: str
    name: str | None
    identity: str | None


class RunDetail(RunInfo, frozen=True):
    """A run with the first events of its history; ``sha256`` is that of the archived file, from the audit trail."""

    sha256: str | None
    events: int
    history: list[RunEventInfo]


class ReplayInfo(Schema, frozen=True):
    """Whether a history replays with the workflow code of this version, or what that does otherwise."""

    run_id: str
    workflow_id: str
    archived: bool
    events: int
    version: str
    replays: bool
    difference: str | None


class ViewInfo(Schema, frozen=True):
    """A list of runs in Temporal's UI: its title, the query, and its address."""

    name: str
    title: str
    query: str
    url: str


class ViewsInfo(Schema, frozen=True):
    """``runs_url`` followed by a slash and the escaped id of a workflow is the address of its runs."""

    runs_url: str
    items: list[ViewInfo]
