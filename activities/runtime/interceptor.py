"""What every activity has in common at its edge: one decision on retries, and one log line on failure."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.errors import HoldfastError
from activities.runtime import heartbeat
from activities.runtime.failures import cause_of, to_application_error
from activities.runtime.heartbeat import Progress

log = structlog.get_logger()


#: Steps whose unforeseen failures one worker remembers.
REMEMBERED = 10_000


class Listener:
    """Hears how the activities of a worker are doing."""

    def begun(self) -> None:
        """The running activity has begun."""

    def progressed(self, progress: Progress) -> None:
        """The running activity said how far it is."""

    def failed(self, error: Exception) -> None:
        """The running activity failed; it may be tried again."""

    def stopped(self) -> None:
        """The running activity was canceled."""

    def done(self) -> None:
        """The running activity has its result."""


class ActivityEdge(Interceptor):
    """Worker interceptor: activities raise our own errors, Temporal sees ApplicationErrors."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._unforeseen: OrderedDict[tuple[str, str], int] = OrderedDict()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the execution of every activity."""
        return _Inbound(next, self._listener or Listener(), self)

    def count(self, exc: Exception) -> int:
        """How often the running activity has failed in this worker for reasons nobody foresaw.

        Temporal's own count of attempts would not do: it includes those at which a dependency was down.
        """
        info = activity.info()
        key = (info.workflow_run_id or "", info.activity_id)
        if isinstance(exc, HoldfastError):
            return self._unforeseen.get(key, 0)
        self._unforeseen[key] = self._unforeseen.pop(key, 0) + 1
        if len(self._unforeseen) > REMEMBERED:
            self._unforeseen.popitem(last=False)
        return self._unforeseen[key]


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, listener: Listener, edge: ActivityEdge) -> None:
        super().__init__(next)
        self._listener, self._edge = listener, edge

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        self._listener.begun()
        heartbeat.listener.set(self._listener.progressed)
        try:
            result = await super().execute_activity(input)
        except (CancelledError, asyncio.CancelledError):
            self._listener.stopped()
            raise
        except ApplicationError:
            raise
        except Exception as raised:  # noqa: BLE001 - the edge of every activity
            exc = cause_of(raised)
            self._listener.failed(exc)
            error = to_application_error(exc, self._edge.count(exc))
            foreseen = isinstance(exc, HoldfastError)
            await log.awarning(
                "step failed", reason=str(exc)[:300], retried=not error.non_retryable, exc_info=not foreseen
            )
            raise error from exc
        self._listener.done()
        return result
