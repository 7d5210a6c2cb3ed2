"""The platform under test: real Temporal, Triton, Milvus, workers and API, on free ports, once for a session."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

# Tests start programs from processes with gRPC threads, where gRPC's fork handlers are not needed.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

import httpx
import pytest
from temporalio.client import Client

from activities.runtime.temporal import connect
from activities.settings import Settings, TemporalSettings, load
from activities.stores.catalog.migrate import upgrade
from activities.stores.triton import Triton
from api.client import local_env
from api.stack.parts import TEMPORAL_CONFIG
from api.stack.ports import WORKERS
from api.stack.probes import SEARCH_ATTRIBUTES, temporal_ready
from tests.ports import free_port, free_ports_in_a_row
from tests.postgresql import PostgreSQL, running_postgresql
from tests.s3 import serving_s3

ROOT = Path(__file__).resolve().parents[1]
LOG = "up.log"
LOG_LINES = 60
START_SECONDS = 180
WAIT_SECONDS = 150
"""A wait that takes longer counts as stuck, however busy the machine is."""

WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""Begins a command whose process ends when this one does, also when nothing is left to end it, or it is stopped."""

METRICS_TOKEN = "a-token-for-prometheus"

T = TypeVar("T")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--servers``: the same tests on the stores of a large site."""
    stores = "the catalogue of the shared platform is on PostgreSQL, and its files are on S3"
    parser.addoption("--servers", action="store_true", help=stores)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with a long test come first, so that only short ones remain to be distributed at the end."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the end of its platform's log: what died there, and why."""
    report = yield
    platform = getattr(item, "funcargs", {}).get("platform")
    if report.failed and isinstance(platform, Platform):
        lines = platform.log.read_text(errors="replace").splitlines()
        report.sections.append(("end of the platform's log", "\n".join(lines[-LOG_LINES:])))
    return report


