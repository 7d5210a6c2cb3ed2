"""Embedding models beside the default one: loaded by whoever asks for them, and only those that the settings name."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import numpy as np
import pytest

from activities.contracts.embedding import EmbeddingModel
from activities.errors import ModelError, ModelMismatch, ModelNotLoaded, ModelNotServed
from activities.stores.triton import Triton
from tests.triton.conftest import TritonPython

UNKNOWN = EmbeddingModel(name="unknown", fingerprint="0" * 16)

NAMES = """
import json, sys
sys.path.insert(0, "triton_models")
import model_files
try:
    print(json.dumps([[model.name, model.setting] for model in model_files.embed_models()]))
except model_files.ModelUnavailableError as exc:
    print(json.dumps(str(exc)))
"""


async def is_ready(triton: Triton, model: EmbeddingModel) -> bool:
    """Whether a model is loaded beside the default one."""
    [server] = await triton._servers.in_turn()
    return await server.is_ready(f"embed_{model.fingerprint}")


async def test_a_model_is_loaded_when_it_is_asked_for(triton: Triton) -> None:
    """Once, however many ask; its vectors, card and tokenizer are its own, and it can be unloaded and loaded again."""
    default, tiny, _ = await triton.models()
    for _ in range(2):
        vectors = await asyncio.gather(*(triton.embed(["word"], model=tiny, urgent=bool(n % 2)) for n in range(4)))
        assert {each.shape for each in vectors} == {(1, 96)}
        assert all(np.array_equal(each, vectors[0]) for each in vectors)
        assert await is_ready(triton, tiny)
        await triton.keep_loaded([tiny.fingerprint])
        assert await is_ready(triton, tiny)
        await triton.keep_loaded([])
        assert not await is_ready(triton, tiny)
    card = await triton.card(tiny)
    assert (card.identity, card.dimension, card.languages, card.found_threshold) == (tiny, 96, ["en"], {"*": 0.9})
    assert (await triton.tokenizer(tiny)).get_vocab_size() < (await triton.tokenizer(default)).get_vocab_size()
    assert np.array_equal(await triton.embed(["word"], model=default), await triton.embed(["word"]))


async def test_only_models_of_the_settings_are_loaded(triton: Triton) -> None:
    """One that they do not name has no name in Triton; one that is broken says so, and nothing else is touched."""
    with pytest.raises(ModelMismatch, match="unknown"):
        await triton.embed(["word"], model=UNKNOWN)
    assert not await triton.is_served(UNKNOWN)
    with pytest.raises(ModelNotServed, match="tiny-96"):
        await triton.named("unknown")
    with pytest.raises(ModelError, match="no action"):
        await triton._manage("unload", [])
    with pytest.raises(ModelNotLoaded, match="broken"):
        await triton.card(await triton.named("broken"))
    assert not await is_ready(triton, await triton.named("broken"))
    assert (await triton.embed(["word"])).shape == (1, (await triton.card()).dimension)


async def test_a_broken_model_does_not_end_the_server(triton: Triton) -> None:
    """However often it is asked for: Triton itself aborted at times when a model that another one loaded failed."""
    broken = await triton.named("broken")
    for _ in range(6):
        with pytest.raises(ModelNotLoaded, match="Protobuf parsing failed"):
            await triton.card(broken)


async def test_a_request_for_another_model_than_the_served_one_finds_it(triton: Triton) -> None:
    """A client that has not noticed Triton's new settings does not get vectors of another model."""
    default, tiny, _ = await triton.models()
    expected = await triton.embed(["word"], model=tiny)
    card = await triton.card()
    triton._default = type(card)(**{name: getattr(card, name) for name in card.__struct_fields__} | {
        "model": tiny.name, "fingerprint": tiny.fingerprint, "others": [default],
    })  # fmt: skip
    assert np.array_equal(await triton.embed(["word"], model=tiny), expected)


def test_the_settings_name_the_models(triton_python: TritonPython, tmp_path: Path) -> None:
    """The default one first, each once; the bundled one has a name too. Two of one name are refused."""
    folders = [tmp_path / each for each in ("a/one", "b/two", "c/two")]
    for folder in folders:
        folder.mkdir(parents=True)
        for name in ("tokenizer.json", "config.json"):
            (folder / name).write_text("{}")
        (folder / "model.safetensors").write_text(str(folder))

    def named(*settings: str | Path) -> object:
        return json.loads(triton_python("-c", NAMES, HOLDFAST_EMBED_MODELS=",".join(map(str, settings))))

    one, two, second = folders
    bundled = ["multilingual-e5-small", ""]
    assert named(f" {one} ", "multilingual-e5-small", one, "") == [bundled, ["one", str(one)]]
    assert named(two, second) == "HOLDFAST_EMBED_MODELS: different models have the name two"
    assert "no-model" in str(named("no-model"))


CLOCK = """
import sys
sys.path.insert(0, "triton_models")
from encoders import UrgencyClock
clock = UrgencyClock()
print(clock.latest())
clock.set()
"""


def test_bulk_work_of_one_model_knows_of_questions_to_another(triton_python: TritonPython, tmp_path: Path) -> None:
    """The models' processes share the time of the latest urgent text; without the variable it is a process's own."""
    for path, since in (("", 0.0), (str(tmp_path / "clock"), time.monotonic())):
        first, second = (float(triton_python("-c", CLOCK, HOLDFAST_URGENCY_CLOCK=path)) for _ in range(2))
        assert first == 0
        assert second >= since
        assert bool(second) == bool(path)
