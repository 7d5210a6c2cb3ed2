"""Worker interceptor: the summaries that workflows give to activities and child workflows stay readable.

Those of timers cannot be intercepted: workflows mark them themselves (``contracts.summaries``).
"""

from __future__ import annotations

from typing import Any

from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle, ChildWorkflowHandle

from activities.contracts.summaries import Summary


class ClearSummaries(Interceptor):
    """Marks summaries as in clear."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """Wraps what a workflow starts."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        input.summary = _in_clear(input.summary)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        input.summary = _in_clear(input.summary)
        return super().start_local_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        input.static_summary = _in_clear(input.static_summary)
        return await super().start_child_workflow(input)


def _in_clear(summary: str | None) -> Summary | None:
    return None if summary is None else Summary(summary)