@dataclass(frozen=True)
class Platform:
    """A running platform and the addresses of its parts."""

    environ: dict[str, str]
    settings: Settings
    key: str
    pid: int

    @property
    def log(self) -> Path:
        """What its processes printed."""
        return self.settings.data_dir / LOG

    @property
    def url(self) -> str:
        """Base URL of the API and the page."""
        return self.settings.api_url

    def pid_of(self, name: str) -> int:
        """Process id of a part (``worker-bulk``, ``api``, …) as the supervisor last recorded it.

        Raises ProcessLookupError while the part does not run.
        """
        pid = json.loads((self.settings.data_dir / "run" / "stack.json").read_text())[name]["pid"]
        if pid is None:
            raise ProcessLookupError(name)
        return int(pid)

    def holdfast(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the command line against this platform."""
        return subprocess.run(
            [sys.executable, "-m", "api.cli", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def _environ(data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return kept | {
        "HOLDFAST_DATA": str(data),
        "HOLDFAST_API_PORT": str(free_port()),
        "HOLDFAST_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
        "HOLDFAST_TEMPORAL_UI_URL": f"http://127.0.0.1:{free_port()}",
        "HOLDFAST_TRITON_ADDRESS": f"127.0.0.1:{free_port()}",
        "HOLDFAST_TRITON_METRICS_PORT": str(free_port()),
        "HOLDFAST_TRITON_VENV": str(ROOT / ".venv-triton"),
        "HOLDFAST_GENERATE_MAX_TOKENS": "60",  # enough to see it stream
        "HOLDFAST_MILVUS_URI": f"http://127.0.0.1:{free_port()}",
        "HOLDFAST_METRICS_TOKEN": METRICS_TOKEN,
        "HOLDFAST_METRICS_PORT": str(free_ports_in_a_row(len(WORKERS))),
        "HOLDFAST_SYNC_FOLDERS": str(data / "followed"),
        "HOLDFAST_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "HOLDFAST_API_REFUSALS_PER_MINUTE": "100000",  # every route without a key, for several tests
    }


@contextmanager
def running_platform(data: Path, *arguments: str, code: Path = ROOT, **more: str) -> Iterator[Platform]:
    """`holdfast up` in its own folder, on free ports; stopped at the end, and its exit status checked.

    ``arguments`` are those of the command, ``more`` its environment's. On a catalogue that has keys already, none is
    made: HOLDFAST_API_KEY then names one. ``code`` is the folder of another commit's code.

    In its own session too: its background work yields to its own answers, not to other tests.
    """
    environ = _environ(data) | more
    if code != ROOT:
        environ["PYTHONPATH"] = str(code)
    log = data / LOG
    with log.open("w") as output:
        process = subprocess.Popen(
            [*WITH_US, sys.executable, "-m", "api.cli", "up", "--json", *arguments],
            cwd=None if code == ROOT else code,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while '"web"' not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the platform did not start:\n{log.read_text()}")
        time.sleep(0.2)
    settings = load({name: value for name, value in environ.items() if name.startswith("HOLDFAST_")})
    try:
        key = more.get("HOLDFAST_API_KEY") or local_env.read(data)["HOLDFAST_API_KEY"]
        yield Platform(environ, settings, key, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(40)
    assert status == 0, log.read_text()


@contextmanager
def stores_on_servers(postgresql: PostgreSQL) -> Iterator[dict[str, str]]:
    """Settings of a platform with an empty catalogue on PostgreSQL, and an empty bucket on an S3 server."""
    with serving_s3() as bucket:
        catalog = postgresql.create(f"platform_{uuid.uuid4().hex}")
        yield {"HOLDFAST_CATALOG_URL": catalog, "HOLDFAST_BLOBS_URL": f"s3://{bucket.name}"}


@pytest.fixture(scope="session")
def stores_settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Where the platform that most tests share has its catalogue and its files; empty for the defaults."""
    if request.config.getoption("--servers"):
        with stores_on_servers(request.getfixturevalue("postgresql")) as settings:
            yield settings
    else:
        yield {}


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, stores_settings: dict[str, str]) -> Iterator[Platform]:
    """The platform that most tests share. Its Triton can load a second embedding model, and one that is broken."""
    models = tmp_path_factory.mktemp("models")
    python = ROOT / os.environ.get("HOLDFAST_TRITON_VENV", ".venv-triton") / "bin" / "python"
    subprocess.run([str(python), str(ROOT / "tests" / "triton" / "tiny_embedder.py"), str(models)], check=True)
    named = f"{models / 'tiny-96'},{models / 'broken'}"
    folder = tmp_path_factory.mktemp("platform")
    with running_platform(folder, HOLDFAST_EMBED_MODELS=named, **stores_settings) as found:
        yield found


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """The PostgreSQL server that tests share."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
async def postgresql_template(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database of this server with the catalogue's tables, to copy."""
    template, data = "holdfast_template", tmp_path_factory.mktemp("template")
    await upgrade(load({"HOLDFAST_DATA": str(data), "HOLDFAST_CATALOG_URL": postgresql.create(template)}))
    return template


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL, postgresql_template: str) -> Iterator[str]:
    """The URL of an empty catalogue on PostgreSQL, for one test."""
    database = f"catalog_{uuid.uuid4().hex}"
    yield postgresql.create(database, postgresql_template)
    postgresql.drop(database)


@pytest.fixture(scope="session")
def triton_url(platform: Platform) -> str:
    """host:port of Triton's gRPC endpoint."""
    return platform.settings.triton.address


@pytest.fixture
async def triton(triton_url: str) -> AsyncIterator[Triton]:
    """A client of the platform's Triton."""
    client = Triton(triton_url)
    yield client
    await client.close()


