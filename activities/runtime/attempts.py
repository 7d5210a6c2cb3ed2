"""Counts the attempts of an activity that were lost: its worker died or stopped responding, so that it timed out.

Temporal's own count includes attempts that failed because a dependency was down. The number of lost attempts
travels in the activity's heartbeats. Progress between two losses starts it anew: a worker that is killed now and then
fails no document, however long that takes.
"""

from __future__ import annotations

from contextvars import ContextVar

import msgspec
from temporalio import activity
from temporalio.api.enums.v1 import TimeoutType

from activities.errors import DependencyError, HoldfastError, ParserCrashed, StepLost
from activities.phrases import Phrase
from activities.runtime.temporal import describe

#: Attempts that may be lost in a row, by activity. Those of others are retried without limit: they depend on services
#: alone. A worker that is killed by somebody takes all its documents with it: one or two losses prove nothing.
MOST_LOST = {"unpack": 5, "parse": 5, "chunk": 5, "embed": 5, "index": 5, "retrieve": 3, "answer": 3}

_READING = ("unpack", "parse", "chunk")
_TIMEOUTS = (TimeoutType.TIMEOUT_TYPE_HEARTBEAT, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)


class Lost(msgspec.Struct, frozen=True):
    """``count`` attempts in a row were lost, none of which got further than ``done``."""

    count: int = 0
    done: int = 0


class _Done(msgspec.Struct):
    done: int = 0


_lost: ContextVar[Lost | None] = ContextVar("holdfast_lost_attempts", default=None)


def lost() -> Lost:
    """The lost attempts of the running activity, for its heartbeats."""
    return _lost.get() or Lost()


async def count_lost() -> HoldfastError | None:
    """Counts the previous attempt if it was lost; the error that ends the activity if it was one too many."""
    info = activity.info()
    if info.attempt < 2 or info.is_local or info.activity_type not in MOST_LOST:
        return None
    details = info.heartbeat_details
    before = msgspec.convert(details[1], Lost) if len(details) > 1 else Lost()
    if await _previous_timed_out():
        done = msgspec.convert(details[0], _Done).done if details else 0
        before = Lost(1, done) if done > before.done else Lost(before.count + 1, before.done)
    _lost.set(before)
    if before.count < MOST_LOST[info.activity_type]:
        return None
    if info.activity_type in _READING:
        return ParserCrashed(detail=Phrase.LOST_REPEATEDLY, attempts=before.count)
    return StepLost(attempts=before.count)


async def _previous_timed_out() -> bool:
    info = activity.info()
    try:
        run = await describe(activity.client(), info.workflow_id or "", info.workflow_run_id)
    except DependencyError:
        return False
    pending = run.raw_description.pending_activities if run else []
    failures = (entry.last_failure for entry in pending if entry.activity_id == info.activity_id)
    return any(failure.timeout_failure_info.timeout_type in _TIMEOUTS for failure in failures)
