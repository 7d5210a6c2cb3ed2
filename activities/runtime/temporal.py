"""Calls to Temporal: the connection, one error table; describing, canceling, signalling, querying and starting runs.

For activities and for what starts jobs. Workflow definitions act through ``temporalio.workflow`` alone.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import Contract
from activities.contracts.queues import Queue
from activities.contracts.search_attributes import DOCUMENT, KNOWLEDGE_BASE, OWNER, STAGE
from activities.errors import TemporalRefused, TemporalUnavailable, first_line
from activities.runtime.converter import data_converter
from activities.settings import TemporalSettings

T = TypeVar("T")

#: How long a worker may take to answer a query before the state is taken from the server alone.
QUERY_TIMEOUT = timedelta(seconds=2)

#: Temporal's limit on the summary of a run.
SUMMARY_BYTES = 200


class RunNotFound(LookupError):
    """There is no such run (or schedule), Temporal keeps it no longer, or it has ended and takes no signal."""


Translation = type[TemporalUnavailable] | type[TemporalRefused] | type[RunNotFound]

#: The error table: what the server's status means. Outages pass by themselves; what is refused, an operator mends.
ERRORS: dict[RPCStatusCode, Translation] = {
    RPCStatusCode.CANCELLED: TemporalUnavailable,
    RPCStatusCode.UNKNOWN: TemporalUnavailable,
    RPCStatusCode.INVALID_ARGUMENT: TemporalRefused,
    RPCStatusCode.DEADLINE_EXCEEDED: TemporalUnavailable,
    RPCStatusCode.NOT_FOUND: RunNotFound,
    RPCStatusCode.ALREADY_EXISTS: TemporalRefused,
    RPCStatusCode.PERMISSION_DENIED: TemporalRefused,
    RPCStatusCode.RESOURCE_EXHAUSTED: TemporalUnavailable,
    RPCStatusCode.FAILED_PRECONDITION: TemporalRefused,
    RPCStatusCode.ABORTED: TemporalUnavailable,
    RPCStatusCode.OUT_OF_RANGE: TemporalRefused,
    RPCStatusCode.UNIMPLEMENTED: TemporalRefused,
    RPCStatusCode.INTERNAL: TemporalUnavailable,
    RPCStatusCode.UNAVAILABLE: TemporalUnavailable,
    RPCStatusCode.DATA_LOSS: TemporalRefused,
    RPCStatusCode.UNAUTHENTICATED: TemporalRefused,
}


#: What the SDK says when the server refuses its first call: a status in the shape of the Rust core.
_GREETING = re.compile(r'Status \{ code: (\w+), message: "([^"]*)"')


async def connect(settings: TemporalSettings, *, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client that speaks our contracts. ``lazy`` connects at the first call, so that an API can start without.

    Raises SettingsError, and, unless it is lazy, TemporalUnavailable and TemporalRefused.
    """
    config = settings.connection()
    async with translated():
        return await Client.connect(**config, data_converter=data_converter, lazy=lazy, runtime=runtime)


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Around calls to Temporal: raises TemporalUnavailable, TemporalRefused and RunNotFound for what they raise."""
    try:
        yield
    except RPCError as exc:
        raise error_of(exc) from exc
    except (RuntimeError, TimeoutError) as exc:
        raise _of_connection(exc) from exc


def error_of(exc: RPCError) -> TemporalUnavailable | TemporalRefused | RunNotFound:
    """What an error of the server means; a namespace that is not there is no missing run."""
    kind = ERRORS[exc.status]
    if kind is TemporalUnavailable:
        return TemporalUnavailable()
    if kind is RunNotFound and not _names_namespace(exc):
        return RunNotFound(first_line(exc))
    return TemporalRefused(detail=first_line(exc))


def _of_connection(exc: RuntimeError | TimeoutError) -> TemporalUnavailable | TemporalRefused:
    """What it means that there is no connection, at once or at a lazy client's first call."""
    said = _GREETING.search(str(exc))
    refused = {status.name.replace("_", "").lower() for status, kind in ERRORS.items() if kind is TemporalRefused}
    if said is not None and said[1].lower() in refused:
        return TemporalRefused(detail=said[2] or said[1])
    return TemporalUnavailable()


def _names_namespace(exc: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in exc.grpc_status.details)


async def describe(client: Client, workflow_id: str) -> WorkflowExecutionDescription | None:
    """The latest run of a workflow; None if there never was one, or Temporal keeps it no longer.

    Raises TemporalUnavailable and TemporalRefused, as every function here.
    """
    try:
        async with translated():
            return await client.get_workflow_handle(workflow_id).describe()
    except RunNotFound:
        return None


async def is_running(client: Client, workflow_id: str) -> bool:
    """Whether a workflow goes on."""
    run = await describe(client, workflow_id)
    return run is not None and run.status is WorkflowExecutionStatus.RUNNING


async def cancel(client: Client, workflow_id: str, actor: str = "") -> bool:
    """Ask a run to stop; False when there is none. One that has ended stays as it is.

    The request's reason in the history is ``by`` the actor.
    """
    try:
        async with translated():
            await client.get_workflow_handle(workflow_id).cancel(reason=f"by {actor}" if actor else "")
    except RunNotFound:
        return False
    return True


async def signal(client: Client, workflow_id: str, name: str, *arguments: object) -> bool:
    """Send a signal to a run; False when there is none, or it has ended."""
    try:
        async with translated():
            await client.get_workflow_handle(workflow_id).signal(name, args=arguments)
    except RunNotFound:
        return False
    return True


async def query(client: Client, workflow_id: str, name: str, answer: type[T]) -> T | None:
    """What a run answers to a query, within QUERY_TIMEOUT; None when there is no run, or no worker to ask."""
    handle = client.get_workflow_handle(workflow_id)
    async with translated():
        try:
            found: T = await handle.query(name, result_type=answer, rpc_timeout=QUERY_TIMEOUT)
        except RPCError:
            return None
    return found


async def start(
    client: Client,
    workflow: str | Callable[..., Awaitable[Any]],
    job: Contract,
    id: str,
    summary: str,
    attributes: TypedSearchAttributes,
    *,
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    queue: str = Queue.WORKFLOWS,
    first_signal: str | None = None,
    signal_arguments: Sequence[object] = (),
) -> str:
    """Start a workflow, by its run method or its type's name; its id.

    One that runs already goes on, and gets ``first_signal`` too. ``reuse`` says whether one that has ended begins anew.
    """
    run: Any = workflow
    async with translated():
        with suppress(WorkflowAlreadyStartedError):  # it ran already, to a good end
            await client.start_workflow(
                run,
                job,
                id=id,
                task_queue=queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=reuse,
                start_signal=first_signal,
                start_signal_args=signal_arguments,
                static_summary=summary[:SUMMARY_BYTES],
                search_attributes=attributes,
            )
    return id


def attributes(
    knowledge_base: str | None, actor: str, document_id: str | None = None, stage: str = "queued"
) -> TypedSearchAttributes:
    """The search attributes with which a run begins; what is None is left out."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(OWNER, actor),
        SearchAttributePair(STAGE, stage),
    ]
    if knowledge_base is not None:
        pairs.append(SearchAttributePair(KNOWLEDGE_BASE, knowledge_base))
    if document_id is not None:
        pairs.append(SearchAttributePair(DOCUMENT, document_id))
    return TypedSearchAttributes(pairs)
