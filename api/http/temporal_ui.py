"""Addresses in Temporal's Web UI."""

from __future__ import annotations

from urllib.parse import quote

from activities.settings import TemporalSettings


def runs_url(temporal: TemporalSettings, query: str = "") -> str:
    """The list of runs, those that match ``query`` (Temporal's language) if there is one."""
    found = f"{temporal.ui_url.rstrip('/')}/namespaces/{quote(temporal.namespace, safe='')}/workflows"
    return f"{found}?query={quote(query, safe='')}" if query else found


def workflow_url(workflow_id: str, temporal: TemporalSettings) -> str:
    """The runs of a workflow."""
    return f"{runs_url(temporal)}/{quote(workflow_id, safe='')}"


def run_url(workflow_id: str, run_id: str, temporal: TemporalSettings) -> str:
    """The history of one run."""
    return f"{workflow_url(workflow_id, temporal)}/{quote(run_id, safe='')}/history"
