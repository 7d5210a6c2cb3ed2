"""Models with the file lists of real ones are fetched from the hub and served on a GPU's code path."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.http_server import Quiet, serving
from tests.triton.conftest import TritonPython

COMMIT = "c" * 40

FETCHED = """
import sys
sys.path.insert(0, "triton_models")
import model_files
print(model_files.embed_model("tiny/dense").fingerprint)
"""


def hub(root: Path) -> type[BaseHTTPRequestHandler]:
    """The part of the Hugging Face hub's HTTP interface that its client uses, over folders ``owner/name``."""

    class Hub(Quiet, BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).strip("/")
            if path.startswith("api/models/"):
                owner, name, *rest = path.removeprefix("api/models/").split("/")
                self.answer(json.dumps(self.listed(root / owner / name, rest)).encode(), "application/json")
            else:
                owner, name, _, _, file = path.split("/", 4)
                self.answer((root / owner / name / file).read_bytes(), "application/octet-stream")

        def listed(self, folder: Path, rest: list[str]) -> object:
            if rest[:1] != ["tree"]:
                return {"id": "/".join(folder.parts[-2:]), "sha": COMMIT, "siblings": []}
            files = [path for path in folder.rglob("*") if path.is_file()]
            return [
                {"type": "file", "path": str(path.relative_to(folder)), "size": path.stat().st_size, "oid": "0" * 40}
                for path in files
            ]

        def answer(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    return Hub


def test_models_are_loaded_by_their_real_files(
    torch_python: TritonPython, triton_python: TritonPython, tmp_path: Path
) -> None:
    """Weights are the safetensors of a folder, otherwise PyTorch's file; other runtimes' files are not fetched."""
    with serving(hub(tmp_path / "repositories")) as port:
        environment = {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(tmp_path / "home")}
        found = json.loads(torch_python("tests/triton/layouts.py", str(tmp_path / "repositories"), **environment))
    files = {name: set(each["files"]) for name, each in found.items()}
    for name, each in found.items():
        assert each["difference"] < 1e-5, (name, each)
        assert each["spread"] > 0.01, (name, each)
        assert not {file for file in files[name] if file.endswith((".onnx", "_data", ".pt", ".h5"))}
        assert each["half"] == ("bfloat16" if name == "bfloat" else "float16")
    weights = {name: {file for file in each if file.endswith((".bin", ".safetensors"))} for name, each in files.items()}
    assert weights["bge-m3"] == {"pytorch_model.bin"}
    assert weights["e5-large"] == weights["bfloat"] == {"model.safetensors"}
    assert weights["dense"] == {"model.safetensors", "2_Dense/pytorch_model.bin"}
    assert found["dense"]["dimension"] == 16
    assert len(weights["sharded"]) > 1
    assert "modules.json" not in files["sharded"]
    # The cache serves when the hub is gone.
    assert triton_python("-c", FETCHED, **environment).strip() == found["dense"]["fingerprint"]
