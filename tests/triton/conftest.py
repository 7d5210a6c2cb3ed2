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
    """Run a script with the model repository's own Python; returns its output."""
    venv = Path(os.environ.get("HOLDFAST_TRITON_VENV", ROOT / ".venv-triton"))

    def run(*arguments: str, text: str = "", **environment: str) -> str:
        done = subprocess.run(
            [str(ROOT / venv / "bin" / "python"), "-W", "ignore", *arguments],
            check=False, input=text, capture_output=True, text=True, env={**os.environ, **environment}, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