@pytest.fixture
async def api(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client with the administrator's key; paths are below ``/api/v1``."""
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(
        base_url=f"{platform.url}/api/v1", headers=headers, timeout=60, trust_env=False
    ) as client:
        yield client


@pytest.fixture
async def temporal(platform: Platform) -> Client:
    """A Temporal client with the platform's data converter."""
    return await connect(platform.settings.temporal)


@pytest.fixture(scope="module")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalSettings]:
    """A Temporal server without workers."""
    settings = TemporalSettings(address=f"127.0.0.1:{free_port()}")
    argv = [str(Path(sys.executable).parent / "temporal"), "server", "start-dev", "--headless", "--log-level", "error"]
    argv += [part for name in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{name}=Keyword")]
    timers = "history.timerProcessorMaxTimeShift"
    argv += ["--dynamic-config-value", f"{timers}={TEMPORAL_CONFIG[timers]}"]
    argv += ["--port", settings.address.rpartition(":")[2]]
    log = tmp_path_factory.mktemp("temporal") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    yield settings
    process.terminate()
    process.wait(20)


@pytest.fixture
async def temporal_server(dev_server: TemporalSettings) -> TemporalSettings:
    """Settings of the dev server, once it responds."""

    async def answers() -> bool:
        return await temporal_ready(Settings(temporal=dev_server))

    await assert_eventually(answers)
    return dev_server


@pytest.fixture
async def kb(api: httpx.AsyncClient) -> AsyncIterator[str]:
    """The name of a fresh knowledge base, deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    assert (await api.post("/knowledge-bases", json={"name": name})).status_code == 201
    yield name
    await api.delete(f"/knowledge-bases/{name}")


async def assert_eventually(
    check: Callable[[], Awaitable[T | None]], seconds: float = WAIT_SECONDS, step: float = 0.2
) -> T:
    """Wait until ``check`` returns a true value, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = await check()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {check}"
        await asyncio.sleep(step)


async def upload(
    api: httpx.AsyncClient, kb: str, *files: tuple[str, bytes], tags: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Upload files and return the accepted documents."""
    form = [("files", (name, content, "application/octet-stream")) for name, content in files]
    response = await api.post(f"/knowledge-bases/{kb}/documents", files=form, params={"tags": list(tags)})
    assert response.status_code == 202, response.text
    documents: list[dict[str, Any]] = response.json()["documents"]
    return documents


async def finished(api: httpx.AsyncClient, document_id: str, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
    """Wait until a document is ready, failed or canceled, and return it."""

    async def check() -> dict[str, Any] | None:
        document: dict[str, Any] = (await api.get(f"/documents/{document_id}")).json()
        return document if document["state"] in ("ready", "failed", "canceled") else None

    return await assert_eventually(check, seconds)


async def ready(api: httpx.AsyncClient, kb: str, *files: tuple[str, bytes]) -> list[dict[str, Any]]:
    """Upload files and wait until all are ready."""
    documents = [await finished(api, each["id"]) for each in await upload(api, kb, *files)]
    assert [document["state"] for document in documents] == ["ready"] * len(files), documents
    return documents


async def steps_of(temporal: Client, workflow_id: str) -> list[str]:
    """The activity types that a run has scheduled, in order."""
    history = await temporal.get_workflow_handle(workflow_id).fetch_history()
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def ask(api: httpx.AsyncClient, kb: str, question: str, **fields: Any) -> list[tuple[str, dict[str, Any]]]:
    """Ask a question and return its events, in order."""
    accepted = await api.post(f"/knowledge-bases/{kb}/questions", json={"question": question, **fields})
    assert accepted.status_code == 202, accepted.text
    return await events(api, accepted.json()["events_url"])


async def events(
    api: httpx.AsyncClient,
    url: str,
    last_event_id: str | None = None,
    so_far: list[tuple[str, dict[str, Any]]] | None = None,
) -> list[tuple[str, dict[str, Any]]]:
    """All events of a stream up to its end, which also come into ``so_far`` as they arrive."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    found = [] if so_far is None else so_far
    name = "message"
    async with api.stream("GET", url.removeprefix("/api/v1"), headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        async for line in response.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                found.append((name, json.loads(value)))
    return found
