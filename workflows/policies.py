"""Retry and timeout policies of the steps, by name. What is retryable is decided in ``activities.runtime.interceptor``.

Attempts are unlimited everywhere: what cannot succeed is raised as non-retryable, what is left is a
dependency that is down, and that is waited for. The interval ends at 5 s, so that work goes on within 10 s
of the dependency's return.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=5)
)

#: Missing heartbeats tell a killed worker: the step goes on elsewhere this long after.
HEARTBEAT = timedelta(seconds=10)


#: Bulk work gives its place at the model back this often: what is more urgent waits no longer for it.
BULK_SLICE_SECONDS = 10.0


class Policy(TypedDict, total=False):
    """Keyword arguments of ``workflow.execute_activity``."""

    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class LocalPolicy(TypedDict):
    """Keyword arguments of ``workflow.execute_local_activity``."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


#: Steps whose time depends on the document: hours are fine as long as they beat.
LONG_STEP = Policy(
    start_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=HEARTBEAT,
    retry_policy=PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)

#: One transaction. The time is also how long a worker that was killed in the middle of it is waited for.
SHORT_STEP = Policy(
    start_to_close_timeout=timedelta(seconds=20),
    retry_policy=PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,  # it commits or not, and we know which
)

#: Somebody is waiting for the answer: a step that hangs is tried again soon.
INTERACTIVE_STEP = Policy(start_to_close_timeout=timedelta(seconds=20), retry_policy=PATIENT)

#: Within the workflow's task, which must not be held up: one attempt, and not for long.
AT_ONCE = LocalPolicy(
    start_to_close_timeout=timedelta(seconds=3),
    retry_policy=RetryPolicy(maximum_attempts=1),
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)

#: Looks whether what is waited for is there; when it looks again is the step's own to say.
WAIT_STEP = Policy(start_to_close_timeout=timedelta(seconds=20), retry_policy=PATIENT)

#: Generating a long answer; beats while it goes on.
ANSWER_STEP = Policy(
    start_to_close_timeout=timedelta(minutes=10),
    heartbeat_timeout=HEARTBEAT,
    retry_policy=PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)

#: Looks through everything there is, a slice at a time. What it mended is counted at its end, so that an attempt
#: that was cut off leaves no more than a slice uncounted.
REPAIR_STEP = Policy(
    start_to_close_timeout=timedelta(hours=6),
    heartbeat_timeout=HEARTBEAT,
    retry_policy=PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
