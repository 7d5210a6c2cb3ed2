"""The optional model `rerank`: served if configured, used by hybrid searches, and otherwise absent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from activities.contracts.addresses import PREFIX
from activities.errors import ModelError, TritonUnavailable
from activities.stores.triton import RERANK_BATCH, RERANK_MODEL, ChatMessage, Triton
from tests.conftest import Platform, finished, running_platform, upload
from tests.triton.conftest import ROOT, TritonPython

QUERY = "How much annual leave is carried over?"
TEXTS = [
    "Employees may carry over five days of unused annual leave into the next year.",
    "Backups of the database are encrypted and kept for ninety days.",
    "The visa fee is paid by the company once a year, annual reports are due in March.",
    "Leave that is not taken by the end of March is lost; nothing is carried over twice.",
    "x",
]
BUILDER = "tests/triton/tiny_reranker.py"


@dataclass(frozen=True)
class Reranking:
    """A platform with a rerank model, and reference scores by sentence-transformers."""

    platform: Platform
    expected: dict[str, float]


@pytest.fixture(scope="module")
def reranking(
    tmp_path_factory: pytest.TempPathFactory, torch_python: TritonPython, torch_venv: Path
) -> Iterator[Reranking]:
    """A platform of its own, with a rerank model of a few kilobytes and the PyTorch that runs it."""
    model = tmp_path_factory.mktemp("model") / "tiny"
    scores = json.loads(torch_python(BUILDER, str(model), "1", text=json.dumps([(QUERY, text) for text in TEXTS])))
    chosen = {"HOLDFAST_RERANK_MODEL": str(model), "HOLDFAST_TRITON_VENV": str(torch_venv)}
    with running_platform(tmp_path_factory.mktemp("reranking"), **chosen) as platform:
        yield Reranking(platform, dict(zip(TEXTS, scores, strict=True)))


@pytest.fixture
async def reranker(reranking: Reranking) -> AsyncIterator[Triton]:
    """A client of that platform's Triton."""
    triton = Triton(reranking.platform.settings.triton.address, reranks=True)
    yield triton
    await triton.close()


async def test_scores_equal_those_of_sentence_transformers(reranking: Reranking, reranker: Triton) -> None:
    """In the order of the texts, also over more than one request; no texts have no scores."""
    await reranker.ping()
    scores = await reranker.rerank(QUERY, TEXTS)
    assert scores == pytest.approx([reranking.expected[text] for text in TEXTS], abs=1e-5)
    assert len({round(score, 4) for score in scores}) == len(TEXTS)
    many = await reranker.rerank(QUERY, TEXTS * (RERANK_BATCH // 4))
    assert many == pytest.approx(scores * (RERANK_BATCH // 4), abs=1e-5)
    assert await reranker.rerank(QUERY, []) == []
    assert 0 <= (await reranker.rerank("问题" * 4000, ["很长的文字。" * 4000]))[0] <= 1


async def test_the_bundled_language_model_takes_memory_when_it_is_asked(reranking: Reranking, reranker: Triton) -> None:
    """It is ready from the start, and loaded for its first request; nobody has asked this platform's."""
    server = psutil.Process(reranking.platform.pid_of("triton"))

    def loaded() -> bool:
        family = [server, *server.children(recursive=True)]
        return any(".gguf" in Path(f"/proc/{each.pid}/maps").read_text() for each in family)

    await reranker.ping()
    assert not loaded()
    count = [ChatMessage("user", "Count: one, two, three,")]
    text = "".join([piece async for piece in reranker.generate(count, {"max_tokens": 8})])
    assert text
    assert loaded()


async def test_a_hybrid_search_is_in_its_order(reranking: Reranking) -> None:
    """Its scores are the hits' scores; other modes do not use it."""
    platform = reranking.platform
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(base_url=platform.url + PREFIX, headers=headers, timeout=60) as api:
        await api.post("/knowledge-bases", json={"name": "kb"})
        for job in await upload(api, "kb", *((f"{n}.txt", text.encode()) for n, text in enumerate(TEXTS))):
            await finished(api, job["id"])
        found = (await api.post("/knowledge-bases/kb/search", json={"query": QUERY})).json()["hits"]
        expected = sorted(TEXTS, key=lambda text: -reranking.expected[text])
        assert [hit["text"] for hit in found] == expected
        assert [hit["score"] for hit in found] == pytest.approx(
            [reranking.expected[text] for text in expected], abs=1e-5
        )
        found = (await api.post("/knowledge-bases/kb/search", json={"query": QUERY, "mode": "dense"})).json()["hits"]
        assert found[0]["score"] == 1
        two = (await api.post("/knowledge-bases/kb/search", json={"query": QUERY, "limit": 2})).json()["hits"]
        assert [hit["text"] for hit in two] == expected[:2]


async def test_without_a_name_there_is_no_such_model(triton_url: str) -> None:
    """A platform does not load it and is ready without it; a client that needs it gets an error that names it."""
    plain, counting = Triton(triton_url), Triton(triton_url, reranks=True)
    await plain.ping()
    with pytest.raises(TritonUnavailable, match=RERANK_MODEL):
        await counting.ping()
    with pytest.raises((TritonUnavailable, ModelError)):
        await counting.rerank(QUERY, TEXTS)
    await plain.close()
    await counting.close()


LOADING = """
import sys
sys.path.insert(0, "triton_models")
import model_files
from reranker import Reranker
try:
    Reranker(model_files.rerank_model(), "cpu")
except model_files.ModelUnavailableError as exc:
    print(exc)
"""


@pytest.mark.endurance
def test_a_model_that_cannot_rerank_is_named(torch_python: TritonPython, tmp_path: Path) -> None:
    """One with several scores, and one that does not exist."""
    classifier = tmp_path / "classifier"
    torch_python(BUILDER, str(classifier), "3")
    assert "classifier gives 3 scores" in torch_python("-c", LOADING, HOLDFAST_RERANK_MODEL=str(classifier))
    for name in ("", "/no/such/folder", "package:no_such_package"):
        assert name.removeprefix("package:") in torch_python("-c", LOADING, HOLDFAST_RERANK_MODEL=name)


def test_the_image_loads_it_when_it_is_named() -> None:
    """The container starts the server as `holdfast up` does, which serves it by the same setting."""
    (entry,) = [
        line for line in (ROOT / "deploy/Dockerfile.triton").read_text().splitlines() if line.startswith("ENTRYPOINT")
    ]
    assert json.loads(entry.removeprefix("ENTRYPOINT"))[-1] == "/opt/holdfast/triton_models/serve.py"
