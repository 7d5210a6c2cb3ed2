"""Calls to Temporal: connecting, the error table; describing, canceling, signaling, querying and starting runs.

Used by activities and by ``workflows.client``. Workflow definitions only use ``temporalio.workflow``.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, Interceptor, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts import Contract
from activities.contracts.queues import Queue
from activities.contracts.summaries import Summary
from activities.contracts.version import VERSION
from activities.errors import DependencyError, TemporalRefused, TemporalUnavailable, first_line
from activities.runtime.converter import converter_for
from activities.settings import TemporalSettings

T = TypeVar("T")

#: Timeout of every other call: whoever waits for a server that stands still hears of it, and loops go on.
RPC_TIMEOUT = timedelta(seconds=10)

#: Timeout of a query; after it, callers use only the state that they have without.
QUERY_TIMEOUT = timedelta(seconds=2)

#: Requests of ``describe_all`` in flight.
AT_ONCE = 16

#: Time after which an attempt has found out whether a dependency is there.
TRY_TIME = timedelta(seconds=10)

_DEPENDENCIES = {kind.code: kind.dependency for kind in DependencyError.__subclasses__()}


#: The identities of Holdfast's processes begin with it.
OURS = "holdfast:"


class RunNotFound(LookupError):
    """The run (or schedule) does not exist, is past its retention, or has ended and accepts no signal."""


class RunExists(LookupError):
    """A run of the same id exists, and must be neither joined nor followed by another one."""


Translation = type[TemporalUnavailable] | type[TemporalRefused] | type[RunNotFound]

#: The error table, by gRPC status. Unavailable is retried; refused needs an operator.
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


#: The status in the SDK's message when the server rejects its first call, as the Rust core formats it.
_FIRST_CALL_STATUS = re.compile(r'Status \{ code: (\w+), message: "([^"]*)"')


async def connect(
    settings: TemporalSettings,
    *,
    lazy: bool = False,
    runtime: Runtime | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> Client:
    """A client with the msgspec data converter, which encrypts if there are keys.

    ``lazy`` connects at the first call, so that the API can start while Temporal is down. Raises SettingsError, and,
    unless ``lazy``, TemporalUnavailable and TemporalRefused.
    """
    config = settings.connection()
    converter = converter_for(settings.payload_keys.file, config["namespace"])
    async with translated():
        return await Client.connect(
            **config,
            identity=identity(),
            data_converter=converter,
            lazy=lazy,
            runtime=runtime,
            interceptors=interceptors,
        )


def identity() -> str:
    """What this process says of itself to Temporal, which records it with each signal and request."""
    return f"{OURS}{os.getpid()}@{socket.gethostname()}/{VERSION}"


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Translates exceptions of Temporal calls into TemporalUnavailable, TemporalRefused and RunNotFound."""
    try:
        yield
    except RPCError as exc:
        raise error_of(exc) from exc
    except (RuntimeError, TimeoutError) as exc:
        raise _of_connection(exc) from exc


def error_of(exc: RPCError) -> TemporalUnavailable | TemporalRefused | RunNotFound:
    """The translation of a server error; a missing namespace is TemporalRefused, not RunNotFound."""
    kind = ERRORS[exc.status]
    if kind is TemporalUnavailable:
        return TemporalUnavailable()
    if kind is RunNotFound and not _names_namespace(exc):
        return RunNotFound(first_line(exc))
    return TemporalRefused(detail=first_line(exc))


def _of_connection(exc: RuntimeError | TimeoutError) -> TemporalUnavailable | TemporalRefused:
    """The translation of a failed connection, made at once or by a lazy client's first call."""
    status = _FIRST_CALL_STATUS.search(str(exc))
    refused = {code.name.replace("_", "").lower() for code, kind in ERRORS.items() if kind is TemporalRefused}
    if status is not None and status[1].lower() in refused:
        return TemporalRefused(detail=status[2] or status[1])
    return TemporalUnavailable()


def _names_namespace(exc: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in exc.grpc_status.details)


