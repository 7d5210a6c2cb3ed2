"""What was done to a run around the API, by its history: with Temporal's CLI, its UI, or any other client.

Holdfast's processes name themselves to Temporal (``runtime.temporal.identity``), which records that with each signal,
update, cancel request and start; those by others are told. Holdfast terminates and resets no run, so that these are
told whoever it was. An identity is what a client says of itself: somebody who may write to Temporal can take ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

from activities.runtime.temporal import OURS
from activities.stores.catalog.runs.records import OutsideAction, OutsideKind, Run

#: Temporal's own identity where it ends a run that is reset.
RESETTER = "history-resetter"

#: The longest identity, name and reason that are told, in characters.
MAX_TEXT = 200

_RESET = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW


def actions_in(
    run: Run, events: Sequence[HistoryEvent], *, scheduled: bool = False, was_reset: bool = False
) -> list[OutsideAction]:
    """The actions around the API, in order.

    ``scheduled`` runs are started by Temporal itself; it ends a running one that ``was_reset``, of which the run that
    follows tells.

    A reset copies the events up to it from the run before, and then adds that run's later signals once more: they are
    told of that run.
    """
    resets = [n for n, event in enumerate(events) if _is_reset(event)]
    if not resets:
        return _told(run, events[1:] if scheduled else events, was_reset=was_reset)
    (*_, reset) = resets
    after = next((n for n in range(reset + 1, len(events)) if _is_task(events[n])), len(events))
    attributes = events[reset].workflow_task_failed_event_attributes
    reason = attributes.failure.message
    return [
        _action(run, events[reset], "reset", attributes.identity, reason=reason),
        *_told(run, events[after:], was_reset=was_reset),
    ]


def _told(run: Run, events: Sequence[HistoryEvent], *, was_reset: bool) -> list[OutsideAction]:
    return [action for event in events if (action := _of(run, event, was_reset=was_reset)) is not None]


def _of(run: Run, event: HistoryEvent, *, was_reset: bool) -> OutsideAction | None:  # noqa: PLR0911 - one for each kind
    match event.WhichOneof("attributes"):
        case "workflow_execution_started_event_attributes":
            started = event.workflow_execution_started_event_attributes
            if started.HasField("parent_workflow_execution") or started.continued_execution_run_id:
                return None
            return _by_others(run, event, "started", started.identity)
        case "workflow_execution_signaled_event_attributes":
            signal = event.workflow_execution_signaled_event_attributes
            if signal.HasField("external_workflow_execution"):
                return None
            return _by_others(run, event, "signalled", signal.identity, name=signal.signal_name)
        case "workflow_execution_update_accepted_event_attributes":
            update = event.workflow_execution_update_accepted_event_attributes
            if not update.HasField("accepted_request"):
                return None
            request = update.accepted_request
            return _by_others(run, event, "updated", request.meta.identity, name=request.input.name)
        case "workflow_execution_cancel_requested_event_attributes":
            cancel = event.workflow_execution_cancel_requested_event_attributes
            if cancel.HasField("external_workflow_execution"):
                return None
            return _by_others(run, event, "canceled", cancel.identity, reason=cancel.cause)
        case "workflow_execution_terminated_event_attributes":
            ended = event.workflow_execution_terminated_event_attributes
            if was_reset and ended.identity == RESETTER:
                return None
            return _action(run, event, "terminated", ended.identity, reason=ended.reason)
        case "workflow_execution_options_updated_event_attributes":
            options = event.workflow_execution_options_updated_event_attributes
            return _by_others(run, event, "changed", options.identity) if options.identity else None
    return None


def _by_others(
    run: Run, event: HistoryEvent, kind: OutsideKind, identity: str, *, name: str = "", reason: str = ""
) -> OutsideAction | None:
    if identity.startswith(OURS):
        return None
    return _action(run, event, kind, identity, name=name, reason=reason)


def _action(
    run: Run, event: HistoryEvent, kind: OutsideKind, identity: str, *, name: str = "", reason: str = ""
) -> OutsideAction:
    return OutsideAction(
        run=run,
        kind=kind,
        event_id=event.event_id,
        at=_time(event),
        identity=identity[:MAX_TEXT],
        name=name[:MAX_TEXT],
        reason=reason[:MAX_TEXT],
    )


def _time(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)


def _is_reset(event: HistoryEvent) -> bool:
    return (
        event.HasField("workflow_task_failed_event_attributes")
        and event.workflow_task_failed_event_attributes.cause == _RESET
    )


def _is_task(event: HistoryEvent) -> bool:
    return event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
