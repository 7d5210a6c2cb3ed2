"""Triton asks llama.cpp's own OpenAI-compatible server, a real one, instead of running a language model itself."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from activities.answering.generation import GenerationPrefetch
from activities.errors import LanguageModelKeyRefused, LanguageModelUnavailable, TritonUnavailable
from activities.retrieval.passages import SourceTexts
from activities.settings import GenerateSettings
from activities.stores.triton import ChatMessage, Generated, Triton
from tests.conftest import assert_eventually
from tests.ports import free_port
from tests.triton.conftest import ROOT

PYTHON = str(ROOT / ".venv-triton" / "bin" / "python")
QUESTION = [ChatMessage("system", "You answer questions."), ChatMessage("user", "What is the capital of France?")]
LONG = {"max_tokens": 1500, "temperature": 0.9}


@dataclass
class Elsewhere:
    """A Triton, the server that it asks, and the file of the key."""

    triton: str
    host: str
    server: subprocess.Popen[str]
    key: str
    key_file: Path

    @property
    def name(self) -> str:
        """The model as records name it."""
        return f"small @ {self.host}"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """Both servers."""
    key, port = secrets.token_hex(8), free_port()
    key_file = tmp_path_factory.mktemp("endpoint") / "key"
    key_file.write_text(key)
    argv = [PYTHON, "tests/triton/llama_server.py", key]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        named = {"HOLDFAST_GENERATE_MODEL": f"{address}/v1#small", "HOLDFAST_GENERATE_API_KEY_FILE": str(key_file)}
        argv = [PYTHON, "triton_models/serve.py", "--grpc-port", str(port), "--metrics-port", str(free_port())]
        with (key_file.parent / "log").open("w") as log:
            triton = subprocess.Popen(argv, env=kept | named, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        host = address.removeprefix("http://")
        yield Elsewhere(f"127.0.0.1:{port}", host, server, key, key_file)
        triton.terminate()
        triton.wait(30)
        server.kill()
    assert key not in (key_file.parent / "log").read_text()


@pytest.fixture
async def asking(elsewhere: Elsewhere) -> AsyncIterator[Triton]:
    """A client of that Triton, once it is ready."""
    client = Triton(elsewhere.triton)

    async def ready() -> bool:
        try:
            await client.ping()
        except TritonUnavailable:
            return False
        return True

    await assert_eventually(ready)
    yield client
    await client.close()


async def test_an_answer_comes_in_pieces_and_names_its_model(elsewhere: Elsewhere, asking: Triton) -> None:
    """Through the tensors of any language model; with tokens as the server counts them."""
    endings: list[Generated] = []
    sampling: dict[str, object] = {"max_tokens": 20, "temperature": 0, "stop": ["\nQuestion:"]}
    pieces = [piece async for piece in asking.generate(QUESTION, sampling, endings.append)]
    assert len(pieces) > 3
    assert "Paris" in "".join(pieces)
    [ending] = endings
    assert (ending.model, ending.finish) == (elsewhere.name, "stop")
    assert (ending.prompt_tokens or 0) > 10
    assert 3 < (ending.tokens or 0) <= 20
    described = await asking.language_model()
    assert (described.name, described.error) == (elsewhere.name, None)


async def test_a_pending_answer_knows_that_it_was_cut(elsewhere: Elsewhere, asking: Triton) -> None:
    """Of a server's pieces nobody knows how many tokens they are: it says itself that it reached the limit."""
    found = SourceTexts(["Unused leave is lost on 31 March."], b"", "When is unused leave lost?")
    pending = await GenerationPrefetch(asking, GenerateSettings(max_tokens=4)).claim("q", found)
    async with pending.tokens as tokens:
        assert [piece async for piece in tokens]
    assert pending.is_cut
    assert (pending.ending.model, pending.ending.tokens) == (elsewhere.name, 4)


async def test_leaving_stops_the_server_elsewhere(asking: Triton) -> None:
    """It answers one at a time: if an answer of minutes went on, the next question would wait for it."""
    for _ in range(3):
        pieces = asking.generate(QUESTION, LONG)
        assert await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
    assert [piece async for piece in asking.generate(QUESTION, {"max_tokens": 2})]


async def test_another_key_and_a_server_that_is_gone(elsewhere: Elsewhere, asking: Triton) -> None:
    """A refused key is for an operator, whose new key needs no restart; a server that is gone is waited for."""
    elsewhere.key_file.write_text("wrong")
    with pytest.raises(LanguageModelKeyRefused, match="HTTP 401"):
        await anext(asking.generate(QUESTION, {}))
    elsewhere.key_file.write_text(elsewhere.key)
    assert [piece async for piece in asking.generate(QUESTION, {"max_tokens": 2})]
    elsewhere.server.kill()
    elsewhere.server.wait(10)
    with pytest.raises(LanguageModelUnavailable, match="cannot be reached"):
        await anext(asking.generate(QUESTION, {}))