async def describe(client: Client, workflow_id: str, run_id: str | None = None) -> WorkflowExecutionDescription | None:
    """A run of a workflow, by default the latest; None if there is none, or it is past its retention.

    Raises TemporalUnavailable and TemporalRefused, like every function here.
    """
    try:
        async with translated():
            return await client.get_workflow_handle(workflow_id, run_id=run_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RunNotFound:
        return None


async def decoded(client: Client, workflow_id: str, payloads: Sequence[Payload], kind: type[T]) -> T | None:
    """The first of the payloads that a description of a run has; None if there is none of this type."""
    if not payloads:
        return None
    context = WorkflowSerializationContext(client.namespace, workflow_id)
    converter = client.data_converter.with_context(context)
    try:
        values: list[T] = await converter.decode(payloads[:1], [kind])
    except ValueError:  # not of this type, or not readable
        return None
    return values[0]


def missing(pending: PendingActivityInfo) -> str | None:
    """The dependency for which an activity waits: it was down at the last attempt, and is not known to be back.

    It is once the next attempt has lasted TRY_TIME.
    """
    started = pending.last_started_time.ToDatetime(UTC)
    if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED and datetime.now(UTC) - started > TRY_TIME:
        return None
    return _DEPENDENCIES.get(pending.last_failure.application_failure_info.type)


async def waits_for(client: Client, workflow_id: str) -> str | None:
    """The dependency for which steps of a workflow wait; ``temporal`` if that is down. None if its steps go on.

    Takes QUERY_TIMEOUT at most: the rest of what is shown of a job comes from the catalogue.
    """
    try:
        async with asyncio.timeout(QUERY_TIMEOUT.total_seconds()):
            run = await describe(client, workflow_id)
    except TimeoutError:
        return TemporalUnavailable.dependency
    except DependencyError as exc:
        return exc.dependency
    pending = run.raw_description.pending_activities if run is not None else []
    return next(filter(None, map(missing, pending)), None)


async def describe_all(client: Client, workflow_ids: Iterable[str]) -> list[WorkflowExecutionDescription | None]:
    """What ``describe`` returns for each workflow, in order; AT_ONCE requests are in flight."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(workflow_id: str) -> WorkflowExecutionDescription | None:
        async with slots:
            return await describe(client, workflow_id)

    return await asyncio.gather(*(one(workflow_id) for workflow_id in workflow_ids))


async def is_running(client: Client, workflow_id: str) -> bool:
    """Whether the latest run of a workflow is running."""
    run = await describe(client, workflow_id)
    return run is not None and run.status is WorkflowExecutionStatus.RUNNING


async def cancel(client: Client, workflow_id: str, actor: str = "", why: str = "") -> bool:
    """Requests cancellation of a run; False when there is none. A run that has ended is left unchanged.

    The history records the reason ``by <actor>, <why>``.
    """
    reason = ", ".join(filter(None, (f"by {actor}" if actor else "", why)))
    try:
        async with translated():
            await client.get_workflow_handle(workflow_id).cancel(reason=reason, rpc_timeout=RPC_TIMEOUT)
    except RunNotFound:
        return False
    return True


async def signal(client: Client, workflow_id: str, name: str, *arguments: object) -> bool:
    """Sends a signal to a run; False when there is none, or it has ended."""
    try:
        async with translated():
            handle = client.get_workflow_handle(workflow_id)
            await handle.signal(name, args=arguments, rpc_timeout=RPC_TIMEOUT)
    except RunNotFound:
        return False
    return True


async def query(client: Client, workflow_id: str, name: str, answer: type[T]) -> T | None:
    """The result of a query; None when there is no run, or no worker answers within QUERY_TIMEOUT."""
    handle = client.get_workflow_handle(workflow_id)
    async with translated():
        try:
            result: T = await handle.query(name, result_type=answer, rpc_timeout=QUERY_TIMEOUT)
        except RPCError:
            return None
    return result


async def start(
    client: Client,
    workflow: str | Callable[..., Awaitable[Any]],
    job: Contract,
    id: str,
    summary: str,
    attributes: TypedSearchAttributes,
    *,
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    conflict: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.USE_EXISTING,
    queue: str = Queue.WORKFLOWS,
    first_signal: str | None = None,
    signal_arguments: Sequence[object] = (),
    details: str | None = None,
) -> str:
    """Starts a workflow, given its run method or type name, and returns its id; see ``contracts.described``.

    If it is already running, only ``first_signal`` is sent, unless ``conflict`` forbids to join it. ``reuse`` decides
    whether a closed workflow is started again; by default one that has completed is left as it is. Any other policy
    that forbids the start raises RunExists.
    """
    run: Any = workflow
    async with translated():
        try:
            await client.start_workflow(
                run,
                job,
                id=id,
                task_queue=queue,
                id_conflict_policy=conflict,
                id_reuse_policy=reuse,
                start_signal=first_signal,
                start_signal_args=signal_arguments,
                static_summary=Summary(summary),
                static_details=details,
                search_attributes=attributes,
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError as exc:
            if reuse is not WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY:
                raise RunExists(id) from exc
    return id
