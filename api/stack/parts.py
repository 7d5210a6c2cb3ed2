"""The parts of the embedded platform: command, environment, address and readiness of each."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from activities.settings import PREFIX, Settings, TemporalEnvironment, is_temporal_variable, variables
from api.stack.ports import LOCAL_HOSTS, WORKERS, Port, address_of, ip, metrics_ports
from api.stack.probes import SEARCH_ATTRIBUTES, http_ready, port_open, temporal_ready, triton_ready
from api.stack.supervisor import Child

ROOT = Path(__file__).resolve().parents[2]

LOOPBACK = frozenset({"127.0.0.1", "::1"})

#: Variables of the shell that programs of others get; names that end with ``_`` are prefixes. Anything else in it, such
#: as keys of an object store, stays with Holdfast's own processes.
FOREIGN = ("HOME", "LANG", "LC_", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TZ", "USER")

#: Further ones of Triton: access to the model hub, and what decides on devices, threads and memory.
FOREIGN_TRITON = (
    *("HF_", "XDG_CACHE_HOME", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_", "MALLOC_"),
)

# The first four make priority and fairness exact. The rate limits are meant for shared clusters and would throttle the
# platform's own bulk work. The time shift is by how much timers may be late: retries, timeouts and waits take up to a
# second longer by default. The update interval is how soon the server records that a finished run's tasks are done: its
# history cannot be deleted before. The next two bound the number of readers of one question's stream. The last
# but one closes the HTTP API, which nothing here uses and which obeys any web page that is open on this machine. The
# last one: the server asks its makers for news of its version otherwise.
TEMPORAL_CONFIG = {
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    "matching.useNewMatcher": "true",
    "matching.enableFairness": "true",
    "frontend.rps": 100_000,
    "frontend.namespaceRPS": 100_000,
    "frontend.namespaceRPS.visibility": 1_000,
    "frontend.namespaceCount": 10_000,
    "frontend.persistenceMaxQPS": 100_000,
    "history.rps": 100_000,
    "history.persistenceMaxQPS": 100_000,
    "matching.rps": 100_000,
    "matching.persistenceMaxQPS": 100_000,
    "system.visibilityPersistenceMaxReadQPS": 100_000,
    "system.visibilityPersistenceMaxWriteQPS": 100_000,
    "history.timerProcessorMaxTimeShift": '"50ms"',
    "history.transferProcessorUpdateAckInterval": '"5s"',
    "history.maxInFlightUpdates": 1_000,
    "history.maxTotalUpdates": 100_000,
    "frontend.httpAllowedHosts": '["closed.invalid"]',
    "frontend.enableServerVersionCheck": "false",
}


#: Folder of temporary files in the data folder; emptied before the parts start.
SCRATCH = "tmp"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the platform and the requirements for starting it."""

    child: Child
    address: str = ""
    local: bool = True
    """Whether it runs on this machine; if not, `holdfast up` waits for it and does not start it."""
    dependency: bool = False
    ports: tuple[Port, ...] = ()
    """Each port that it listens on."""
    requires: tuple[Path, ...] = ()

    def is_called(self, names: tuple[str, ...]) -> bool:
        """Whether one of the names matches this part; ``worker`` matches all workers."""
        return any(self.child.name == name or self.child.name.startswith(f"{name}-") for name in names)


def all_parts(settings: Settings) -> list[Part]:
    """Every part, dependencies first."""
    settings = of_this_machine(settings)
    workers = [_worker(settings, name) for name in WORKERS]
    return [_temporal(settings), _milvus(settings), _triton(settings), *workers, _api(settings)]


