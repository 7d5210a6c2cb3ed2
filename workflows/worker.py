"""The worker process: ``python -m workflows.worker --queue cpu --queue gpu``. Builds stores, registers, runs.

The one module of this layer that imports the implementations of the activities.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvloop
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.contracts.queues import Queue
from activities.errors import DependencyError
from activities.ingest.progress import ProgressRecorder
from activities.registry import activities_of
from activities.runtime.correlation import interceptors
from activities.runtime.interceptor import ActivityEdge
from activities.runtime.summaries import ClearSummaries
from activities.runtime.temporal import connect
from activities.sandbox import runner
from activities.settings import Settings, load
from activities.stores.connections import Stores
from activities.stores.owner import own
from activities.telemetry import logs, metrics, tracing
from activities.telemetry.measuring import measured
from workflows.client.schedules import schedule_archive, schedule_reconcile
from workflows.definitions import ANSWER_WORKFLOWS, WORKFLOWS

#: Webhooks that one worker waits for at once.
DELIVERIES = 32

#: Interval at which heartbeats of answers reach the server.
ANSWER_HEARTBEAT = timedelta(seconds=0.25)

#: Niceness of workers that only index documents, so that workers that answer questions go first.
BACKGROUND = 10

log = structlog.get_logger()

T = TypeVar("T")


def worker(client: Client, queue: str, stores: Stores, settings: Settings, recorder: ProgressRecorder) -> Worker:
    """The worker of one task queue, with as many slots as that queue's resource has."""
    slots = {
        Queue.CPU: settings.worker.cpu_slots,
        Queue.GPU: settings.worker.gpu_slots,
        Queue.STORE: settings.worker.store_slots,
        Queue.ANSWER: settings.worker.answer_slots,
        Queue.WORKFLOWS: DELIVERIES,
    }
    shared: dict[str, Any] = {
        "interceptors": [ActivityEdge(recorder), ClearSummaries()],
        "graceful_shutdown_timeout": timedelta(seconds=5),
        "max_heartbeat_throttle_interval": timedelta(seconds=1),
        "default_heartbeat_throttle_interval": timedelta(seconds=1),
    }
    if queue == Queue.WORKFLOWS:
        # The sandbox detects non-determinism but costs a third of a workflow's time: only replay tests use it.
        shared |= {"workflows": WORKFLOWS, "workflow_runner": UnsandboxedWorkflowRunner()}
    if queue == Queue.ANSWER:
        # Interactive. The sandbox costs 10 ms per question; replay tests run with it. Activities receive a cancel
        # request with their next heartbeat.
        shared |= {
            "workflows": ANSWER_WORKFLOWS,
            "workflow_runner": UnsandboxedWorkflowRunner(),
            "max_heartbeat_throttle_interval": ANSWER_HEARTBEAT,
            "max_concurrent_local_activities": slots[queue],
        }
    return Worker(
        client,
        task_queue=queue,
        activities=activities_of(queue, stores, settings),
        max_concurrent_activities=slots[queue],
        **shared,
    )


async def run(queues: list[str], settings: Settings, ready_file: Path | None = None) -> None:
    """Work on the queues until SIGTERM or SIGINT; waits without a limit for Temporal to come up."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stop_task = asyncio.create_task(stop.wait())
    work_task = asyncio.create_task(_work(queues, settings, ready_file))
    await asyncio.wait([stop_task, work_task], return_when=asyncio.FIRST_COMPLETED)
    stop_task.cancel()
    work_task.cancel()
    with suppress(asyncio.CancelledError):
        await work_task
    runner.close()


async def _work(queues: list[str], settings: Settings, ready_file: Path | None) -> None:
    """Work until cancelled; activities in flight then have the graceful shutdown timeout to end."""
    async with AsyncExitStack() as resources:
        runtime = resources.enter_context(measured(settings.metrics))
        client = await _retry_until_available(
            lambda: connect(settings.temporal, runtime=runtime, interceptors=interceptors())
        )
        stores = await resources.enter_async_context(Stores.open(settings))
        metrics.watch_connections(stores.catalog.connections)
        await _retry_until_available(stores.catalog.ping)  # also until it is migrated
        await _retry_until_available(lambda: own(stores.blobs, stores.catalog))
        recorder = ProgressRecorder(stores.catalog)
        await resources.enter_async_context(recorder.recording())
        if Queue.CPU in queues:
            runner.warm()
        if Queue.ANSWER in queues:
            # So that the first question does not wait. Only written answers count tokens; the tokenizer takes 300 MB.
            described = stores.triton.tokenizer if settings.generate.model else stores.triton.card
            warm_up = asyncio.create_task(_retry_until_available(described))
            resources.callback(warm_up.cancel)
        for queue in queues:
            await resources.enter_async_context(worker(client, queue, stores, settings, recorder))
        if Queue.WORKFLOWS in queues:
            await _retry_until_available(lambda: schedule_reconcile(client, settings.reconcile.minutes))
            await _retry_until_available(lambda: schedule_archive(client, settings.archive.minutes))
        await log.ainfo("worker ready", queues=queues)
        if ready_file is not None:
            await asyncio.to_thread(ready_file.touch)
        await recorder.loop.ended()  # never: a worker whose loop is dead ends, and is started again


async def _retry_until_available(call: Callable[[], Awaitable[T]]) -> T:
    """The result of ``call``; retries every second, without a limit, while a dependency is down."""
    while True:
        try:
            return await call()
        except DependencyError as exc:
            await log.awarning("waiting", dependency=exc.dependency, reason=str(exc))
            await asyncio.sleep(1)


def main() -> None:
    """Command line of the worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queue", action="append", choices=Queue.ALL, help="task queue to work on; repeatable")
    parser.add_argument("--ready-file", type=Path, help="file to touch once the worker polls")
    arguments = parser.parse_args()
    os.umask(0o077)  # stored documents and temporary files are this user's alone
    settings = load()
    queues = arguments.queue or list(Queue.ALL)
    if not {Queue.WORKFLOWS, Queue.ANSWER} & set(queues):
        os.nice(BACKGROUND)
    process = f"worker[{','.join(queues)}]"
    logs.configure(settings.log, process)
    tracing.configure(settings.tracing, process)
    uvloop.run(run(queues, settings, arguments.ready_file))
    tracing.close()


if __name__ == "__main__":
    main()
