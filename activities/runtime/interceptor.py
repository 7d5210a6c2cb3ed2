"""Activity interceptor: translates exceptions to Temporal failures, logs failures, and notifies a listener."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.errors import HoldfastError
from activities.runtime import heartbeat
from activities.runtime.attempts import count_lost, lost
from activities.runtime.failures import cause_of, in_short, to_application_error
from activities.runtime.heartbeat import Progress
from activities.telemetry import metrics, names, origin, tracing
from activities.telemetry.exceptions import shown
from activities.telemetry.logs import describe
from activities.telemetry.origin import Origin

log = structlog.get_logger()


#: Maximum number of activities for which a worker keeps a count of unexpected failures.
MAX_COUNTED = 10_000


class Listener:
    """Receives the events of a worker's activities; all methods do nothing by default."""

    def begun(self) -> None:
        """The running activity has begun."""

    def progressed(self, progress: Progress) -> None:
        """The running activity reported progress."""

    def failed(self, error: Exception) -> None:
        """The running activity failed; it may be retried."""

    def stopped(self) -> None:
        """The running activity was canceled."""

    def done(self) -> None:
        """The running activity returned its result."""


class ActivityEdge(Interceptor):
    """Worker interceptor that converts exceptions of activities to ApplicationErrors."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._unexpected: OrderedDict[tuple[str, str], int] = OrderedDict()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wraps the execution of every activity."""
        return _Inbound(next, self._listener or Listener(), self)

    def count(self, exc: Exception) -> int:
        """The number of unexpected failures of the running activity in this worker, including ``exc``.

        Temporal's own attempt count is not usable: it includes attempts that failed because a dependency was down.
        """
        info = activity.info()
        key = (info.workflow_run_id or "", info.activity_id)
        if isinstance(exc, HoldfastError):
            return self._unexpected.get(key, 0)
        self._unexpected[key] = self._unexpected.pop(key, 0) + 1
        if len(self._unexpected) > MAX_COUNTED:
            self._unexpected.popitem(last=False)
        return self._unexpected[key]


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, listener: Listener, edge: ActivityEdge) -> None:
        super().__init__(next)
        self._listener, self._edge = listener, edge

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        attributes: dict[str, str | int] = {
            names.WORKFLOW_ID: info.workflow_id or "",
            names.RUN_ID: info.workflow_run_id or "",
            names.ACTIVITY_ID: info.activity_id,
            names.ATTEMPT: info.attempt,
        }
        for argument in input.args[:1]:
            attributes |= {names.OURS + name: value for name, value in describe(argument).items()}
        with tracing.span(info.activity_type, attributes, "CONSUMER", root=True) as span:
            return await self._execute(input, _End(info.activity_type, span))

    async def _execute(self, input: ExecuteActivityInput, end: _End) -> Any:
        self._listener.begun()
        heartbeat.listener.set(self._listener.progressed)
        info = activity.info()
        origin.begin(Origin(workflow_id=info.workflow_id, run_id=info.workflow_run_id))
        try:
            if (error := await count_lost()) is not None:
                raise error
            if lost().count:
                heartbeat.beat()  # at once: this attempt may end its worker
            result = await super().execute_activity(input)
        except (CancelledError, asyncio.CancelledError):
            self._listener.stopped()
            log.info("step stopped", **end("stopped"))
            raise
        except ApplicationError as ended:
            log.warning("step failed", reason=ended.type or metrics.OTHER, **end("failed"))
            raise
        except Exception as raised:  # noqa: BLE001 - the outermost handler of every activity
            exc = cause_of(raised)
            self._listener.failed(exc)
            failure = to_application_error(exc, self._edge.count(exc))
            expected = isinstance(exc, HoldfastError)
            reason = exc.reason.code if isinstance(exc, HoldfastError) else metrics.OTHER
            metrics.STEP_FAILURES.labels(info.activity_type, reason, str(not failure.non_retryable).lower()).inc()
            retried = not failure.non_retryable
            await log.awarning(
                "step failed", reason=shown(exc), retried=retried, exc_info=not expected, **end("failed")
            )
            raise failure from in_short(exc)
        self._listener.done()
        log.info("step done", **end("done"))
        return result


class _End:
    """Tells how an attempt at a step ended: to the metrics, its span, and with what it returns, to the log."""

    def __init__(self, step: str, span: tracing.Span) -> None:
        self._step, self._span, self._began = step, span, time.perf_counter()

    def __call__(self, outcome: str) -> dict[str, Any]:
        took = time.perf_counter() - self._began
        metrics.STEP_SECONDS.labels(self._step, outcome).observe(took)
        self._span.set({names.OUTCOME: outcome})
        return {"outcome": outcome, "seconds": round(took, 3)}
