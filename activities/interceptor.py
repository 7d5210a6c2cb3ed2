"""What every activity has in common at its edge: one decision on retries, and one log line on failure."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Protocol

import msgspec
import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError, is_cancelled_exception
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities import heartbeat
from activities.errors import Canceled, DependencyError, HoldfastError, Reason
from activities.heartbeat import Progress

log = structlog.get_logger()

#: Attempts at a step that fails for a reason nobody foresaw; a dependency that is down is waited for without limit.
UNFORESEEN_ATTEMPTS = 5


def to_application_error(exc: Exception, attempt: int) -> ApplicationError:
    """The one place that decides what is retried.

    A dependency that is down: always. A document, a request or a model that says no: never, trying again
    would not help. Anything unforeseen: a few times.
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
        non_retryable=attempt >= UNFORESEEN_ATTEMPTS,
        next_retry_delay=timedelta(seconds=attempt),
    )


class Listener(Protocol):
    """Hears how the activities of a worker are doing."""

    def begun(self) -> None:
        """The running activity has begun."""

    def progressed(self, progress: Progress) -> None:
        """The running activity said how far it is."""

    def failed(self, error: Exception) -> None:
        """The running activity failed; it may be tried again."""

    def stopped(self) -> None:
        """The running activity was canceled."""


class ActivityEdge(Interceptor):
    """Worker interceptor: activities raise our own errors, Temporal sees ApplicationErrors."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the execution of every activity."""
        return _Inbound(next, self._listener)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, listener: Listener | None) -> None:
        super().__init__(next)
        self._listener = listener

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if self._listener is not None:
            self._listener.begun()
            heartbeat.listener.set(self._listener.progressed)
        try:
            return await super().execute_activity(input)
        except (CancelledError, asyncio.CancelledError):
            if self._listener is not None:
                self._listener.stopped()
            raise
        except ApplicationError:
            raise
        except Exception as exc:  # the edge of every activity
            if self._listener is not None:
                self._listener.failed(exc)
            error = to_application_error(exc, activity.info().attempt)
            foreseen = isinstance(exc, HoldfastError)
            await log.awarning(
                "step failed", reason=str(exc)[:300], retried=not error.non_retryable, exc_info=not foreseen
            )
            raise error from exc


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
