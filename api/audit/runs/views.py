"""Runs as the API shows them, and the views of Temporal's UI that auditors begin with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from activities.contracts import ids
from activities.errors import Language
from activities.histories.listing import OURS, moment
from activities.settings import TemporalSettings
from api.audit.runs.reader import Found
from api.audit.runs.schemas import RunDetail, RunEventInfo, RunInfo, ViewInfo, ViewsInfo
from api.audit.runs.texts import View
from api.http.temporal_ui import run_url, runs_url

#: Events that are shown; the file has all of them.
SHOWN = 1000


def run_info(found: Found, temporal: TemporalSettings) -> RunInfo:
    """A run of a list."""
    run = found.run
    return RunInfo(
        run_id=run.run_id,
        workflow_id=run.workflow_id,
        type=run.type,
        state=found.state,
        stage=run.stage,
        knowledge_base=run.knowledge_base,
        document_id=run.document_id,
        actor=run.actor,
        started_at=run.started_at,
        closed_at=found.closed_at,
        archived=found.archived is not None,
        temporal_url=run_url(run.workflow_id, run.run_id, temporal),
    )


def run_detail(
    found: Found, events: Sequence[HistoryEvent], sha256: str | None, temporal: TemporalSettings
) -> RunDetail:
    """A run with its history."""
    info = run_info(found, temporal)
    return RunDetail(
        **{name: getattr(info, name) for name in RunInfo.__struct_fields__},
        sha256=sha256,
        events=len(events),
        history=[_event(event) for event in events[:SHOWN]],
    )


def _event(event: HistoryEvent) -> RunEventInfo:
    attributes = getattr(event, event.WhichOneof("attributes") or "", None)
    return RunEventInfo(
        id=event.event_id,
        at=event.event_time.ToDatetime(UTC),
        type=EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower(),
        name=next(_names(attributes), None),
        identity=getattr(attributes, "identity", "") or None,
    )


def _names(attributes: object) -> Iterator[str]:
    """What an event is about: the activity, workflow, signal, timer or marker that it names."""
    for field in ("activity_type", "workflow_type"):
        if name := getattr(getattr(attributes, field, None), "name", ""):
            yield name
    for field in ("signal_name", "marker_name", "timer_id"):
        if name := getattr(attributes, field, ""):
            yield name


def views_info(temporal: TemporalSettings, language: Language) -> ViewsInfo:
    """The views, of today where they are of a day."""
    items = [
        ViewInfo(name=view.name.lower(), title=view.render(language), query=query, url=runs_url(temporal, query))
        for view, query in _queries(datetime.now(UTC)).items()
    ]
    return ViewsInfo(runs_url=runs_url(temporal), items=items)


def _queries(now: datetime) -> dict[View, str]:
    """Constants of the code and times only."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    until = day + timedelta(days=1)
    of_day = f"StartTime >= '{moment(day)}' AND StartTime < '{moment(until)}'"
    deletions = f"{ids.DELETE_DOCUMENT}', '{ids.DELETE_KNOWLEDGE_BASE}', '{ids.APPLY_RETENTION}"
    reindexes = f"{ids.REINDEX_KNOWLEDGE_BASE}', '{ids.REINDEX_ALL}"
    return {
        View.FAILED_UPLOADS: f"WorkflowType = '{ids.INGEST_DOCUMENT}' AND Stage = 'failed'",
        View.QUESTIONS: f"WorkflowType = '{ids.ANSWER_QUESTION}' AND {of_day}",
        View.DELETIONS: f"WorkflowType IN ('{deletions}')",
        View.REINDEXES: f"WorkflowType IN ('{reindexes}')",
        View.SYNCS: f"WorkflowType = '{ids.SYNC_KNOWLEDGE_BASE}'",
        View.RUNNING: f"{OURS} AND ExecutionStatus = 'Running'",
        View.TERMINATED: f"{OURS} AND ExecutionStatus = 'Terminated'",
        View.OTHERS: OURS.replace(" IN ", " NOT IN ", 1),
    }
