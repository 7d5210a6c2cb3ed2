"""The worker process: ``python -m workflows.worker --queue cpu --queue gpu``. Builds stores, registers, runs.

The one module of this layer that knows the activities' implementations.
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
from activities.runtime.interceptor import ActivityEdge
from activities.sandbox import runner
from activities.settings import Settings, load
from activities.stores.connections import Stores
from activities.telemetry import logs
from workflows.answer import AnswerQuestion
from workflows.batch import IngestBatch
from workflows.client.connection import connect
from workflows.client.schedules import schedule_reconcile
from workflows.deletion import DeleteDocument, DeleteKnowledgeBase
from workflows.ingest import IngestDocument
from workflows.reconcile import Reconcile

#: Questions have their workflow where their steps are: a step that the same worker can do is begun at once, without
#: another trip to the server. (The queue of all other workflows still serves those that began there.)
ANSWERING = [AnswerQuestion]

WORKFLOWS = [IngestDocument, IngestBatch, DeleteDocument, DeleteKnowledgeBase, AnswerQuestion, Reconcile]

#: Beats of answers go through this often.
PROMPTLY = timedelta(seconds=0.25)

#: How much a worker that only indexes documents gives way to those that answer people (as `nice` counts).
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
    }
    shared: dict[str, Any] = {
        "interceptors": [ActivityEdge(recorder)],
        "graceful_shutdown_timeout": timedelta(seconds=5),
        "max_heartbeat_throttle_interval": timedelta(seconds=1),
        "default_heartbeat_throttle_interval": timedelta(seconds=1),
    }
    if queue == Queue.WORKFLOWS:
        # The sandbox finds what is not deterministic and costs a third of a workflow's time: the replay test has it.
        runner = UnsandboxedWorkflowRunner()
        return Worker(client, task_queue=queue, workflows=WORKFLOWS, workflow_runner=runner, **shared)
    if queue == Queue.ANSWER:
        # Somebody waits for these. A sandbox is 10 ms of each; the tests that replay histories have one. And a
        # canceled question is noticed by the next beat.
        shared |= {
            "workflows": ANSWERING,
            "workflow_runner": UnsandboxedWorkflowRunner(),
            "max_heartbeat_throttle_interval": PROMPTLY,
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
    """Work on the queues until SIGTERM or SIGINT; waits for Temporal as long as it takes."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    working = asyncio.create_task(_work(queues, settings, ready_file))
    await asyncio.wait([stopping, working], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    runner.close()


async def _work(queues: list[str], settings: Settings, ready_file: Path | None) -> None:
    """Work until cancelled, then bring what is under way to its end."""
    client = await _when_it_answers(lambda: connect(settings.temporal))
    async with AsyncExitStack() as running:
        stores = await running.enter_async_context(Stores.open(settings))
        recorder = ProgressRecorder(stores.catalog)
        writing = asyncio.create_task(recorder.run())
        running.callback(writing.cancel)
        if Queue.CPU in queues:
            runner.warm()
        if Queue.ANSWER in queues:
            # What describes the embedding model is fetched now: the first question need not.
            warming = asyncio.create_task(_when_it_answers(stores.triton.tokenizer))
            running.callback(warming.cancel)
        for queue in queues:
            await running.enter_async_context(worker(client, queue, stores, settings, recorder))
        if Queue.WORKFLOWS in queues:
            await _when_it_answers(lambda: schedule_reconcile(client, settings.reconcile.minutes))
        await log.ainfo("worker ready", queues=queues)
        if ready_file is not None:
            await asyncio.to_thread(ready_file.touch)
        await asyncio.Event().wait()


async def _when_it_answers(call: Callable[[], Awaitable[T]]) -> T:
    """What ``call`` returns, once what it depends on is there, however long that takes."""
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
    settings = load()
    queues = arguments.queue or list(Queue.ALL)
    if not {Queue.WORKFLOWS, Queue.ANSWER} & set(queues):
        os.nice(BACKGROUND)
    logs.configure(settings.log, f"worker[{','.join(queues)}]")
    uvloop.run(run(queues, settings, arguments.ready_file))


if __name__ == "__main__":
    main()
