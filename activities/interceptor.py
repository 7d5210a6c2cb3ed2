"""What every activity has in common at its edge: one decision on retries, and one log line on failure."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError, is_cancelled_exception
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities import heartbeat
from activities.errors import Canceled, DependencyError, HoldfastError, Reason
from activities.heartbeat import Progress

log = structlog.get_logger()

#: Failures of a step for a reason nobody foresaw; a dependency that is down is waited for without limit.
UNFORESEEN_FAILURES = 5

#: Steps whose unforeseen failures one worker remembers.
REMEMBERED = 10_000


def to_application_error(exc: Exception, failures: int) -> ApplicationError:
    """The one place that decides what is retried.

    A dependency that is down: always. A document, a request or a model that says no: never, trying again
    would not help. Anything unforeseen: a few times; ``failures`` counts this one and those before.
    """
    reason = exc.reason if isinstance(exc, HoldfastError) else HoldfastError().reason
    if isinstance(exc, DependencyError):
        return ApplicationError(str(exc), reason, exc.dependency, type=reason.code)
    if isinstance(exc, HoldfastError):
        return ApplicationError(str(exc), reason, type=reason.code, non_retryable=True)
    return ApplicationError(
        f"{type(exc).__name__}: {str(exc)[:300]}",
        reason,
        type=reason.code,
        non_retryable=failures >= UNFORESEEN_FAILURES,
        next_retry_delay=timedelta(seconds=failures),
    )


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


def cause_of(exc: Exception) -> Exception:
    """What a group of tasks failed of: a dependency that is down says more than what came of it."""
    if not isinstance(exc, ExceptionGroup):
        return exc
    causes = [cause_of(each) for each in exc.exceptions]
    return next((each for each in causes if isinstance(each, DependencyError)), causes[0])


def reason_of(error: BaseException) -> Reason:
    """Why a step ended: the Reason that ``to_application_error`` put in, also after a trip through Temporal."""
    if is_cancelled_exception(error):
        return Canceled().reason
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ApplicationError):
        cause = cause.__cause__
    if cause is None or not cause.details:
        return HoldfastError().reason
    detail = cause.details[0]
    try:
        return detail if isinstance(detail, Reason) else msgspec.convert(detail, Reason)
    except msgspec.ValidationError:  # not one of ours
        return HoldfastError().reason
