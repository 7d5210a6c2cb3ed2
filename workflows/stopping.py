"""Stopping what runs: which failures are cancellations, and work that a cancel request must not interrupt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, RetryState, is_cancelled_exception

T = TypeVar("T")

#: Patch: earlier runs took a canceled activity whose last attempt had failed for a failed one.
CANCEL_REQUESTED = "cancel-requested"


def was_canceled(error: BaseException) -> bool:
    """Whether an activity, or the run itself, ended because it was to be canceled.

    An attempt that fails after the request, or whose worker has died, is not tried again: its error says only in its
    retry state that the activity was canceled.
    """
    if is_cancelled_exception(error):
        return True
    requested = isinstance(error, ActivityError) and error.retry_state is RetryState.CANCEL_REQUESTED
    return requested and workflow.patched(CANCEL_REQUESTED)


async def cancel_and_wait(running: asyncio.Future[Any]) -> bool:
    """Cancel an activity and wait for its end; True if it completed nevertheless."""
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        return False
    except ActivityError as exc:
        if was_canceled(exc):
            return False
        raise
    return True


async def to_the_end(work: Awaitable[T]) -> T:
    """The result of ``work``, which Temporal's cancel request does not interrupt; callers look for it afterwards."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue  # the request; a run receives only one
    return task.result()
