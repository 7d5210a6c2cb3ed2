"""Start tritonserver on this model repository: `python triton_models/serve.py --grpc-port 8001`.

The process becomes tritonserver (same pid), so a supervisor's signals reach it. Options that are not
listed here are passed to tritonserver unchanged, e.g. `--log-verbose=1` or `--load-model=another`.
"""

import argparse
import os
import secrets
import sys
import sysconfig
from pathlib import Path

import model_files
import prepare

REPOSITORY = Path(__file__).resolve().parent
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- Linux's fixed location of shared memory
PREFIX = "holdfast_"


def arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The parsed options of this script, and the remaining arguments for tritonserver."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--grpc-port", type=int, default=8001, help="default: %(default)s")
    parser.add_argument("--http-port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--metrics-port", type=int, default=8002, help="default: %(default)s")
    return parser.parse_known_args(argv)


def command(options: argparse.Namespace, others: list[str]) -> list[str]:
    """The command line of tritonserver."""
    region = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}_"
    return [
        str(prepare.pytriton_folder() / "bin" / "tritonserver"),
        f"--model-repository={REPOSITORY}",
        f"--backend-directory={prepare.backend_folder()}",
        # A unique name, so that two servers on one machine do not share memory by accident.
        f"--backend-config=python,shm-region-prefix-name={region}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in model_files.served_models()),
        *(f"--{kind}-address={options.host}" for kind in ("grpc", "http", "metrics")),
        f"--grpc-port={options.grpc_port}",
        f"--http-port={options.http_port}",
        f"--metrics-port={options.metrics_port}",
        f"--allow-gpu-metrics={str(model_files.cuda_usable()).lower()}",
        "--exit-timeout-secs=5",
        "--log-info=false",
        "--log-warning=false",
        *others,
    ]


def environment() -> dict[str, str]:
    """The process environment in which the embedded Python finds this virtual environment.

    The stub ignores PYTHONPATH; it locates its packages through the first python3 on PATH.
    """
    venv = Path(sys.prefix)
    libraries = prepare.pytriton_folder().parents[1] / "nvidia_pytriton.libs"
    paths = [str(libraries), str(sysconfig.get_config_var("LIBDIR")), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        **os.environ,
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(venv),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "true",
    }


def remove_leftovers() -> None:
    """Frees the shared memory of killed servers; region names contain the server's pid."""
    for region in SHARED_MEMORY.glob(f"{PREFIX}*"):
        pid = region.name.removeprefix(PREFIX).partition("_")[0]
        if not Path("/proc", pid).exists():
            region.unlink(missing_ok=True)


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
    os.execve(line[0], line, environment())  # noqa: S606 -- becoming the server is the point


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
