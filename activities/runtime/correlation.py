"""Interceptors that take a request's id, and its trace, along to the run that it starts and to the steps of that.

Both travel in headers, which the server stores in clear and which are no commands: histories replay with and without
them. Trace contexts are carried by the interceptor of Temporal's own SDK. A span of a run is ours: theirs begins one
for each command too, and those are lost with the worker that made them, while what they are the parents of goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, NoReturn

import structlog
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.client import OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.converter import PayloadConverter
from temporalio.exceptions import is_cancelled_exception
from temporalio.worker import (
    ActivityInboundInterceptor,
    ContinueAsNewInput,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle, ChildWorkflowHandle

from activities.telemetry import names, tracing

#: The header with the id of the request that a run works for.
REQUEST_ID = "holdfast-request-id"

_converter = PayloadConverter.default


def interceptors() -> list[ClientInterceptor]:
    """Those of a client, and of the workers that use it."""
    if not tracing.is_on():
        return [Correlation()]
    from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor  # noqa: PLC0415 - loads OpenTelemetry

    return [OpenTelemetryInterceptor(), Correlation()]


class Correlation(ClientInterceptor, Interceptor):
    """Takes the id of a request along; where a process is traced, each run has a span."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """Wraps the start of runs."""
        return _Client(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """Wraps runs, and what they start."""
        return _Run

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wraps steps."""
        return _Step(next)


class _Client(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        request_id = structlog.contextvars.get_contextvars().get("request_id")  # a step may start runs too
        if request_id is not None:
            input.headers = {**input.headers, REQUEST_ID: _converter.to_payload(request_id)}
        return await super().start_workflow(input)


class _Step(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if (request := input.headers.get(REQUEST_ID)) is not None:
            structlog.contextvars.bind_contextvars(request_id=_converter.from_payload(request, str))
        return await super().execute_activity(input)


class _Run(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Started(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        if not tracing.is_on():
            return await super().execute_workflow(input)
        return await _traced(super().execute_workflow(input))


class _Started(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        input.headers = _with_request(input.headers)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        input.headers = _with_request(input.headers)
        return super().start_local_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        input.headers = _with_request(input.headers)
        return await super().start_child_workflow(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        input.headers = _with_request(input.headers)
        super().continue_as_new(input)


def _with_request(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    request = workflow.info().headers.get(REQUEST_ID)
    return headers if request is None else {**headers, REQUEST_ID: request}


async def _traced(run: Coroutine[Any, Any, Any]) -> Any:
    """The run in a span that ends as it does. Its end says nothing while the SDK replays, or evicts, the run."""
    info = workflow.info()
    attributes = {
        names.OPERATION: names.INVOKE_WORKFLOW,
        names.WORKFLOW: info.workflow_type,
        names.WORKFLOW_ID: info.workflow_id,
        names.RUN_ID: info.run_id,
    }
    span = tracing.begin(f"{names.INVOKE_WORKFLOW} {info.workflow_type}", attributes, at=info.start_time, root=True)
    span.enter()
    try:
        result = await run
    except workflow.ContinueAsNewError:
        _end(span, "continued")
        raise
    except (Exception, asyncio.CancelledError) as exc:
        if is_cancelled_exception(exc) or isinstance(exc, asyncio.CancelledError):
            _end(span, "canceled")
        elif workflow.is_failure_exception(exc):  # another one fails the task, which is tried again
            span.fail(tracing.error_type(exc))
            _end(span, "failed")
        raise
    _end(span, "done")
    return result


def _end(span: tracing.Span, outcome: str) -> None:
    span.set({names.OUTCOME: outcome})
    span.end()
