"""One decision on retries: our exceptions as Temporal's failures, and failures as reasons."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from temporalio.exceptions import ApplicationError, is_cancelled_exception

from activities.errors import Canceled, DependencyError, HoldfastError, Reason

#: Failures of a step for a reason nobody foresaw; a dependency that is down is waited for without limit.
UNFORESEEN_FAILURES = 5


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
