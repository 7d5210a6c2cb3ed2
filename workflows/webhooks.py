"""The delivery of an event to a webhook endpoint, tried again for three days."""

from __future__ import annotations

from contextlib import suppress

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contracts import signatures
    from activities.contracts.queues import Priority as Urgency
    from activities.contracts.queues import Queue
    from activities.contracts.stages import DELIVERY_STAGES
    from activities.contracts.summaries import Summary
    from activities.contracts.webhooks import Delivered, DeliverInput
    from activities.errors import HoldfastError
    from activities.runtime.failures import final_failure
    from workflows.contracts import DeliveryJob, JobState
    from workflows.policies import DELIVER_STEP
    from workflows.stages import Progress

#: Seconds after each failed attempt until the next one, as Standard Webhooks recommends; ten attempts in all.
SCHEDULE = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)

#: Each wait is longer or shorter by up to this share: endpoints that come back are not met by all at once.
JITTER = 0.1


@workflow.defn
class DeliverWebhook:
    """Attempts, with longer and longer waits between them, until the endpoint takes the event."""

    @workflow.init
    def __init__(self, job: DeliveryJob) -> None:
        self._progress = Progress(DELIVERY_STAGES)
        self._priority = Priority(priority_key=Urgency.BATCH, fairness_key=job.endpoint_id)
        self._asked = False

    @workflow.query
    def state(self) -> JobState:
        """Stage and state."""
        return self._progress.state()

    @workflow.signal
    def retry(self) -> None:
        """Do not wait any longer."""
        self._asked = True

    @workflow.run
    async def run(self, job: DeliveryJob) -> Delivered:
        """Deliver. Raises ApplicationError, typed by the reason's code, if the endpoint never took the event."""
        try:
            delivered = await self._deliver(job)
        except ActivityError as exc:
            self._progress.finish("canceled" if is_cancelled_exception(exc) else "failed")
            raise
        if delivered.state == "failed":
            self._progress.finish("failed")
            raise final_failure(delivered.reason or HoldfastError().reason)
        self._progress.finish("ready" if delivered.state else "canceled")
        return delivered

    async def _deliver(self, job: DeliveryJob) -> Delivered:
        for number, seconds in enumerate(SCHEDULE, 1):
            wait = seconds * workflow.random().uniform(1 - JITTER, 1 + JITTER)
            delivered = await self._attempt(job, number, wait)
            if delivered.state != "pending":
                return delivered
            self._progress.wait("deliver")
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._asked, timeout=wait, timeout_summary=Summary(f"Until attempt {number + 1}")
                )
        return await self._attempt(job, len(SCHEDULE) + 1, None)

    async def _attempt(self, job: DeliveryJob, number: int, retry_seconds: float | None) -> Delivered:
        self._asked = False
        self._progress.enter("deliver")
        return await workflow.execute_activity(
            signatures.deliver_webhook,
            DeliverInput(delivery_id=job.delivery_id, retry_seconds=retry_seconds),
            task_queue=Queue.WORKFLOWS,
            priority=self._priority,
            summary=f"Attempt {number} of {len(SCHEDULE) + 1}",
            **DELIVER_STEP,
        )
