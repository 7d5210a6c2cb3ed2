"""What Temporal says of the task queues: backlog, rates and the workers that poll them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from activities.contracts.queues import Queue
from activities.runtime import temporal

TaskKind = Literal["workflow", "activity"]

#: The kinds of tasks of each queue.
KINDS: dict[str, tuple[TaskKind, ...]] = {
    Queue.ANSWER: ("workflow", "activity"),
    Queue.WORKFLOWS: ("workflow",),
    Queue.CPU: ("activity",),
    Queue.GPU: ("activity",),
    Queue.STORE: ("activity",),
}

#: A worker that has not asked for a task for longer is gone: Temporal remembers it for five minutes.
SEEN_WITHIN = timedelta(seconds=90)

_TYPES = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


class Worker(msgspec.Struct, frozen=True):
    """A process that works on a queue, and when it last asked for a task."""

    identity: str
    build: str
    seen_at: datetime


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks of one kind in a queue: how many wait, since when the oldest, and how many come and go each second.

    The numbers are Temporal's approximations. ``workers`` are those of the last SEEN_WITHIN.
    """

    queue: str
    kind: TaskKind
    backlog: int
    age_seconds: float
    added_per_second: float
    dispatched_per_second: float
    workers: list[Worker]


async def describe_queues(client: Client) -> list[QueueState]:
    """The state of all queues. Raises TemporalUnavailable and TemporalRefused."""
    asked = [(queue, kind) for queue, kinds in KINDS.items() for kind in kinds]
    async with temporal.translated():
        return await asyncio.gather(*(_describe(client, queue, kind) for queue, kind in asked))


async def _describe(client: Client, queue: str, kind: TaskKind) -> QueueState:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=_TYPES[kind], report_stats=True
    )
    found = await client.workflow_service.describe_task_queue(request, timeout=temporal.QUERY_TIMEOUT)
    age = found.stats.approximate_backlog_age
    return QueueState(
        queue=queue,
        kind=kind,
        backlog=found.stats.approximate_backlog_count,
        age_seconds=round(age.seconds + age.nanos / 1e9, 1),
        added_per_second=round(found.stats.tasks_add_rate, 2),
        dispatched_per_second=round(found.stats.tasks_dispatch_rate, 2),
        workers=_workers(found.pollers),
    )


def _workers(pollers: Iterable[PollerInfo]) -> list[Worker]:
    """One for each identity: a worker polls a queue several times."""
    since = datetime.now(UTC) - SEEN_WITHIN
    found: dict[str, Worker] = {}
    for poller in pollers:
        seen = poller.last_access_time.ToDatetime(UTC)
        build = poller.deployment_options.build_id or poller.worker_version_capabilities.build_id
        before = found.get(poller.identity)
        if seen >= since and (before is None or before.seen_at < seen):
            found[poller.identity] = Worker(poller.identity, build, seen)
    return sorted(found.values(), key=lambda worker: worker.identity)
