"""Named retry and timeout policies of activities; ``activities.runtime.interceptor`` decides what is retryable.

Attempts are unlimited in all policies but LOCAL_ACTIVITY: errors that cannot pass are raised as non-retryable, so
retries only wait for dependencies that are down. The interval is capped at 5 s, so that work resumes within 10 s of
the dependency's return. Only questions are given up after a time: nobody waits so long for an answer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=5)
)

#: A killed worker is detected by missing heartbeats: the activity resumes on another worker after this time.
HEARTBEAT = timedelta(seconds=10)


#: Bulk embedding yields its slot at this interval, which bounds the wait of more urgent work.
BULK_SLICE_SECONDS = 10.0


#: Documents of at most this many bytes are short: passing them between workers costs more than the activities do.
SHORT_BYTES = 1 << 16


class Policy(TypedDict, total=False):
    """Keyword arguments of ``workflow.execute_activity``."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class LocalPolicy(TypedDict):
    """Keyword arguments of ``workflow.execute_local_activity``."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


#: Activities whose duration depends on the document: may take hours as long as they heartbeat.
LONG_STEP = Policy(
    start_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=HEARTBEAT,
    retry_policy=PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)

#: One transaction. The timeout is also the delay until the retry when a worker is killed during it.
SHORT_STEP = Policy(
    start_to_close_timeout=timedelta(seconds=20),
    retry_policy=PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,  # its outcome, committed or not, is awaited
)

#: Interactive: an activity that hangs is retried soon.
INTERACTIVE_STEP = Policy(
    start_to_close_timeout=timedelta(seconds=20), schedule_to_close_timeout=timedelta(hours=1), retry_policy=PATIENT
)

#: Local activities: one short attempt, because it blocks the workflow task.
LOCAL_ACTIVITY = LocalPolicy(
    start_to_close_timeout=timedelta(seconds=3),
    retry_policy=RetryPolicy(maximum_attempts=1),
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)

#: One check of a condition that the run waits for; the activity itself sets the time of the next check.
WAIT_STEP = Policy(start_to_close_timeout=timedelta(seconds=20), retry_policy=PATIENT)

#: One attempt at a webhook, which takes 15 s at most, and the record of what came of it.
DELIVER_STEP = Policy(start_to_close_timeout=timedelta(seconds=40), retry_policy=PATIENT)

#: Generates an answer, the longest one on a slow model too; heartbeats meanwhile.
ANSWER_STEP = Policy(
    start_to_close_timeout=timedelta(hours=1),
    schedule_to_close_timeout=timedelta(hours=2),
    heartbeat_timeout=HEARTBEAT,
    retry_policy=PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)

#: Scans all records, one slice for each activity. Repairs are counted when the slice ends, so that an interrupted
#: attempt leaves at most one slice uncounted.
REPAIR_STEP = Policy(
    start_to_close_timeout=timedelta(hours=6),
    heartbeat_timeout=HEARTBEAT,
    retry_policy=PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
