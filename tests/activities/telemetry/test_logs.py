"""Logs as JSON: every line is an object, whoever wrote it, and says what it is about."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid

import structlog
from structlog.testing import capture_logs
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.contracts.deletion import DeleteJob
from activities.contracts.ingest import PauseInput
from activities.runtime.interceptor import ActivityEdge
from activities.telemetry.logs import describe

PROGRAM = """
import asyncio, logging, threading, warnings
from activities.settings import load
from activities.telemetry.logs import configure
from activities.telemetry.measuring import process_runtime
from temporalio.client import Client

def fails():
    raise RuntimeError("the text of a document")

configure(load().log, "worker")
warnings.warn("old", DeprecationWarning, stacklevel=1)
logging.getLogger("of.a.library").error("said by a library")
thread = threading.Thread(target=fails, name="of-a-library")
thread.start()
thread.join()
process_runtime()
fails()
"""


def test_every_line_is_json() -> None:
    """Warnings, libraries, errors that nobody caught in threads and in the process; without the texts in them."""
    environ = {**os.environ, "HOLDFAST_LOG_FORMAT": "json", "PYTHONWARNINGS": "always"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(line["process"] == "worker" for line in lines)
    assert [line["event"] for line in lines[-2:]] == ["uncaught error", "uncaught error"]
    assert lines[-2]["thread"] == "of-a-library"
    assert lines[-1]["exception"][0]["exc_type"] == "RuntimeError"
    said = " ".join(line["event"] for line in lines)
    assert "old" in said
    assert "said by a library" in said
    assert "the text of a document" not in done.stderr


class _Step(ActivityInboundInterceptor):
    """An activity that logs."""

    def __init__(self) -> None:
        """It has no further interceptor."""

    async def execute_activity(self, input: ExecuteActivityInput) -> None:
        await asyncio.to_thread(structlog.get_logger().info, "half done")


async def test_lines_of_a_step_say_what_it_works_on() -> None:
    """Its end too, with its duration; the next step of the worker does not inherit it."""
    document = uuid.uuid4().hex
    edge = ActivityEdge().intercept_activity(_Step())
    input = ExecuteActivityInput(
        fn=_Step.execute_activity, args=[PauseInput(document_id=document, version=3, paused=True)], executor=None,
        headers={},
    )  # fmt: skip
    processors = [structlog.contextvars.merge_contextvars]
    with capture_logs(processors=processors) as lines:
        await ActivityEnvironment().run(edge.execute_activity, input)
        structlog.get_logger().info("outside")
    half, done, outside = lines
    assert half["document_id"] == done["document_id"] == document
    assert (half["event"], half["version"], done["event"]) == ("half done", 3, "step done")
    assert done["seconds"] >= 0
    assert done["outcome"] == "done"
    assert "document_id" not in outside


def test_a_person_is_named_in_lines_only() -> None:
    """What leaves with the spans of a step is ids: traces may go to a service elsewhere."""
    ids = {"knowledge_base_id": "0" * 32, "document_id": "1" * 32}
    job = DeleteJob(**ids, knowledge_base="handbook", document_name="salaries.pdf", actor="ann")
    with structlog.contextvars.bound_contextvars():
        assert describe(job) == ids
        assert structlog.contextvars.get_contextvars() == {**ids, "actor": "ann"}
        structlog.contextvars.clear_contextvars()