def of_this_machine(settings: Settings) -> Settings:
    """Settings of ``holdfast up``: TEMPORAL_ variables apply only to a remote HOLDFAST_TEMPORAL_ADDRESS.

    A Temporal on this machine is the embedded one, which needs none of them. A shell's variables for another cluster
    (address, TLS, API key) must not reach it or any other part. Raises SettingsError.
    """
    host, _ = address_of(settings.temporal.address)
    if host in LOCAL_HOSTS or not settings.temporal.environment.variables:
        found, namespace = {}, settings.temporal.namespace
    else:
        namespace = settings.temporal.connection()["namespace"]
        found = settings.temporal.environment.variables | {"TEMPORAL_NAMESPACE": namespace}
    temporal = msgspec.structs.replace(settings.temporal, namespace=namespace, environment=TemporalEnvironment(found))
    return msgspec.structs.replace(settings, temporal=temporal)


def environment(
    settings: Settings, base: Mapping[str, str], sections: tuple[str, ...] = (), foreign: tuple[str, ...] = FOREIGN
) -> dict[str, str]:
    """The environment of a child, from which it loads exactly these settings.

    With ``sections`` it is that of a program of others: these sections, and of ``base`` the variables in ``foreign``.

    It always holds the absolute data folder, because relative paths and the marker of leftover processes depend on it.
    Temporary files go to ``SCRATCH`` in it, so that those of killed processes are removed.
    """
    env = {key: value for key, value in base.items() if not key.startswith(PREFIX) and not is_temporal_variable(key)}
    if sections:
        prefixes = tuple(name for name in foreign if name.endswith("_"))
        env = {key: value for key, value in env.items() if key in foreign or key.startswith(prefixes)}
    if not sections:
        env |= settings.temporal.environment.variables
    for name, path in variables().items():
        value: object = settings
        for field in path:
            value = getattr(value, field)
        if value == "" or path[0] in ("url", "api_key") or (sections and path[0] not in sections):
            continue
        env[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return env | {"HOLDFAST_DATA": str(settings.data_dir), "TMPDIR": str(settings.data_dir / SCRATCH)}


def local_url(settings: Settings) -> str:
    """The address of this machine's API, regardless of HOLDFAST_URL."""
    return msgspec.structs.replace(settings, url="").api_url


#: Probes of Triton that may fail in a row: a machine that is very busy, or suspended, fails a few.
FAILED_PROBES = 5

#: GOGC of Temporal in percent: spends memory to save CPU time on garbage collection.
TEMPORAL_GOGC = "400"

# --- the parts -------------------------------------------------------------------------------------


def _temporal(settings: Settings) -> Part:
    host, port = address_of(settings.temporal.address)
    ui = urlsplit(settings.temporal.ui_url)
    ui_port = ui.port if ui.hostname in LOCAL_HOSTS and ui.port else port + 1000
    binary = Path(sys.executable).parent / "temporal"
    argv = [str(binary), "server", "start-dev", "--ip", ip(host), "--port", str(port), "--log-level", "warn"]
    argv += [
        "--db-filename",
        str(settings.data_dir / "temporal.db"),
        "--namespace",
        settings.temporal.namespace,
    ]
    argv += ["--ui-port", str(ui_port), "--ui-disable-news-fetch"]
    argv += ["--ui-codec-endpoint", f"{local_url(settings)}/codec"]  # browsers ask it for what is encrypted
    argv += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    for key, value in TEMPORAL_CONFIG.items():
        argv += ["--dynamic-config-value", f"{key}={value}"]
    for name in SEARCH_ATTRIBUTES:
        argv += ["--search-attribute", f"{name}=Keyword"]
    env = {"GOGC": TEMPORAL_GOGC} | environment(settings, os.environ, ("data",))
    return Part(
        child=_child("temporal", argv, env, lambda: temporal_ready(settings)),
        address=settings.temporal.address,
        local=host in LOCAL_HOSTS,
        dependency=True,
        ports=(
            Port("temporal", ip(host), port, "HOLDFAST_TEMPORAL_ADDRESS"),
            Port("temporal", ip(host), ui_port, "HOLDFAST_TEMPORAL_UI_URL"),
        ),
        requires=(binary,),
    )


def _milvus(settings: Settings) -> Part:
    uri = urlsplit(settings.milvus.uri)
    host, port = uri.hostname or "127.0.0.1", uri.port or 19530
    # Located without an import: the package requires a setuptools that is no longer available.
    spec = importlib.util.find_spec("milvus_lite")
    folder = Path(spec.origin).parent / "lib" if spec and spec.origin else Path("milvus_lite") / "lib"
    argv = [str(folder / "milvus"), str(settings.data_dir / "milvus.db"), f"{ip(host)}:{port}", "ERROR"]
    env = environment(settings, os.environ, ("data",)) | {"LD_LIBRARY_PATH": str(folder)}
    return Part(
        child=_child("milvus", argv, env, lambda: port_open(host, port)),
        address=f"{host}:{port}",
        local=host in LOCAL_HOSTS,
        dependency=True,
        ports=(Port("milvus", ip(host), port, "HOLDFAST_MILVUS_URI"),),
        requires=(folder / "milvus",),
    )


def _triton(settings: Settings) -> Part:
    host, port = address_of(settings.triton.address)
    python = ROOT / Path(settings.triton.venv).expanduser() / "bin" / "python"
    serve = ROOT / "triton_models" / "serve.py"
    metrics = settings.triton.metrics_port
    argv = [str(python), str(serve), "--host", ip(host), "--grpc-port", str(port)]
    argv += ["--metrics-port", str(metrics)]
    sections = ("data", "triton", "embed", "generate", "rerank")
    env = environment(settings, os.environ, sections, FOREIGN + FOREIGN_TRITON)
    child = _child("triton", argv, env, lambda: triton_ready(settings), start_seconds=900, stop_seconds=20)
    return Part(
        # It depends on no other part, and a model that is no longer ready does not come back by itself.
        child=replace(child, failed_probes=FAILED_PROBES),
        address=settings.triton.address,
        local=host in LOCAL_HOSTS,
        dependency=True,
        ports=(
            Port("triton", ip(host), port, "HOLDFAST_TRITON_ADDRESS"),
            Port("triton", ip(host), metrics, "HOLDFAST_TRITON_METRICS_PORT"),
        ),
        requires=(python, serve),
    )


def _worker(settings: Settings, name: str) -> Part:
    file = settings.data_dir / "run" / f"{name}.ready"
    argv = [sys.executable, "-m", "workflows.worker", "--ready-file", str(file)]
    for queue in WORKERS[name]:
        argv += ["--queue", queue]
    shown = metrics_ports(settings.metrics.host, settings.metrics.port if settings.metrics.token else 0)
    ports = tuple(port for port in shown if port.part == name)

    async def ready() -> bool:
        return file.exists()

    env = _python_env(settings) | {"HOLDFAST_METRICS_PORT": str(ports[0].port if ports else 0)}
    return Part(child=_child(name, argv, env, ready, stale=(file,), stop_seconds=20), ports=ports)


def _api(settings: Settings) -> Part:
    return Part(
        child=_child(
            "api",
            [sys.executable, "-m", "api.app"],
            _python_env(settings),
            lambda: http_ready(f"{local_url(settings)}/health/ready"),
        ),
        address=local_url(settings),
        ports=(Port("api", settings.api.host, settings.api.port, "HOLDFAST_API_PORT"),),
    )


def _child(
    name: str,
    argv: list[str],
    env: Mapping[str, str],
    ready: Callable[[], Awaitable[bool]],
    *,
    start_seconds: float = 120,
    stop_seconds: float = 10,
    stale: tuple[Path, ...] = (),
) -> Child:
    return Child(
        name=name,
        argv=tuple(argv),
        env=env,
        ready=ready,
        start_seconds=start_seconds,
        stop_seconds=stop_seconds,
        stale=stale,
    )


def _python_env(settings: Settings) -> dict[str, str]:
    """Environment of Python processes: imports this code from any folder, and does not buffer logs."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return environment(settings, os.environ) | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
