"""Traces: each span is told once, and within the right one, though every task replays its run and a worker is killed.

An API process and workers of their own, with the Triton and the Milvus of the platform that tests share.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client

from activities.runtime.temporal import connect, describe
from activities.settings import Settings, TemporalSettings, load
from activities.stores.catalog.migrate import upgrade
from api.http.auth import first_key
from api.stack.probes import http_ready, temporal_ready
from tests.collector import Collector, Tree, collecting, tree
from tests.conftest import Platform, assert_eventually, finished
from tests.ports import free_port

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
ASKED = "How many days of annual leave may be carried over?"


UPLOAD = """
POST /api/v1/knowledge-bases/{kb}/documents
  invoke_workflow IngestDocument
    embed
      create_collection kb_g1
      embeddings multilingual-e5-small
      query kb_g1
      upsert kb_g1
    parse
"""

QUESTION = """
POST /api/v1/knowledge-bases/{kb}/questions
  invoke_workflow AnswerQuestion
    answer
      embeddings multilingual-e5-small
      stream
    record_answer
    retrieve
      embeddings multilingual-e5-small
      search kb_g1
      search kb_g1
"""

REINDEX = """
POST /api/v1/knowledge-bases/{kb}/reindex
  invoke_workflow ReindexKnowledgeBase
    begin_generation
    documents_to_build
    embed
      create_collection kb_g2
      query kb_g2
      upsert kb_g2
    parse
    plan_reindex
    record_reindex
    retire_generation
      drop_collection kb_g1
      query kb_g1
      query kb_g1
    switch_generation
    verify_generation
      embeddings multilingual-e5-small
      embeddings multilingual-e5-small
      embeddings multilingual-e5-small
      query kb_g2
      search kb_g1
      search kb_g1
      search kb_g2
      search kb_g2
      search kb_g2
"""


#: Steps of a re-index that are repeated as often as there is something to record, or left to build: shown once.
REPEATED = ("record_reindex", "documents_to_build")

#: A worker asks once which Milvus serves, in whichever step is the first to search.
CONNECTS = "list_collections"


class Gate:
    """Passes connections on to Triton, and holds back what is sent to it while it is shut."""

    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.partition(":")
        self._passing: set[asyncio.Future[Any]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.holds = asyncio.Event()

    def shut(self) -> None:
        """Hold back what comes."""
        self._open.clear()
        self.holds.clear()

    def open(self) -> None:
        """Pass on what comes."""
        self._open.set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Its address."""
        server = await asyncio.start_server(self._connected, "127.0.0.1")
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        await asyncio.gather(*self._passing)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(self._host, int(self._port))
        passing = asyncio.gather(self._pass(reader, to_writer, holds=True), self._pass(to_reader, writer, holds=False))
        self._passing.add(passing)
        await passing

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, holds: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                if holds and not self._open.is_set():
                    self.holds.set()
                    await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@dataclass
