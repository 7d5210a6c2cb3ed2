"""A plain client of the real server, and the environment that the server runs in."""

import os
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tritonclient.grpc.aio import InferenceServerClient

ROOT = Path(__file__).resolve().parents[2]

TritonPython = Callable[..., str]


@pytest.fixture
async def client(triton_url: str) -> AsyncIterator[InferenceServerClient]:
    """A client for each test: its channel belongs to the test's event loop."""
    async with InferenceServerClient(triton_url) as client:
        yield client


@pytest.fixture(scope="session")
def triton_python() -> TritonPython:
    """Run a script with the serving environment's Python; returns its output."""
    return _python(ROOT / os.environ.get("HOLDFAST_TRITON_VENV", ".venv-triton"))


@pytest.fixture(scope="session")
def torch_venv() -> Path:
    """The environment with PyTorch, of which the serving environment is a part."""
    venv = ROOT / ".venv-torch"
    if not (venv / ".installed").is_file() and "CI" not in os.environ:
        pytest.skip("PyTorch for tests is not installed: `make test` does")
    return venv


@pytest.fixture(scope="session")
def torch_python(torch_venv: Path) -> TritonPython:
    """The same with PyTorch, and with the bundled model's weights for it."""
    run = _python(torch_venv)
    run("triton_models/prepare.py")
    return run


def _python(venv: Path) -> TritonPython:
    def run(*arguments: str, text: str = "", **environment: str) -> str:
        done = subprocess.run(
            [str(venv / "bin" / "python"), "-W", "ignore", *arguments],
            check=False, input=text, capture_output=True, text=True, env={**os.environ, **environment}, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
