"""The retrievers of docs/examples, with the unmodified packages that they are for.

Those need other versions of what the platform has (LangChain: uuid-utils before 1), so they have an environment of
their own, which is made once and kept in a cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import Platform, ready
from tests.ports import free_port

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "docs" / "examples"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "holdfast-tests"
INSTALL_SECONDS = 280

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
QUESTION = "How many days of unused leave can be carried over?"


def test_the_examples_compile() -> None:
    """With this version of Python, and each has a program that runs it below."""
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {"langchain_retriever", "llamaindex_retriever"}
    for path in EXAMPLES.glob("*.py"):
        compile(path.read_text(), path, "exec")


@pytest.fixture(scope="module")
def python() -> Path:
    """Python with LangChain and LlamaIndex."""
    needed = HERE / "requirements.txt"
    key = hashlib.sha256(needed.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = CACHE / f"examples-{key}"
    program = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*install, "-r", str(needed)], check=True, timeout=INSTALL_SECONDS)
        (folder / "complete").touch()
    return program


@pytest.mark.endurance
@pytest.mark.parametrize("name", ["langchain", "llamaindex"])
async def test_a_retriever_finds_passages(
    api: httpx.AsyncClient, platform: Platform, kb: str, python: Path, name: str
) -> None:
    """Also asynchronously, and narrowed down; with what a citation needs, and errors that say what to do."""
    await ready(api, kb, ("leave.txt", LEAVE.encode()))
    nowhere = f"http://127.0.0.1:{free_port()}"
    arguments = [str(HERE / "run.py"), name, platform.url, platform.key, kb, QUESTION, nowhere]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(EXAMPLES), "HOME": os.environ.get("HOME", "/tmp")}
    done = subprocess.run([str(python), *arguments], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    (sync,), (asynchronous,) = result["found"]
    assert sync == asynchronous
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": QUESTION})).json()["hits"]
    id, text, metadata = sync
    assert (id, text) == (hits[0]["chunk_id"], LEAVE)
    assert metadata["url"] == f"{platform.url}/#/kb/{kb}/documents?search=leave.txt"
    assert (metadata["document_id"], metadata["version"]) == (hits[0]["document_id"], 1)
    assert "leave.txt" in (metadata.get("source"), metadata.get("file_name"))
    assert result["narrowed"] == 0
    unknown, wrong, unreachable = result["errors"]
    assert "There is no knowledge base" in unknown
    assert "key" in wrong
    assert nowhere in unreachable
