"""Retry decisions: converts exceptions to Temporal failures, and failures back to reasons."""

from __future__ import annotations

import traceback
from datetime import timedelta

import msgspec
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, is_cancelled_exception

from activities.errors import Canceled, DependencyError, HoldfastError, Reason, first_line

#: Attempts of an activity that may fail with an unexpected error; outages of dependencies are retried without limit.
UNFORESEEN_FAILURES = 5

#: How much of an exception goes into the history: so many of its causes, and so many of its innermost calls.
CAUSES, FRAMES = 3, 4


def to_application_error(exc: Exception, failures: int) -> ApplicationError:
    """Converts an exception to a Temporal failure; the only place that decides what is retried.

    ``DependencyError`` is always retried. Other Holdfast errors (document, request, model) are never retried. An
    unexpected error is retried until ``failures``, which includes this one, reaches UNFORESEEN_FAILURES.
    """
    reason = exc.reason if isinstance(exc, HoldfastError) else HoldfastError().reason
    if isinstance(exc, DependencyError):
        wished = getattr(exc, "retry_after", 0)
        delay = timedelta(seconds=wished) if wished else None
        return ApplicationError(str(exc), reason, exc.dependency, type=reason.code, next_retry_delay=delay)
    if isinstance(exc, HoldfastError):
        return ApplicationError(str(exc), reason, type=reason.code, non_retryable=True)
    return ApplicationError(
        f"{type(exc).__name__}: {str(exc)[:300]}",
        reason,
        type=reason.code,
        non_retryable=failures >= UNFORESEEN_FAILURES,
        next_retry_delay=timedelta(seconds=failures),
    )


def in_short(exc: Exception) -> ApplicationError:
    """An exception with its causes as the one cause of a failure (see `converter.ShortFailures`), for Temporal's UI."""
    chain: list[BaseException] = [exc]
    while len(chain) < CAUSES and (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    told = ApplicationError(
        " <- ".join(f"{type(each).__name__}: {first_line(each)}" for each in chain), type=type(exc).__name__
    )
    frames = exc.__traceback__
    for _ in range(sum(1 for _ in traceback.walk_tb(frames)) - FRAMES):
        frames = frames.tb_next if frames else None
    return told.with_traceback(frames)


def final_failure(reason: Reason) -> ApplicationError:
    """The failure with which a workflow ends for ``reason``; its type is the reason's code."""
    return ApplicationError(reason.render(), reason, type=reason.code, non_retryable=True)


def cause_of(exc: Exception) -> Exception:
    """The cause of an exception group: the first DependencyError, otherwise the first exception.

    A DependencyError is preferred because the other exceptions usually follow from it.
    """
    if not isinstance(exc, ExceptionGroup):
        return exc
    causes = [cause_of(inner) for inner in exc.exceptions]
    return next((cause for cause in causes if isinstance(cause, DependencyError)), causes[0])


def reason_of(error: BaseException) -> Reason:
    """The Reason that ``to_application_error`` attached to a failure, also after serialization by Temporal.

    ``Canceled`` for a cancellation, also of an activity whose last attempt failed after the request. The reason of
    ``HoldfastError`` for a failure without a Reason.
    """
    requested = isinstance(error, ActivityError) and error.retry_state is RetryState.CANCEL_REQUESTED
    if requested or is_cancelled_exception(error):
        return Canceled().reason
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ApplicationError):
        cause = cause.__cause__
    if cause is None or not cause.details:
        return HoldfastError().reason
    detail = cause.details[0]
    try:
        return detail if isinstance(detail, Reason) else msgspec.convert(detail, Reason)
    except msgspec.ValidationError:  # not a Reason
        return HoldfastError().reason
