"""The platform to measure: one that the bench starts, or a running one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from activities.runtime.temporal import connect
from activities.settings import Settings, load
from activities.stores.connections import Stores
from api.client import local_env
from api.client.client import Api, Target
from tests.bench.measures import say
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 900
STOP_SECONDS = 60
ELSEWHERE = ("HOLDFAST_URL", "HOLDFAST_API_KEY", "HOLDFAST_CATALOG_URL", "HOLDFAST_BLOBS_URL", "HOLDFAST_MILVUS_TOKEN")
"""Settings that would point the bench's own platform at existing data."""


@dataclass(frozen=True)
class Instance:
    """Addresses of a platform, and its settings: the other side of a ratio uses the same servers.

    ``environ`` is that of its processes.
    """

    target: Target
    settings: Settings
    environ: dict[str, str]


@dataclass(frozen=True)
class Bench:
    """The clients that a bench uses."""

    api: Api
    stores: Stores
    temporal: Client
    settings: Settings
    target: Target
    environ: dict[str, str]

    def pids(self) -> dict[str, int]:
        """Process ids of its parts by name; empty if `holdfast up` does not run them in the data folder."""
        table = self.settings.data_dir / "run" / "stack.json"
        parts = json.loads(table.read_text()) if table.is_file() else {}
        return {name: int(part["pid"]) for name, part in parts.items()}


@asynccontextmanager
async def opened(instance: Instance) -> AsyncIterator[Bench]:
    """Connections to all of it."""
    async with Api(instance.target) as api, Stores.open(instance.settings) as stores:
        temporal = await connect(instance.settings.temporal)
        yield Bench(api, stores, temporal, instance.settings, instance.target, instance.environ)


@contextmanager
def own(**more: str) -> Iterator[Instance]:
    """`holdfast up` on free ports with a data folder that is removed afterwards, however the bench ends.

    ``more`` are further settings of it.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        environ = _environ(Path(folder)) | more
        with _up(environ, Path(folder) / "up.log"):
            known = local_env.read(Path(folder))
            yield Instance(Target(known["HOLDFAST_URL"], known["HOLDFAST_API_KEY"]), load(environ), environ)


def running(url: str, key: str) -> Instance:
    """The platform at ``url``, with its settings from the environment."""
    return Instance(Target(url.rstrip("/"), key), load(), dict(os.environ))


def _environ(folder: Path) -> dict[str, str]:
    """This process's environment (its model settings decide which model is measured), with free ports and folders."""
    ports = [free_port() for _ in range(6)]
    return {key: value for key, value in os.environ.items() if key not in ELSEWHERE} | {
        "HOLDFAST_DATA": str(folder),
        "HOLDFAST_API_PORT": str(ports[0]),
        "HOLDFAST_TEMPORAL_ADDRESS": f"127.0.0.1:{ports[1]}",
        "HOLDFAST_TEMPORAL_UI_URL": f"http://127.0.0.1:{ports[2]}",
        "HOLDFAST_MILVUS_URI": f"http://127.0.0.1:{ports[3]}",
        "HOLDFAST_TRITON_ADDRESS": f"127.0.0.1:{ports[4]}",
        "HOLDFAST_TRITON_METRICS_PORT": str(ports[5]),
    }


@contextmanager
def _up(environ: dict[str, str], log: Path) -> Iterator[None]:
    """The supervisor as a child in a session of its own, so that Ctrl-C reaches it once, from here."""
    command = [sys.executable, "-m", "api.cli", "up", "--json"]
    printed = log.with_suffix(".json")
    with log.open("w") as errors, printed.open("w") as places:
        child = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=places, stderr=errors, start_new_session=True)
    try:
        say("starting a platform …")
        _wait(child, printed, log)
        yield
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(child: subprocess.Popen[bytes], printed: Path, log: Path) -> None:
    """Wait until it has printed its places. Raises SystemExit with its last output."""
    began = time.monotonic()
    while time.monotonic() - began < START_SECONDS:
        try:
            places = json.loads(printed.read_text())
        except ValueError:
            if child.poll() is not None:
                break
            time.sleep(0.2)
            continue
        say(f"ready after {time.monotonic() - began:.0f} s: {places['web']}")
        return
    raise SystemExit(f"the platform did not start:\n{log.read_text()[-2000:]}")
