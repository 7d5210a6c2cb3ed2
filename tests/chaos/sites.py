"""What a chaos run is let loose on: one platform, or two of one installation that share every store."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.conftest import Platform, running_platform
from tests.postgresql import running_postgresql
from tests.s3 import serving_s3

WORKERS = ("worker-interactive", "worker-cpu", "worker-bulk")
DEPENDENCIES = ("temporal", "milvus", "triton")
LOGS = {"HOLDFAST_LOG_LEVEL": "debug", "HOLDFAST_LOG_FORMAT": "json"}


@dataclass(frozen=True)
class Part:
    """A process that can be killed or frozen; ``platform`` is the number of the platform that runs it."""

    platform: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} {'AB'[self.platform]}"


@dataclass(frozen=True)
class Site:
    """Platforms that share Temporal, Milvus, Triton, catalogue and blobs; ``postgres`` is the catalogue's server."""

    platforms: tuple[Platform, ...]
    postgres: int | None = None

    @property
    def parts(self) -> list[Part]:
        """Everything that may be killed: each kind of process, and of the second platform what is not shared."""
        own = (*WORKERS, "api")
        return [Part(0, name) for name in (*DEPENDENCIES, *own)] + [
            Part(number, name) for number in range(1, len(self.platforms)) for name in own
        ]

    @property
    def freezable(self) -> list[str]:
        """The servers that may be frozen."""
        return [*DEPENDENCIES, *(("postgres",) if self.postgres else ())]

    def kill(self, part: Part, by: signal.Signals = signal.SIGKILL) -> None:
        """Raises ProcessLookupError while the part does not run."""
        os.kill(self.platforms[part.platform].pid_of(part.name), by)

    @contextmanager
    def frozen(self, server: str) -> Iterator[None]:
        """Stop a server with all its processes for as long as the block lasts. Raises ProcessLookupError."""
        pid = self.postgres if server == "postgres" and self.postgres else self.platforms[0].pid_of(server)
        try:
            # The parent first, so that it starts no further ones.
            root = psutil.Process(pid)
            root.suspend()
            stopped = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess as exc:
            raise ProcessLookupError(server) from exc
        for process in stopped[1:]:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


@contextmanager
def single(folder: Path) -> Iterator[Site]:
    """One platform on SQLite."""
    with running_platform(folder, **LOGS) as platform:
        yield Site((platform,))


@contextmanager
def pair(folder: Path, blobs: str = "") -> Iterator[Site]:
    """Two APIs and two sets of workers on one PostgreSQL; the servers are those of the first platform."""
    first, second = folder / "a", folder / "b"
    first.mkdir()
    second.mkdir()
    with running_postgresql() as server:
        shared = LOGS | {
            "HOLDFAST_CATALOG_URL": server.create("chaos"),
            "HOLDFAST_BLOBS_URL": blobs or (folder / "blobs").as_uri(),
        }
        with running_platform(first, **shared) as a:
            servers = {
                name: a.environ[name]
                for name in (
                    "HOLDFAST_TEMPORAL_ADDRESS",
                    "HOLDFAST_TEMPORAL_UI_URL",
                    "HOLDFAST_MILVUS_URI",
                    "HOLDFAST_TRITON_ADDRESS",
                    "HOLDFAST_TRITON_METRICS_PORT",
                )
            }
            servers["HOLDFAST_API_KEY"] = a.key
            servers["HOLDFAST_PAYLOAD_KEYS"] = str(a.settings.keys_file)
            without = [argument for name in DEPENDENCIES for argument in ("--without", name)]
            with running_platform(second, *without, **(shared | servers)) as b:
                yield Site((a, b), server.pid)


@contextmanager
def spread(folder: Path) -> Iterator[Site]:
    """The same with its blobs on a server of S3: nothing of the installation is in a file of one machine."""
    with serving_s3() as bucket, pair(folder, f"s3://{bucket.name}") as site:
        yield site
