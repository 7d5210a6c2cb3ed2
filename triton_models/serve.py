"""Start tritonserver on this model repository: `python triton_models/serve.py --grpc-port 8001`.

The process becomes tritonserver (same pid), so a supervisor's signals reach it. Options that are not
listed here are passed to tritonserver unchanged, e.g. `--log-verbose=1` or `--load-model=another`.

Triton keeps a model whose process has died: its requests fail or wait for ever, and it counts as ready. A
small second process therefore ends the server in that case; whoever started it starts it anew.
"""

import argparse
import os
import secrets
import shutil
import signal
import sys
import sysconfig
import time
from importlib.util import find_spec
from pathlib import Path

import model_files
import prepare

REPOSITORY = Path(__file__).resolve().parent
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- Linux's fixed location of shared memory
PREFIX = "holdfast_"

PATIENCE = 5
"""Seconds that a process may have ended without the server's notice. It takes note of one that ends when a model is
unloaded, cannot be loaded or the server stops, on a busy machine not at once."""

CLOSED = ("metadata", "model-config", "model-repository", "shared-memory", "statistics", "trace", "logging")
"""Protocols that no client may use: only inference and health are open. Whoever may load a model runs code here.

`embed_loader` loads models that the settings name, and no others."""


def arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The parsed options of this script, and the remaining arguments for tritonserver."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--grpc-port", type=int, default=8001, help="default: %(default)s")
    parser.add_argument("--metrics-port", type=int, default=8002, help="default: %(default)s")
    return parser.parse_known_args(argv)


def command(options: argparse.Namespace, others: list[str]) -> list[str]:
    """The command line of tritonserver."""
    region = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}_"
    # A closed protocol asks for a header. A command line is readable by every account of the machine, so a secret value
    # alone would not do: the capital in the name makes it one that HTTP/2 cannot carry.
    key = f"Closed={secrets.token_urlsafe()}"
    return [
        str(tritonserver()),
        f"--model-repository={REPOSITORY}",
        f"--backend-directory={prepare.backend_folder()}",
        # A unique name, so that two servers on one machine do not share memory by accident.
        f"--backend-config=python,shm-region-prefix-name={region}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in model_files.served_models()),
        "--allow-http=false",
        f"--grpc-restricted-protocol={','.join(CLOSED)}:{key}",
        *(f"--{kind}-address={options.host}" for kind in ("grpc", "metrics")),
        f"--grpc-port={options.grpc_port}",
        f"--metrics-port={options.metrics_port}",
        f"--allow-gpu-metrics={str(model_files.cuda_usable()).lower()}",
        "--exit-timeout-secs=5",
        "--log-info=false",
        "--log-warning=false",
        *others,
    ]


def tritonserver() -> Path:
    """The server of the package nvidia-pytriton, or that of NVIDIA's image, where it is on PATH.

    Raises `ModelUnavailableError`.
    """
    installed = None if find_spec("pytriton") else shutil.which("tritonserver")
    return Path(installed) if installed else prepare.pytriton_folder() / "bin" / "tritonserver"


def environment() -> dict[str, str]:
    """The process environment in which the embedded Python finds this virtual environment.

    The stub ignores PYTHONPATH; it locates its packages through the first python3 on PATH.
    """
    venv = Path(sys.prefix)
    paths = [str(sysconfig.get_config_var("LIBDIR")), os.environ.get("LD_LIBRARY_PATH", "")]
    if find_spec("pytriton"):
        paths.insert(0, str(prepare.pytriton_folder().parents[1] / "nvidia_pytriton.libs"))
    return {
        **os.environ,
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(venv),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "true",
        "HOLDFAST_URGENCY_CLOCK": str(SHARED_MEMORY / f"{PREFIX}{os.getpid()}_urgency"),
    }


def remove_leftovers() -> None:
    """Frees the shared memory of killed servers; region names contain the server's pid."""
    for region in SHARED_MEMORY.glob(f"{PREFIX}*"):
        pid = region.name.removeprefix(PREFIX).partition("_")[0]
        if not Path("/proc", pid).exists():
            region.unlink(missing_ok=True)


def watch(server: int) -> None:
    """Ends the server when a process that it started has died; returns when the server has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    seen: dict[int, int] = {}
    while os.getppid() == server:
        time.sleep(1)
        seen = {child: seen.get(child, 0) + 1 for child in dead_children(server)}
        if PATIENCE in seen.values():
            print("error: the process of a model has died, so the server ends", file=sys.stderr, flush=True)
            os.kill(server, signal.SIGKILL)  # with requests in flight it would not obey SIGTERM


def dead_children(parent: int) -> set[int]:
    """Process ids of children that have ended and that the parent has not taken note of."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, ppid = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it ended meanwhile
            continue
        if state == "Z" and int(ppid) == parent:
            found.add(int(entry.name))
    return found


def main(argv: list[str]) -> int:  # noqa: RET503 -- execve does not return
    """Prepares what is missing, then becomes tritonserver. Returns, with 1, only when it cannot start."""
    options, others = arguments(argv)
    try:
        prepare.prepare(lambda line: print(line, flush=True))
        line = command(options, others)
    except model_files.ModelUnavailableError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    remove_leftovers()
    server = os.getpid()
    if os.fork() == 0:
        watch(server)
        os._exit(0)
    os.execve(line[0], line, environment())  # noqa: S606 -- becoming the server is the point


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