class Site:
    """The processes of the test, and what they export."""

    environ: dict[str, str]
    log: Path
    gate: Gate
    collector: Collector
    worker: subprocess.Popen[bytes] | None = None

    def start(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a process."""
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", *command], env=self.environ | more, stdout=output, stderr=output
            )

    def start_worker(self) -> None:
        """A worker of all queues that keeps no run in memory, and asks Triton through the gate."""
        self.worker = self.start("tests.workflows.uncached_worker")

    def kill_worker(self) -> None:
        """As ``kill -9`` does."""
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()

    def lines(self) -> list[dict[str, Any]]:
        """What the processes logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def has_told(self, request_id: str, name: str) -> bool:
        """Whether a span of a request's trace has been exported, although those around it go on."""
        return name in [span.name for span in self.collector.trace(request_id)]

    async def is_complete(self) -> bool:
        """Whether no exported span lacks its parent."""
        return not self.collector.orphans()

    async def trace(self, request_id: str, workflow: str) -> list[Span]:
        """The spans of a request's trace, once the run that it asked for has ended."""

        async def check() -> list[Span]:
            spans = self.collector.trace(request_id)
            return spans if any(span.name == f"invoke_workflow {workflow}" for span in spans) else []

        return await assert_eventually(check, 60)


@pytest.fixture(scope="module")
async def site(
    platform: Platform, dev_server: TemporalSettings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """A running API and worker."""
    folder, gate = tmp_path_factory.mktemp("traces"), Gate(platform.settings.triton.address)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    with collecting() as collector:
        async with gate.listening() as triton:
            environ = kept | {
                "HOLDFAST_DATA": str(folder),
                "HOLDFAST_API_PORT": str(free_port()),
                "HOLDFAST_TEMPORAL_ADDRESS": dev_server.address,
                "HOLDFAST_TRITON_ADDRESS": triton,
                "HOLDFAST_MILVUS_URI": platform.settings.milvus.uri,
                "HOLDFAST_TRACING_ENDPOINT": collector.url,
                "HOLDFAST_LOG_FORMAT": "json",
            }
            settings = load({name: value for name, value in environ.items() if name.startswith("HOLDFAST_")})
            await upgrade(settings)
            site = Site(environ, folder / "log", gate, collector)
            await assert_eventually(lambda: temporal_ready(Settings(temporal=dev_server)))
            api = site.start("api.app", HOLDFAST_TRITON_ADDRESS=platform.settings.triton.address)
            site.start_worker()
            try:
                await assert_eventually(lambda: http_ready(f"{settings.api_url}/health/live"), step=0.05)
                yield site
            finally:
                for process in (api, site.worker):
                    if process is not None:
                        process.send_signal(signal.SIGTERM)
                        process.wait(20)


@pytest.fixture
async def api(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this API."""
    settings = load({name: value for name, value in site.environ.items() if name.startswith("HOLDFAST_")})
    key = await first_key(settings)
    async with httpx.AsyncClient(
        base_url=f"{settings.api_url}/api/v1",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
        trust_env=False,
    ) as client:
        yield client


async def upload(api: httpx.AsyncClient, kb: str, name: str) -> httpx.Response:
    """The answer to an upload of a document."""
    return await api.post(f"/knowledge-bases/{kb}/documents", files=[("files", (name, LEAVE.encode()))])


def job_of(answer: httpx.Response) -> dict[str, Any]:
    """What was asked for: a document, a question or a re-index."""
    job: dict[str, Any] = answer.json()
    return job["documents"][0] if "documents" in job else job


def shown(trees: tuple[Tree, ...], indent: str = "") -> Iterator[str]:
    """One line for each span, or for several of a step that is repeated."""
    before = ""
    for name, within in trees:
        if name == before and name in REPEATED:
            continue
        before = name
        yield indent + name
        yield from shown(within, indent + "  ")


async def embeds(temporal: Client, workflow_id: str) -> bool:
    """Whether a run is at the step that embeds."""
    found = await describe(temporal, workflow_id)
    pending = found.raw_description.pending_activities if found else ()
    started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    return any((each.activity_type.name, each.state) == ("embed", started) for each in pending)


@pytest.mark.long
async def test_each_span_is_told_once_and_in_its_place(
    site: Site, api: httpx.AsyncClient, dev_server: TemporalSettings
) -> None:
    """An upload, a question and a re-index, whose worker is killed while all three wait for Triton."""
    for kb in ("one", "two"):
        await api.post("/knowledge-bases", json={"name": kb})
    for job in [job_of(await upload(api, kb, "leave.txt")) for kb in ("one", "two")]:
        assert (await finished(api, job["id"]))["state"] == "ready"

    site.gate.shut()
    uploaded = await upload(api, "one", "more.txt")
    asked = await api.post("/knowledge-bases/one/questions", json={"question": ASKED})
    reindex = await api.post("/knowledge-bases/two/reindex", json={"chunking": {"max_tokens": 100}, "soak_seconds": 5})
    temporal = await connect(dev_server)
    for answer in (uploaded, reindex):
        await assert_eventually(partial(embeds, temporal, job_of(answer)["workflow_id"]), step=0.05)
        await assert_eventually(partial(site.has_told, answer.headers["X-Request-Id"], "parse"), step=0.05)
    await asyncio.wait_for(site.gate.holds.wait(), 20)
    site.kill_worker()
    site.gate.open()
    site.start_worker()

    for answer, workflow, expected in (
        (uploaded, "IngestDocument", UPLOAD),
        (asked, "AnswerQuestion", QUESTION),
        (reindex, "ReindexKnowledgeBase", REINDEX),
    ):
        request_id = answer.headers["X-Request-Id"]
        spans = [span for span in await site.trace(request_id, workflow) if span.name != CONNECTS]
        assert "\n".join(shown(tree(spans))) == expected.strip()
        workflow_id = job_of(answer)["workflow_id"]
        steps = [line for line in site.lines() if line["event"] == "step done" and line["workflow_id"] == workflow_id]
        assert len(steps) >= 2
        assert {(line["request_id"], line["trace_id"]) for line in steps} == {(request_id, spans[0].trace_id.hex())}
    assert site.collector.duplicates() == []
    await assert_eventually(site.is_complete)  # nor are there orphans, once runs of schedules have ended
    told = b"".join(span.SerializeToString() for span in site.collector.spans)
    assert not any(text in told for text in (b"annual", b"leave", b"more.txt"))
